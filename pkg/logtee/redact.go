package logtee

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
)

// Redacted stands for a secret in everything that people read.
const Redacted = "[redacted]"

// Redactor hides secrets: the values of variables whose names say so and the passwords of URLs in variables, wherever
// they stand; what is assigned to such a name; and what has the form of a token, a password in a URL or an
// Authorization header. It leaves alone what only looks like one: a count of tokens, the token that ends a text, the
// key of a cache.
type Redactor struct {
	values [][]byte
	forms  *forms
}

const (
	minSecret = 6        // shortest value that is hidden wherever it stands, in bytes: shorter ones are ordinary words
	maxSecret = 16 << 10 // longest, in bytes: a longer one is known by its pieces
)

// NewRedactor learns the secrets of an environment.
func NewRedactor(env []string) *Redactor {
	r := &Redactor{forms: newForms()}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		for line := range strings.FieldsFuncSeq(value, isLineEnd) { // a key may have several: each shows up alone
			if endsSecret([]byte(name)) {
				r.learn(line)
			}
			r.learnPasswords(line)
		}
	}
	return r
}

func isLineEnd(c rune) bool { return c == '\n' || c == '\r' }

// learn keeps a value, unless it stands for something else in any text.
func (r *Redactor) learn(value string) {
	value = strings.TrimSpace(value)
	if len(value) < minSecret || isTrivial(value) || isPath(value) {
		return
	}
	for piece := range slices.Chunk([]byte(value), maxSecret) {
		if len(piece) >= minSecret {
			r.values = append(r.values, piece)
		}
	}
}

// learnPasswords keeps the passwords of the URLs in a value, as they are and as they are meant.
func (r *Redactor) learnPasswords(value string) {
	for i := range len(value) {
		if value[i] != ':' {
			continue
		}
		if s, ok := urlSecret([]byte(value), i); ok {
			password := value[s.from:s.to]
			r.learn(password)
			if meant, err := url.PathUnescape(password); err == nil && meant != password {
				r.learn(meant)
			}
		}
	}
}

// isTrivial tells whether a value is none that anybody would keep secret.
func isTrivial(v string) bool {
	switch strings.ToLower(v) {
	case "", "true", "false", "none", "null", "nil", "yes", "no", "on", "off", "default", "auto", "enabled", "disabled",
		"required", "optional", "unset", "token", "secret", "password":
		return true
	}
	return strings.Trim(v, "*") == "" || v[0] == '<' || v[0] == '$' || isNumber(v)
}

// isNumber tells whether a value is a count or a measurement.
func isNumber(v string) bool {
	points := strings.Count(v, ".")
	return strings.Trim(v, "0123456789.") == "" && (points == 0 && len(v) < 10 || points == 1 && len(v) < 24)
}

// isPath tells whether a value is the path of a file: what it names may be secret, its name is not. What a random key
// that begins with a slash has is capital letters.
func isPath(v string) bool {
	const letters = "/._-abcdefghijklmnopqrstuvwxyz0123456789"
	return strings.HasPrefix(v, "/") && strings.Count(v, "/") > 1 && strings.Trim(v, letters) == ""
}

// Text hides the secrets of a whole text.
func (r *Redactor) Text(s string) string {
	b := []byte(s)
	return string(hide(b, r.find(b)))
}

// span is a secret in a text.
type span struct {
	lead     int // where what gives it away begins
	from, to int
	ends     string // bytes that end it; "": its length is known
}

// find finds the secrets in b, in the order of their places, merged where they overlap or touch.
func (r *Redactor) find(b []byte) []span {
	var found []span
	for _, v := range r.values {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], v)
			if i < 0 {
				break
			}
			at += i
			found = append(found, span{at, at, at + len(v), ""})
		}
	}
	found = r.forms.find(b, found)
	if len(found) < 2 {
		return found
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	merged := found[:1]
	for _, s := range found[1:] {
		last := &merged[len(merged)-1]
		if s.from > last.to {
			merged = append(merged, s)
			continue
		}
		last.lead = min(last.lead, s.lead)
		if s.to >= last.to {
			last.to, last.ends = s.to, s.ends
		}
	}
	return merged
}

// hide replaces secrets. Without any it returns b itself.
func hide(b []byte, secrets []span) []byte {
	if len(secrets) == 0 {
		return b
	}
	out := make([]byte, 0, len(b)+len(secrets)*len(Redacted))
	done := 0
	for _, s := range secrets {
		out = append(append(out, b[done:s.from]...), Redacted...)
		done = s.to
	}
	return append(out, b[done:]...)
}
