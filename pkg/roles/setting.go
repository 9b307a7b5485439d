package roles

import (
	"slices"
	"strings"
)

// Setting is a value that was asked for in place of what a case, or the recipe that runs it, has.
type Setting struct {
	// Key is a path into the case, such as worker_config.gen.max_batch_size, or the name of one of the recipe's values.
	Key string `json:"key"`
	// Value is as it was given: for a case, as YAML has it.
	Value string `json:"value"`
}

// String is the setting as it is asked for: KEY=VALUE.
func (s Setting) String() string { return s.Key + "=" + s.Value }

// Title is what is run, for people: a case or a test, and the settings that make a variant of it.
func Title(name string, settings []Setting) string {
	if len(settings) == 0 {
		return name
	}
	return name + " with " + Label(settings)
}

// Label is settings in one line, with keys as short as they can be told apart: "max_batch_size=64, gen.x=1".
func Label(settings []Setting) string {
	var keys, parts []string
	for _, s := range settings {
		keys = append(keys, s.Key)
	}
	for i, end := range Ends(keys) {
		parts = append(parts, end+"="+settings[i].Value)
	}
	return strings.Join(parts, ", ")
}

// Ends are the shortest ends of different paths that tell each from all others, in the paths' order.
func Ends(paths []string) (ends []string) {
	for _, path := range paths {
		words := strings.Split(path, ".")
		n := 1
		for n < len(words) && slices.ContainsFunc(paths, func(other string) bool {
			return other != path && EndsWith(other, strings.Join(words[len(words)-n:], "."))
		}) {
			n++
		}
		ends = append(ends, strings.Join(words[len(words)-n:], "."))
	}
	return ends
}

// EndsWith tells whether a path is another, or ends with it after a dot.
func EndsWith(path, end string) bool { return path == end || strings.HasSuffix(path, "."+end) }
