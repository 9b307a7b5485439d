package yamlfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/yamlfile"
)

type sample struct {
	Name  string `yaml:"name"`
	Group struct {
		Count int            `yaml:"count"`
		Rest  yamlfile.Block `yaml:"rest"`
	} `yaml:"group"`
}

// Every fault is one line that names file, line and key.
func TestDecodeFaults(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":         {"", "f.yaml: the file is empty"},
		"syntax":        {"name: a\ngroup: [1, 2\n", "f.yaml:2: group: not valid YAML: did not find expected ',' or ']'"},
		"indentation":   {"name: a\ngroup:\n  count: 1\n   rest: {}\n", "f.yaml:4: rest: not valid YAML: mapping values are not allowed in this context"},
		"missing colon": {"name: a\ngroup:\n  count 1\n  rest: {}\n", "f.yaml:4: rest: not valid YAML: mapping values are not allowed in this context"},
		"open quote":    {"name: \"a\ngroup:\n  count: 1\n", "f.yaml:4: not valid YAML: found unexpected end of stream"},
		"tab":           {"group:\n\tcount: 1\n", "f.yaml:2: count: not valid YAML: found character that cannot start any token"},
		"unknown key":   {"name: a\ngroup:\n  cuont: 1\n", "f.yaml:3: group.cuont: unknown key: check its spelling, or remove it"},
		"wrong type":    {"name: a\ngroup:\n  count: many\n", "f.yaml:3: group.count: cannot unmarshal !!str `many` into int"},
		"duplicate key": {"name: a\nname: b\n", `f.yaml:2: name: mapping key "name" already defined at line 1`},
		"two documents": {"name: a\n---\nname: b\n", "f.yaml: more than one YAML document: keep one"},
		"several":       {"nmae: a\ngorup: 1\n", "f.yaml:1: nmae: unknown key: check its spelling, or remove it (and 1 more)"},
		"alias cycle":   {"name: a\ngroup:\n  rest: &x [*x]\n", "f.yaml:3: group.rest: the anchor contains an alias of itself"},
		"alias bomb": {"group:\n  rest:\n    a: &a [1,1,1,1,1,1,1,1]\n    b: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n    c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"    d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n    e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\n    f: [*e,*e,*e,*e,*e,*e,*e,*e]\n", "f.yaml:8: more than 100000 values once aliases are resolved"},
		"not a mapping": {"- a\n", "f.yaml:1: cannot unmarshal !!seq into yamlfile_test.sample"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var v sample
			err := yamlfile.Decode("f.yaml", []byte(tt.text), &v)
			var fault *yamlfile.Error
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a *yamlfile.Error", err)
			}
			if got := err.Error(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func decodeRest(t *testing.T, text string) yamlfile.Block {
	t.Helper()
	var v sample
	if err := yamlfile.Decode("f.yaml", []byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v.Group.Rest
}

// A block keeps the spelling of its values: its reader decides what they mean. Aliases are resolved, so that the block
// stands alone.
func TestBlockPassesThrough(t *testing.T) {
	b := decodeRest(t, `
group:
  rest:
    first: &shared
      on: yes
      small: 1e-3
      time: 12:00:00
    second: *shared
    list: [1, 0.90, "1GiB"]
    nothing: null
`)
	got, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	want := `first:
  on: yes
  small: 1e-3
  time: 12:00:00
second:
  on: yes
  small: 1e-3
  time: 12:00:00
list: [1, 0.90, "1GiB"]
nothing: null
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBlockJoinPath(t *testing.T) {
	b := decodeRest(t, "group:\n  rest: {moe: {balancer: a/b.yaml}, other: {balancer: {slots: 1}}, abs: /x}\n")
	b = b.JoinPath("/root", "moe", "balancer").JoinPath("/root", "other", "balancer").JoinPath("/root", "abs").JoinPath("/root", "none", "x")
	text, err := b.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`balancer: "/root/a/b.yaml"`, "slots: 1", "abs: /x"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

func TestBlockAbsent(t *testing.T) {
	for _, text := range []string{"name: a\n", "group: {rest: null}\n", "group: {rest: }\n"} {
		if !decodeRest(t, text).Absent() {
			t.Errorf("%q: the block is not absent", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("name: a\ngroup: {count: 1, rest: {a: &x [1], b: *x}}\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, text string) {
		var v sample
		err := yamlfile.Decode("f.yaml", []byte(text), &v)
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("the error has several lines: %q", err)
		}
		if err == nil {
			if _, err := v.Group.Rest.Text(); err != nil {
				t.Error(err)
			}
		}
	})
}
