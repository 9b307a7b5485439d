package yamlfile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/yamlfile"
)

type sample struct {
	Name  string `yaml:"name"`
	Group struct {
		Count int            `yaml:"count"`
		Rest  yamlfile.Block `yaml:"rest"`
	} `yaml:"group"`
}

// bomb is a document of a few lines whose aliases stand for more values than any memory holds.
func bomb() string {
	text := "group:\n  rest:\n    a: &a [1,1,1,1,1,1,1,1]\n"
	for name := 'b'; name <= 'f'; name++ {
		before := fmt.Sprintf("*%c", name-1)
		text += fmt.Sprintf("    %c: &%c [%s]\n", name, name, strings.Join(slices.Repeat([]string{before}, 8), ","))
	}
	return text
}

// Every fault is one line that names file, line and key.
func TestDecodeFaults(t *testing.T) {
	const colon = "not valid YAML: mapping values are not allowed in this context"
	tests := map[string]struct{ text, want string }{
		"empty":         {"", "f.yaml: the file is empty"},
		"only comments": {"# x\n", "f.yaml: the file is empty"},
		"syntax": {
			"name: a\ngroup: [1, 2\n", "f.yaml:2: group: not valid YAML: did not find expected ',' or ']'",
		},
		"indentation":   {"group:\n  count: 1\n   rest: {}\n", "f.yaml:3: rest: " + colon},
		"missing colon": {"name: a\ngroup:\n  count 1\n  rest: {}\n", "f.yaml:4: rest: " + colon},
		"open quote":    {"name: \"a\ngroup:\n", "f.yaml:3: not valid YAML: found unexpected end of stream"},
		"tab": {
			"group:\n\tcount: 1\n", "f.yaml:2: count: not valid YAML: found character that cannot start any token",
		},
		"unknown key": {"group:\n  cuont: 1\n", "f.yaml:2: group.cuont: unknown key: did you mean count?"},
		"a key of two lines": {
			`"a\n\e[1mb": 1`, `f.yaml:1: "a\n\x1b[1mb": unknown key: check its spelling, or remove it`,
		},
		"wrong type":    {"name: a\ngroup:\n  count: many\n", "f.yaml:3: group.count: \"many\": want a whole number"},
		"two documents": {"name: a\n---\nname: b\n", "f.yaml: more than one YAML document: keep one"},
		"several": {
			"nome: a\ngorup: 1\n", "f.yaml:1: nome: unknown key: did you mean name? (and 1 more)",
		},
		"key given twice": {"name: a\nname: b\n", "f.yaml:2: name: is given twice, first in line 1: keep one"},
		"key given twice in a block": {
			"group:\n  rest:\n    a: {b: 1, c: 2,\n      b: 3}\n",
			"f.yaml:4: group.rest.a.b: is given twice, first in line 3: keep one",
		},
		"key of several parts": {"group:\n  rest: {[a, b]: 1}\n", "f.yaml:2: group.rest: a key must be a plain text"},
		"merged text": {
			"group:\n  <<: 1\n", "f.yaml:2: group.<<: want a mapping, or a list of mappings",
		},
		"alias cycle": {"group:\n  rest: &x [*x]\n", "f.yaml:2: group.rest: the anchor contains an alias of itself"},
		"alias bomb":  {bomb(), "f.yaml:8: more than 100000 values once aliases are resolved"},
		"bomb of text": {
			"group:\n  rest:\n    a: &a " + strings.Repeat("x", 1<<18) + "\n    b: [*a, *a, *a, *a]\n",
			"f.yaml:3: more than 1024 KiB of text once aliases are resolved",
		},
		"large file": {
			"name: a\n#" + strings.Repeat("x", yamlfile.MaxSize), "f.yaml: it is too large: want at most 1024 KiB",
		},
		"long value": {
			"group: " + strings.Repeat("x", 1<<18) + "\n",
			`f.yaml:1: group: "` + strings.Repeat("x", 499) + "…",
		},
		"long key": {
			strings.Repeat("k", 1<<10) + ": 1\n",
			"f.yaml:1: " + strings.Repeat("k", 500) + "…: unknown key: check its spelling, or remove it",
		},
		"not a mapping": {"- a\n", "f.yaml:1: a list: want keys and values"},
		"a text":        {"a\n", "f.yaml:1: \"a\": want keys and values"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var v sample
			refuses(t, yamlfile.Decode("f.yaml", []byte(tt.text), &v), tt.want)
		})
	}
}

// refuses checks that an error is a fault of a file, with the text that people read.
func refuses(t *testing.T, err error, want string) {
	t.Helper()
	var fault *yamlfile.Error
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a *yamlfile.Error", err)
	}
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What people write decodes or is refused in one line. What is passed on as a block can be cut out of its document: it
// is written as YAML that reads as it did, and as JSON if JSON has all its values.
func FuzzDecode(f *testing.F) {
	f.Add("name: a\ngroup: {count: 1, rest: {a: &x [1], b: *x}}\n")
	f.Add("a: &a [*a]\n")
	f.Add("group:\n  rest: &r\n    <<: {a: 1.0, b: 0x10}\n    \"c\": |\n      text\n    d: {<<: [{e: ~}]}\n")
	f.Add("# a\ngroup: # b\n  # c\n  rest: # d\n    # e\n    - {a: 1, # f\n      b} # g\n\n    # h\n    - x # i\n# j\n")
	f.Fuzz(func(t *testing.T, text string) {
		var v sample
		err := yamlfile.Decode("f.yaml", []byte(text), &v)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		written, err := v.Group.Rest.Text()
		if err != nil {
			t.Error(err)
		}
		again, err := yamlfile.ParseBlock("again.yaml", written)
		if err != nil {
			t.Fatalf("%v: %q", err, written)
		}
		first, ferr := v.Group.Rest.JSON()
		second, serr := again.JSON()
		if (ferr == nil) != (serr == nil) || first != second {
			t.Errorf("%q: %v\n%q: %v", first, ferr, second, serr)
		}
		if ferr == nil && first != "" && !json.Valid([]byte(first)) {
			t.Errorf("no JSON: %q", first)
		}
	})
}
