package logtee

import "bytes"

// MaxLine is the longest line that a reader gets in one piece, in bytes.
const MaxLine = 64 << 10

// Line is one line of output, without its end.
type Line struct {
	Text    string
	Partial bool // the line goes on in the next one: it was longer than MaxLine
}

// Splitter cuts a stream into lines. A line that never ends is given out in pieces, a last line without an end is not
// lost, and of a progress bar that redraws itself with carriage returns only the last state counts.
type Splitter struct {
	emit func(Line)
	buf  []byte
}

// NewSplitter gives out lines to emit.
func NewSplitter(emit func(Line)) *Splitter { return &Splitter{emit: emit} }

// Write takes the next bytes of the stream, and never fails.
func (s *Splitter) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			s.append(rest)
			break
		}
		s.append(rest[:i])
		s.flush(false)
		rest = rest[i+1:]
	}
	return len(b), nil
}

func (s *Splitter) append(b []byte) {
	for len(s.buf)+len(b) > MaxLine {
		n := MaxLine - len(s.buf)
		s.buf = append(s.buf, b[:n]...)
		s.flush(true)
		b = b[n:]
	}
	s.buf = append(s.buf, b...)
}

func (s *Splitter) flush(partial bool) {
	text := bytes.TrimSuffix(s.buf, []byte{'\r'})
	if i := bytes.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	s.emit(Line{Text: string(text), Partial: partial})
	s.buf = s.buf[:0]
}

// End gives out a last line that has no end.
func (s *Splitter) End() {
	if len(s.buf) > 0 {
		s.flush(false)
	}
}
