package logtee

import (
	"slices"
	"strings"
)

// name is that of a variable or a field, in lower case and with _ between its words.
type name struct {
	text  string
	begin int
	upper bool // it has no small letter
	query bool // it is that of a parameter in a URL
}

func nameBefore(b []byte, end int) name {
	begin := end
	for begin > 0 && end-begin < longestName && (isNameByte(b[begin-1]) || b[begin-1] == '-') {
		begin--
	}
	text := string(b[begin:end])
	return name{
		text: strings.ReplaceAll(strings.ToLower(text), "-", "_"), begin: begin, upper: text == strings.ToUpper(text),
		query: begin > 0 && (b[begin-1] == '?' || b[begin-1] == '&'),
	}
}

// holdsSecret tells whether a name that ends as those of secrets do is one. All variables count; among others there are
// tokens of texts and keys of tables. Tight says that the sign follows at once.
func (n name) holdsSecret(tight bool) bool {
	rest, isToken := strings.CutSuffix(n.text, "token")
	if !isToken {
		var isKey bool
		if rest, isKey = strings.CutSuffix(n.text, "key"); !isKey {
			return true
		}
	}
	switch {
	case n.upper, n.query:
		return true
	case strings.Trim(rest, "_") == "":
		return isToken && tight
	case isToken:
		return !isTextWord(lastWord(rest))
	}
	return isSecretWord(lastWord(rest))
}

func lastWord(s string) string {
	s = strings.TrimRight(s, "_")
	return s[strings.LastIndexByte(s, '_')+1:]
}

// isTextWord tells whether a word before "token" says that it is a part of a text.
func isTextWord(w string) bool {
	return slices.Contains([]string{
		"eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "start", "end", "begin", "image", "video", "audio",
		"special", "new", "next", "first", "last", "max", "min", "num", "per", "input", "output", "prompt",
		"generated", "generation", "draft", "decode", "decoded", "prefill", "context", "accepted", "total", "mean",
		"each", "think", "tool",
	}, w)
}

// isSecretWord tells whether a word before "key" says that it opens something.
func isSecretWord(w string) bool {
	for _, end := range []string{
		"api", "auth", "access", "secret", "private", "signing", "encryption", "license", "ssh", "master", "account",
		"shared", "service", "client", "deploy",
	} {
		if strings.HasSuffix(w, end) {
			return true
		}
	}
	return false
}

// isField tells whether a name means nothing but a secret, whatever stands around it.
func (n name) isField() bool {
	for _, end := range []string{
		"password", "passwd", "passphrase", "api_key", "apikey", "secret_key", "access_key", "private_key",
		"auth_key", "auth_token", "access_token", "refresh_token", "session_token", "hf_token", "client_secret",
	} {
		if rest, ok := strings.CutSuffix(n.text, end); ok && (rest == "" || rest[len(rest)-1] == '_') {
			return true
		}
	}
	return false
}

// isPlain tells whether a value is no secret in spite of its name. A password may be a number.
func (n name) isPlain(value string) bool {
	if isNumber(value) && len(value) > 3 && !strings.HasSuffix(n.text, "token") && !strings.HasSuffix(n.text, "key") {
		return false
	}
	return isTrivial(value)
}
