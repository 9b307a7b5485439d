package logtee

import (
	"bytes"
	"io"
)

// holdBack is how much of an unfinished line is kept back when it must be given out, in bytes: longer than all that
// gives a secret away, and than any secret that is known by its value.
const holdBack = maxSecret + longestHost

// Writer hides secrets on their way to w, also those that arrive in pieces. It gives out whole lines; Close gives out
// the rest.
func (r *Redactor) Writer(w io.Writer) *RedactingWriter { return &RedactingWriter{rules: r, to: w} }

// RedactingWriter is the writer of a [Redactor].
type RedactingWriter struct {
	rules *Redactor
	to    io.Writer
	held  []byte // an unfinished line
	ends  string // what ends the secret whose rest is still arriving; "": there is none
}

// Write takes the next bytes. It reports them as written even if they are held back.
func (w *RedactingWriter) Write(b []byte) (int, error) {
	known := len(w.held) // no line ends in it
	w.held = append(w.held, b...)
	if w.ends != "" {
		known = 0
		w.skipSecret()
	}
	if end := known + bytes.LastIndexAny(w.held[known:], "\n\r") + 1; end > known {
		if err := w.give(end, w.rules.find(w.held[:end])); err != nil {
			return len(b), err
		}
	}
	if len(w.held) <= MaxLine {
		return len(b), nil
	}
	return len(b), w.cut()
}

// skipSecret drops the rest of a secret.
func (w *RedactingWriter) skipSecret() {
	end := bytes.IndexAny(w.held, w.ends)
	if end < 0 {
		w.held = w.held[:0]
		return
	}
	w.held, w.ends = w.held[end:], ""
}

// cut gives out the beginning of a line that is too long to be held. No secret is cut in two: one that may go on beyond
// what is held is hidden as far as it is there, and its rest is dropped as it arrives.
func (w *RedactingWriter) cut() error {
	end := len(w.held) - holdBack
	found := w.rules.find(w.held)
	for i, s := range found {
		if s.to <= end {
			continue
		}
		if s.lead < end {
			end = s.to
			if s.ends != "" && s.to == len(w.held) {
				w.ends = s.ends
			}
			return w.give(end, found[:i+1])
		}
		found = found[:i]
		break
	}
	return w.give(end, found)
}

// give gives out what is held, up to an index.
func (w *RedactingWriter) give(end int, secrets []span) error {
	out := hide(w.held[:end], secrets)
	w.held = append([]byte(nil), w.held[end:]...)
	_, err := w.to.Write(out)
	return err
}

// Close gives out what is held back. It does not close the writer below.
func (w *RedactingWriter) Close() error {
	if len(w.held) == 0 {
		return nil
	}
	return w.give(len(w.held), w.rules.find(w.held))
}
