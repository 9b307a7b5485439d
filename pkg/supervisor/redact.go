package supervisor

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// Redacted stands for a secret in everything that people read.
const Redacted = "[redacted]"

// Redactor hides secrets: the values of variables whose names say so, wherever they stand, and whatever is assigned to
// such a name.
type Redactor struct {
	values [][]byte // longest first
}

// minSecret is the shortest value that is hidden wherever it stands, in bytes: shorter ones are ordinary words.
const minSecret = 6

// holdBack is how much of an unfinished line is kept back when it must be given out, in bytes: longer than any name and
// most values.
const holdBack = 4 << 10

// NewRedactor learns the secrets of an environment.
func NewRedactor(env []string) *Redactor {
	r := &Redactor{}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		if !endsSecret([]byte(k)) {
			continue
		}
		for line := range strings.SplitSeq(v, "\n") { // a key may have several, each of which shows up alone
			if line = strings.TrimSpace(line); len(line) >= minSecret {
				r.values = append(r.values, []byte(line))
			}
		}
	}
	slices.SortFunc(r.values, func(a, b []byte) int { return len(b) - len(a) })
	return r
}

// endsSecret tells whether a text ends in a name that holds a secret. Most are told from its last letter that they do not.
func endsSecret(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[len(b)-1] | 0x20 {
	case 'n':
		return endsFold(b, "TOKEN")
	case 't':
		return endsFold(b, "SECRET")
	case 'd':
		return endsFold(b, "PASSWORD") || endsFold(b, "PASSWD")
	case 'w':
		return endsFold(b, "PSW")
	case 'y':
		return endsFold(b, "KEY")
	case 'l':
		return endsFold(b, "CREDENTIAL")
	case 's':
		return endsFold(b, "CREDENTIALS")
	}
	return false
}

func endsFold(b []byte, suffix string) bool {
	at := len(b) - len(suffix)
	return at >= 0 && strings.EqualFold(string(b[at:]), suffix)
}

// assignment finds the first assignment to a secret name in b: NAME=, NAME: and "NAME": with a blank on either side and a
// quote before the value. It returns where the name begins and where the value does. It is a scan for the sign with a
// look back, because a regular expression is slower than the fastest child prints.
func assignment(b []byte) (name, value int, ok bool) {
	for i, c := range b {
		if c != '=' && c != ':' {
			continue
		}
		end := skipBack(b, skipBack(b, i, " \t"), `"'`)
		if !endsSecret(b[:end]) {
			continue
		}
		for name = end; name > 0 && isNameByte(b[name-1]); {
			name--
		}
		return name, skip(b, skip(b, i+1, " \t"), `"'`), true
	}
	return 0, 0, false
}

// skip passes one byte of a set, if it is there.
func skip(b []byte, at int, set string) int {
	if at < len(b) && strings.IndexByte(set, b[at]) >= 0 {
		return at + 1
	}
	return at
}

func skipBack(b []byte, at int, set string) int {
	if at > 0 && strings.IndexByte(set, b[at-1]) >= 0 {
		return at - 1
	}
	return at
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// Text hides the secrets of a whole text.
func (r *Redactor) Text(s string) string {
	out, _ := r.apply([]byte(s))
	return string(out)
}

// apply hides the secrets in b. open tells that b ends inside an assigned value. What holds none comes back as it is.
func (r *Redactor) apply(b []byte) (out []byte, open bool) {
	for _, v := range r.values {
		if bytes.Contains(b, v) {
			b = bytes.ReplaceAll(b, v, []byte(Redacted))
		}
	}
	for {
		_, value, ok := assignment(b)
		switch {
		case !ok && out == nil:
			return b, false
		case !ok:
			return append(out, b...), false
		}
		end := value + valueEnd(b[value:])
		out = append(append(out, b[:value]...), Redacted...)
		if end == len(b) {
			return out, true
		}
		b = b[end:]
	}
}

// valueEnd is where an assigned value ends: at white space, a quote, or what separates values.
func valueEnd(b []byte) int {
	if i := bytes.IndexAny(b, " \t\r\n\"',;&"); i >= 0 {
		return i
	}
	return len(b)
}

// Writer hides secrets on their way to w, also those that arrive in pieces. It gives out whole lines; Close gives out
// the rest.
func (r *Redactor) Writer(w io.Writer) *RedactingWriter { return &RedactingWriter{rules: r, to: w} }

// RedactingWriter is the writer of a [Redactor].
type RedactingWriter struct {
	rules   *Redactor
	to      io.Writer
	held    []byte // an unfinished line
	inValue bool   // the rest of a secret is still arriving
}

// Write takes the next bytes. It reports them as written even if they are held back.
func (w *RedactingWriter) Write(b []byte) (int, error) {
	w.held = append(w.held, b...)
	if w.inValue {
		w.skipValue()
	}
	end := bytes.LastIndexAny(w.held, "\n\r") + 1
	if rest := len(w.held) - end; rest > MaxLine {
		end = w.safeCut(len(w.held) - holdBack)
	}
	if end == 0 {
		return len(b), nil
	}
	return len(b), w.give(end)
}

// skipValue drops the rest of a secret.
func (w *RedactingWriter) skipValue() {
	end := valueEnd(w.held)
	w.inValue = end == len(w.held)
	w.held = w.held[end:]
}

// safeCut is the last place up to at where no secret is cut in two. A secret that begins before it and goes on to the
// end is hidden as far as it is there; its rest is dropped as it arrives.
func (w *RedactingWriter) safeCut(at int) int {
	for _, v := range w.rules.values {
		for start := max(0, at-len(v)+1); start < at; start++ {
			if bytes.HasPrefix(w.held[start:], v) {
				return start
			}
		}
	}
	for from := 0; ; {
		name, value, ok := assignment(w.held[from:])
		if !ok || from+name >= at {
			return at
		}
		value += from
		end := value + valueEnd(w.held[value:])
		if end == len(w.held) || end > at {
			return end
		}
		from = end
	}
}

func (w *RedactingWriter) give(end int) error {
	out, open := w.rules.apply(w.held[:end])
	w.inValue = open && end == len(w.held)
	w.held = append([]byte(nil), w.held[end:]...)
	_, err := w.to.Write(out)
	return err
}

// Close gives out what is held back. It does not close the writer below.
func (w *RedactingWriter) Close() error {
	if len(w.held) == 0 {
		return nil
	}
	return w.give(len(w.held))
}
