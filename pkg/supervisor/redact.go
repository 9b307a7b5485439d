package supervisor

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Redacted stands for a secret in everything that people read.
const Redacted = "[redacted]"

// Redactor hides secrets: the values of variables whose names say so, wherever they stand, and whatever is assigned to
// such a name.
type Redactor struct {
	values []string // longest first
	form   *regexp.Regexp
}

// secretName matches names of variables that hold secrets.
const secretName = `[A-Za-z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|PSW|KEY|CREDENTIALS?)`

// minSecret is the shortest value that is hidden wherever it stands, in bytes: shorter ones are ordinary words.
const minSecret = 6

// holdBack is how much of an unfinished line is kept back when it must be given out, in bytes: longer than any name and
// most values.
const holdBack = 4 << 10

// NewRedactor learns the secrets of an environment.
func NewRedactor(env []string) *Redactor {
	name := regexp.MustCompile(`(?i)^` + secretName + `$`)
	r := &Redactor{form: regexp.MustCompile(`(?i)\b` + secretName + `["']?[ \t]?[=:][ \t]?["']?`)}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		if !name.MatchString(k) {
			continue
		}
		for line := range strings.SplitSeq(v, "\n") { // a key may have several, each of which shows up alone
			if line = strings.TrimSpace(line); len(line) >= minSecret {
				r.values = append(r.values, line)
			}
		}
	}
	slices.SortFunc(r.values, func(a, b string) int { return len(b) - len(a) })
	return r
}

// Text hides the secrets of a whole text.
func (r *Redactor) Text(s string) string {
	out, _ := r.apply([]byte(s))
	return string(out)
}

// apply hides the secrets in b. open tells that b ends inside an assigned value.
func (r *Redactor) apply(b []byte) (out []byte, open bool) {
	for _, v := range r.values {
		b = bytes.ReplaceAll(b, []byte(v), []byte(Redacted))
	}
	for {
		at := r.form.FindIndex(b)
		if at == nil {
			return append(out, b...), false
		}
		end := at[1] + valueEnd(b[at[1]:])
		out = append(append(out, b[:at[1]]...), Redacted...)
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
			if bytes.HasPrefix(w.held[start:], []byte(v)) {
				return start
			}
		}
	}
	for from := 0; ; {
		m := w.rules.form.FindIndex(w.held[from:])
		if m == nil || from+m[0] >= at {
			return at
		}
		end := from + m[1] + valueEnd(w.held[from+m[1]:])
		if end == len(w.held) {
			return end
		}
		if end > at {
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
