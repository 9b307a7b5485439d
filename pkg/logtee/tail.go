package logtee

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	tailLines = 200       // kept for a post-mortem
	tailSize  = 512 << 10 // as far as they fit into this many bytes
	maxShown  = 4 << 10   // of one of these lines, in bytes
)

// tailBuffer keeps the end of a stream. It costs a copy of the bytes while they pass, and splits lines only when asked.
type tailBuffer struct {
	mu   sync.Mutex
	buf  []byte    // the newest bytes, in a circle once it is full
	next int       // where the next byte goes once it is full
	all  int64     // bytes that have come
	at   time.Time // when the newest came; zero: there is none
}

func (t *tailBuffer) write(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = time.Now()
	t.all += int64(len(b))
	b = b[max(0, len(b)-tailSize):]
	if room := tailSize - len(t.buf); room > 0 {
		n := min(room, len(b))
		t.buf, b = append(t.buf, b[:n]...), b[n:]
	}
	for len(b) > 0 {
		n := copy(t.buf[t.next:], b)
		t.next, b = (t.next+n)%tailSize, b[n:]
	}
}

// bytes are those that are kept. If they begin within a line, it lacks as much as a secret may have: what is left of
// one without its beginning is not known for a secret.
func (t *tailBuffer) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := append(append([]byte(nil), t.buf[t.next:]...), t.buf[:t.next]...)
	if t.all <= int64(len(kept)) {
		return kept
	}
	first := kept[:holdBack]
	if end := bytes.IndexByte(first, '\n') + 1; end > 0 {
		first = first[:end]
	}
	return kept[len(first):]
}

// size is how many bytes have come.
func (t *tailBuffer) size() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all
}

// end is the last n bytes, and when the newest of them came.
func (t *tailBuffer) end(n int) ([]byte, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	older := t.buf[t.next:]
	newer := t.buf[max(0, t.next-n):t.next]
	n -= len(newer)
	return append(append([]byte(nil), older[max(0, len(older)-n):]...), newer...), t.at
}

// lines are the last lines, as people read them: what a carriage return has overwritten is left out, what is not text
// is replaced, and secrets are taken out. That comes before a line is cut to what is shown, so that no part of one is
// left.
func (t *tailBuffer) lines(n int, hide func(string) string) []string {
	text := bytes.TrimSuffix(t.bytes(), []byte{'\n'})
	var lines []string
	for len(text) > 0 && len(lines) < n {
		at := bytes.LastIndexByte(text, '\n')
		line := bytes.TrimSuffix(text[at+1:], []byte{'\r'})
		line = line[bytes.LastIndexByte(line, '\r')+1:]
		lines = append(lines, shown(line, hide))
		text = text[:max(at, 0)]
	}
	slices.Reverse(lines)
	return lines
}

// shown is what people see of a line.
func shown(line []byte, hide func(string) string) string {
	text := strings.ToValidUTF8(hide(string(line)), "\ufffd")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + " …"
	}
	return text
}
