package healthcheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Conditions is what a JSON body must say: by the path of a value ("status", "choices.0.text"), the form that all of
// its text must have. Texts are taken as they are, numbers and truth values as JSON writes them.
type Conditions map[string]*regexp.Regexp

// ParseConditions reads conditions as people write them: path to regular expression, which is matched against the whole
// value.
func ParseConditions(texts map[string]string) (Conditions, error) {
	c := Conditions{}
	for path, text := range texts {
		form, err := regexp.Compile(`^(?:` + text + `)$`)
		if err != nil {
			return nil, fmt.Errorf("cannot read condition on %s: %w", path, err)
		}
		c[path] = form
	}
	return c, nil
}

// fault tells which condition a body does not meet, "" if it meets all.
func (c Conditions) fault(body []byte) string {
	if len(c) == 0 {
		return ""
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "it is not JSON"
	}
	for _, path := range slices.Sorted(maps.Keys(c)) {
		text, ok := lookUp(v, path)
		if !ok {
			return path + " is missing"
		}
		if !c[path].MatchString(text) {
			return fmt.Sprintf("%s is %q", path, text)
		}
	}
	return ""
}

// lookUp finds the value at a path and returns its text; ok is false if there is none, or if it is not a single value.
func lookUp(v any, path string) (text string, ok bool) {
	for _, step := range strings.Split(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v, ok = node[step]
		case []any:
			i, err := strconv.Atoi(step)
			if ok = err == nil && i >= 0 && i < len(node); ok {
				v = node[i]
			}
		default:
			ok = false
		}
		if !ok {
			return "", false
		}
	}
	switch leaf := v.(type) {
	case string:
		return leaf, true
	case float64, bool, nil:
		b, err := json.Marshal(leaf)
		return string(b), err == nil
	}
	return "", false
}
