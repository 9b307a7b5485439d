package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// object is what a client wrote as a JSON object: its fields, not read yet.
type object map[string]json.RawMessage

// parseObject reads an object strictly: a key that is there twice is an error, at any depth. Python writes numbers that
// are none as bare words (NaN, Infinity), which is not JSON; they become texts, so that only a field that is read and
// has one is refused.
func parseObject(text []byte) (object, error) {
	text = quoteNonFinite(text)
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	if key, found := repeatedKey(text); found {
		return nil, fmt.Errorf("key %.100q is there twice", key)
	}
	return o, nil
}

// quoteNonFinite puts quotes around NaN, Infinity and -Infinity, unless they are part of a text.
func quoteNonFinite(text []byte) []byte {
	if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
		return text
	}
	var out []byte
	var s jsonState
	for i := 0; i < len(text); i++ {
		word := ""
		if !s.inText {
			word = nonFinite(text[i:])
		}
		if word != "" {
			out = append(append(append(out, '"'), word...), '"')
			i += len(word) - 1
			continue
		}
		s.next(text[i])
		out = append(out, text[i])
	}
	return out
}

func nonFinite(text []byte) string {
	for _, word := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return word
		}
	}
	return ""
}

// jsonState is where in a JSON text one is, after so many of its bytes.
type jsonState struct {
	depth           int // of braces and brackets
	inText, escaped bool
}

func (s *jsonState) next(b byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.inText && b == '\\':
		s.escaped = true
	case b == '"':
		s.inText = !s.inText
	case s.inText:
	case b == '{' || b == '[':
		s.depth++
	case b == '}' || b == ']':
		s.depth--
	}
}

// repeatedKey finds a key that one object has twice. The text is valid JSON.
func repeatedKey(text []byte) (key string, found bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []*scope
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			if key, found = open[len(open)-1].take(token); found {
				return key, true
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &scope{keys: map[string]bool{}})
		case json.Delim('['):
			open = append(open, &scope{})
		}
	}
}

// scope is an object or a list that is being read.
type scope struct {
	keys  map[string]bool // nil: it is a list
	value bool            // what comes next is the value of a key
}

// take takes what comes next; it tells the key if it was there before.
func (s *scope) take(token json.Token) (key string, found bool) {
	if s.keys == nil {
		return "", false
	}
	if s.value = !s.value; !s.value {
		return "", false
	}
	key, _ = token.(string)
	found = s.keys[key]
	s.keys[key] = true
	return key, found
}

// errMissing is the error of a field that is not there.
var errMissing = errors.New("is missing")

// wantNumber is what every measured number must be.
const wantNumber = "want a finite number, 0 or more"

// number is the value of a field that is a finite number and not negative. Without the field the error is errMissing.
// An error is to be read after the field's name.
func (o object) number(key string) (float64, error) {
	raw, have := o[key]
	if !have {
		return 0, errMissing
	}
	v, ok := number(string(raw))
	if !ok || v < 0 {
		text := string(raw)
		if bare := strings.Trim(text, `"`); nonFinite([]byte(bare)) != "" { // as the client wrote it
			text = bare
		}
		return 0, fmt.Errorf("is %.40s: %s", text, wantNumber)
	}
	return v, nil
}

// count is the value of a field that is a whole number.
func (o object) count(key string) (int, error) {
	v, err := o.number(key)
	if err == nil && (v > maxCount || v != float64(int(v))) {
		return 0, fmt.Errorf("is %.40s: want a whole number", o[key])
	}
	return int(v), err
}

// maxCount is more than any client counts, and exact as a number with a fraction.
const maxCount = 1 << 53

// object is the value of a field that is an object; null is none, and neither is anything else.
func (o object) object(key string) object {
	var inner object
	if json.Unmarshal(o[key], &inner) != nil {
		return nil
	}
	return inner
}

// text is the value of a field that is a text, "" if it is none.
func (o object) text(key string) (s string) {
	if json.Unmarshal(o[key], &s) != nil {
		return ""
	}
	return s
}

// withoutNull leaves out the fields that are null.
func (o object) withoutNull() object {
	for key, raw := range o {
		if string(raw) == "null" {
			delete(o, key)
		}
	}
	return o
}

// texts is the value of a field that is a list of texts, and nil if it is none.
func (o object) texts(key string) (list []string) {
	if json.Unmarshal(o[key], &list) != nil {
		return nil
	}
	return list
}

// numbers is the value of a field that is a list of numbers, and nil if it is none.
func (o object) numbers(key string) (list []float64) {
	if json.Unmarshal(o[key], &list) != nil {
		return nil
	}
	return list
}
