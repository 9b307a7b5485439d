package logtee

import (
	"bytes"
	"strings"
)

const (
	valueEnds = " \t\r\n\"',;&" // what ends a value without quotes

	longestName = 128     // of a variable or a field, in bytes
	longestHost = 4 << 10 // of a URL's user, password and host, in bytes
)

// find finds what has the form of a secret, and what stands where one does. It stops at a few bytes only and looks
// around them: a regular expression would be slower than the fastest child prints.
func (f *forms) find(b []byte, found []span) []span {
	for i, c := range b {
		if f.stops[c] == 0 {
			continue
		}
		var s span
		var ok bool
		switch c {
		case '=':
			s, ok = assigned(b, i)
		case ':':
			if s, ok = urlSecret(b, i); !ok {
				s, ok = field(b, i)
			}
		case ' ':
			if i > 0 && b[i-1]|0x20 == 'r' {
				s, ok = bearer(b, i)
			}
		default:
			if i > 0 && f.before[c][b[i-1]] {
				s, ok = f.token(b, i)
			}
		}
		if ok {
			found = append(found, s)
		}
	}
	return found
}

// assigned is the value after an equals sign, if a secret is assigned there: NAME=value, with a blank on either side
// and quotes around the value.
func assigned(b []byte, at int) (span, bool) {
	end := skipBack(b, skipBack(b, at, " \t"), `"'`)
	if !endsSecret(b[:end]) || at+1 < len(b) && b[at+1] == '=' {
		return span{}, false
	}
	n := nameBefore(b, end)
	if !n.holdsSecret(end == at) {
		return span{}, false
	}
	from, quote := valueBegin(b, at+1)
	return valueSpan(b, n, from, quote)
}

// field is the value after a colon, if the name before it means nothing but a secret: a header, or a field of YAML or
// JSON.
func field(b []byte, at int) (span, bool) {
	end := skipBack(b, skipBack(b, at, `"'`), `\`)
	if !endsSecret(b[:end]) && !endsFold(b[:end], "AUTHORIZATION") {
		return span{}, false
	}
	n := nameBefore(b, end)
	header := strings.HasSuffix(n.text, "authorization")
	if !header && !n.isField() {
		return span{}, false
	}
	from, quote := valueBegin(b, at+1)
	if header {
		from = pastScheme(b, from)
	}
	return valueSpan(b, n, from, quote)
}

// valueSpan is the secret that begins at an index, unless it is none.
func valueSpan(b []byte, n name, from int, quote byte) (span, bool) {
	to, ends := valueEnd(b, from, quote)
	return span{lead: n.begin, from: from, to: to, ends: ends}, to > from && !n.isPlain(string(b[from:to]))
}

// valueBegin is where the value after a sign begins, and the quote before it, 0 if there is none.
func valueBegin(b []byte, at int) (from int, quote byte) {
	for at < len(b) && (b[at] == ' ' || b[at] == '\t') {
		at++
	}
	from = skip(b, at, "[(") // a list of one
	from = skip(b, skip(b, from, `\`), `"'`)
	if from > at && (b[from-1] == '"' || b[from-1] == '\'') {
		return from, b[from-1]
	}
	return at, 0
}

// valueEnd is where a value ends, and what ends it: a quote if one was opened and is closed in the line, else white
// space or what separates values.
func valueEnd(b []byte, from int, quote byte) (to int, ends string) {
	if quote != 0 {
		ends = string(quote) + "\r\n"
		escaped := from > 1 && b[from-2] == '\\' // a text in a text
		for i := from; i < len(b) && b[i] != '\n' && b[i] != '\r'; i++ {
			switch {
			case b[i] == quote, escaped && b[i] == '\\':
				return i, ends
			case b[i] == '\\' && i+1 < len(b) && b[i+1] == quote:
				i++ // it belongs to the value
			}
		}
	}
	if i := bytes.IndexAny(b[from:], valueEnds); i >= 0 {
		return from + i, valueEnds
	}
	return len(b), valueEnds
}

// pastScheme passes the first word of an Authorization header: "Bearer", "Basic".
func pastScheme(b []byte, from int) int {
	for _, scheme := range []string{"bearer ", "basic ", "token ", "digest ", "negotiate "} {
		if end := from + len(scheme); end <= len(b) && strings.EqualFold(string(b[from:end]), scheme) {
			return end
		}
	}
	return from
}

// urlSecret is the password of the URL whose scheme ends at a colon, or its user if that is all it has, as with a
// token.
func urlSecret(b []byte, at int) (span, bool) {
	if len(b) < at+3 || b[at+1] != '/' || b[at+2] != '/' {
		return span{}, false
	}
	begin := at
	for begin > 0 && at-begin < longestName && (isNameByte(b[begin-1]) || b[begin-1] == '+') {
		begin--
	}
	from := at + len("://")
	host := b[from:min(len(b), from+longestHost)]
	if i := bytes.IndexAny(host, "/?# \t\r\n\"'<>|\\`"); i >= 0 {
		host = host[:i]
	}
	user := bytes.LastIndexByte(host, '@')
	if user < 0 || begin == at {
		return span{}, false
	}
	s := span{lead: begin, from: from, to: from + user}
	if i := bytes.IndexByte(host[:user], ':'); i >= 0 {
		s.from += i + 1
		return s, s.to > s.from
	}
	return s, user >= minToken && bytes.HasPrefix(bytes.ToLower(b[begin:at]), []byte("http"))
}

// minToken is the length of the shortest token that is not known by its beginning, in bytes.
const minToken = 8

// bearer is what follows the word Bearer, which ends at an index.
func bearer(b []byte, at int) (span, bool) {
	if !endsFold(b[:at], "BEARER") {
		return span{}, false
	}
	from := at
	for from < len(b) && b[from] == ' ' {
		from++
	}
	to := from
	for to < len(b) && (isWordByte(b[to]) || strings.IndexByte(".~+/=", b[to]) >= 0) {
		to++
	}
	value := strings.TrimRight(string(b[from:to]), ".") // a sentence may end here
	prose := strings.Trim(value, "abcdefghijklmnopqrstuvwxyz") == ""
	return span{at - len("bearer"), from, to, valueEnds}, len(value) >= minToken && !prose
}

// form is that of a token which is known by its beginning.
type form struct {
	prefix string
	least  int    // bytes after the prefix
	more   string // bytes that it may have besides letters and digits
	one    string // bytes of which it has at least one; "": any
}

// forms are those of tokens, by the last byte of their prefixes.
type forms struct {
	byLast [256][]form
	before [256][256]bool // bytes that stand before the last one
	stops  [256]uint8     // 1: bytes to stop at
}

func newForms() *forms {
	f := &forms{}
	for _, one := range []form{
		{"hf_", 16, "", ""}, {"github_pat_", 20, "_", ""}, {"dckr_pat_", 16, "_-", ""}, {"ghp_", 20, "", ""},
		{"gho_", 20, "", ""}, {"ghu_", 20, "", ""}, {"ghs_", 20, "", ""}, {"ghr_", 20, "", ""},
		{"glpat-", 16, "_-", ""}, {"xoxa-", 10, "-", ""}, {"xoxb-", 10, "-", ""}, {"xoxp-", 10, "-", ""},
		{"xoxr-", 10, "-", ""}, {"xoxs-", 10, "-", ""}, {"nvapi-", 16, "_-", ""}, {"sk-", 16, "_-", "0123456789"},
		{"AKIA", 16, "", ""}, {"ASIA", 16, "", ""}, {"AIz", 30, "_-", ""}, {"eyJ", 20, "_-.", "."},
	} {
		last := one.prefix[len(one.prefix)-1]
		f.byLast[last] = append(f.byLast[last], one)
		f.before[last][one.prefix[len(one.prefix)-2]] = true
		f.stops[last] = 1
	}
	f.stops['='], f.stops[':'], f.stops[' '] = 1, 1, 1
	return f
}

// token is the token whose prefix ends at an index.
func (f *forms) token(b []byte, at int) (span, bool) {
	for _, one := range f.byLast[b[at]] {
		begin := at + 1 - len(one.prefix)
		if begin < 0 || string(b[begin:at+1]) != one.prefix || begin > 0 && isWordByte(b[begin-1]) {
			continue
		}
		end := at + 1
		for end < len(b) && (isAlphanumeric(b[end]) || strings.IndexByte(one.more, b[end]) >= 0) {
			end++
		}
		if end-at > one.least && (one.one == "" || bytes.ContainsAny(b[at+1:end], one.one)) {
			return span{begin, begin, end, valueEnds}, true
		}
	}
	return span{}, false
}

// endsSecret tells whether a text ends as the name of a secret does. Most are told from their last letter that they
// do not.
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
	case 'e':
		return endsFold(b, "PASSPHRASE")
	case 'l':
		return endsFold(b, "CREDENTIAL")
	case 's':
		return endsFold(b, "CREDENTIALS") || endsPass(b)
	}
	return false
}

// endsPass tells whether a text ends as DB_PASS does. In small letters a pass is one of a compiler.
func endsPass(b []byte) bool {
	before, ok := bytes.CutSuffix(b, []byte("PASS"))
	return ok && (bytes.HasSuffix(before, []byte("_")) || bytes.HasSuffix(before, []byte("SSH")))
}

func endsFold(b []byte, suffix string) bool {
	at := len(b) - len(suffix)
	return at >= 0 && strings.EqualFold(string(b[at:]), suffix)
}

// skip passes one byte of a set, if it is there.
func skip(b []byte, at int, set string) int {
	if at < len(b) && strings.IndexByte(set, b[at]) >= 0 {
		return at + 1
	}
	return at
}

func skipBack(b []byte, at int, set string) int {
	if at > 0 {
		for i := range len(set) {
			if b[at-1] == set[i] {
				return at - 1
			}
		}
	}
	return at
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func isNameByte(c byte) bool { return c == '_' || isAlphanumeric(c) }

func isWordByte(c byte) bool { return c == '-' || isNameByte(c) }
