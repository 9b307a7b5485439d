package yamlfile_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// pause reads itself from a text.
type pause time.Duration

func (p *pause) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*p = pause(d)
	return err
}

// either reads itself from a text or from a mapping.
type either struct{ Text, Words string }

func (e *either) UnmarshalYAML(n *yamlfile.Node) error {
	if n.Value != "" {
		e.Text = n.Value
		return nil
	}
	var raw struct {
		Words string `yaml:"words"`
		Limit int    `yaml:"limit"`
	}
	if err := yamlfile.DecodeNode(n, &raw); err != nil {
		return err
	}
	if e.Words = raw.Words; e.Words == "" {
		return &yamlfile.Error{Problem: "want a text or {words: text}"}
	}
	if raw.Limit < 0 {
		return errors.New("no limit is\nbelow 0")
	}
	return nil
}

// values has one of everything that a file can give.
type values struct {
	Text    string            `yaml:"text"`
	Int     int8              `yaml:"int"`
	Uint    uint8             `yaml:"uint"`
	Float   float64           `yaml:"float"`
	Bool    bool              `yaml:"bool"`
	Pointer *bool             `yaml:"pointer"`
	List    []int             `yaml:"list"`
	Map     map[string]values `yaml:"map"`
	Any     any               `yaml:"any"`
	Pause   pause             `yaml:"pause"`
	Either  []either          `yaml:"either"`
	Ignored string            `yaml:"-"`
	Others  map[string]string `yaml:",inline"`
}

// decode reads a text that must be right, over what is there.
func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := yamlfile.Decode("f.yaml", []byte(text), v); err != nil {
		t.Fatal(err)
	}
}

// Everything that a file can give arrives as it is meant: texts keep their spelling, and aliases and merge keys stand
// for what they refer to. Keys that no field has go to the map that takes them.
func TestDecode(t *testing.T) {
	var got values
	decode(t, `
text: 012
int: -5
uint: 200
float: 1e-3
bool: true
pointer: false
list: &list [1, 2]
map:
  a: &a {int: 1, text: x}
  b: {<<: *a, int: 2}
  c: {list: *list}
any: {x: [1, two]}
pause: 1m30s
either: [plain, {words: "a b"}]
other: thing
`, &got)
	no := false
	want := values{
		Text: "012", Int: -5, Uint: 200, Float: 0.001, Bool: true, Pointer: &no, List: []int{1, 2},
		Map: map[string]values{"a": {Int: 1, Text: "x"}, "b": {Int: 2, Text: "x"}, "c": {List: []int{1, 2}}},
		Any: map[string]any{"x": []any{1, "two"}}, Pause: pause(90 * time.Second),
		Either: []either{{Text: "plain"}, {Words: "a b"}}, Others: map[string]string{"other": "thing"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A null, or nothing behind the colon, leaves what was there.
func TestNullLeavesDefaults(t *testing.T) {
	yes := true
	want := values{Text: "x", Int: 1, Pointer: &yes, List: []int{1}, Pause: 5, Any: 1}
	got := want
	decode(t, "text: null\nint: ~\npointer:\nlist: null\npause: null\nany: null\n", &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A value of the wrong type is refused where it stands, with what would be right.
func TestDecodeTypes(t *testing.T) {
	for text, want := range map[string]string{
		"text: [a]":                       "text: a list: want a text",
		"text: {a: b}":                    "text: keys and values: want a text",
		"int: 1.5":                        `int: "1.5": want a whole number`,
		"int: 128":                        `int: "128": want a whole number`,
		"int: 012":                        `int: "012": want a whole number`,
		"int: 1_0":                        `int: "1_0": want a whole number`,
		`int: "1"`:                        `int: "1": want a whole number`,
		"int: [1]":                        "int: a list: want a whole number",
		"uint: -1":                        `uint: "-1": want a whole number`,
		"float: fast":                     `float: "fast": want a number`,
		"bool: maybe":                     `bool: "maybe": want true or false`,
		"list: 1":                         `list: "1": want a list`,
		"list: [1, x]":                    `list[1]: "x": want a whole number`,
		"map: [1]":                        "map: a list: want keys and values",
		"map: {a: {int: x}}":              `map.a.int: "x": want a whole number`,
		"any: !!int x":                    "any: yaml: cannot decode !!str `x` as a !!int",
		"pause: [1s]":                     "pause: a list: want one value",
		"pause: soon":                     `pause: time: invalid duration "soon"`,
		"either: [{words: }]":             "either[0]: want a text or {words: text}",
		"either: [{wrods: a}]":            "either[0].wrods: unknown key: did you mean words?",
		"other: [1]":                      "other: a list: want a text",
		"map: {a: {<<: [1]}}":             "map.a.<<: want a mapping, or a list of mappings",
		"either: [{limit: -1}]":           "either[0]: want a text or {words: text}",
		"either: [{words: a, limit: -1}]": "either[0]: no limit is below 0",
	} {
		t.Run(text, func(t *testing.T) {
			var v values
			refuses(t, yamlfile.Decode("f.yaml", []byte("# in line 2:\n"+text+"\n"), &v), "f.yaml:2: "+want)
		})
	}
}

// A fault that a type finds in itself keeps its own line, if it has one, and is told under the key of the whole file.
func TestOwnFaultsKeepTheirLine(t *testing.T) {
	var v values
	err := yamlfile.Decode("f.yaml", []byte("either:\n  - words: a\n    limit: x\n"), &v)
	refuses(t, err, `f.yaml:3: either[0].limit: "x": want a whole number`)
	refuses(t, fmt.Errorf("wrapped: %w", &yamlfile.Error{Problem: "bad"}), "wrapped: bad")
}
