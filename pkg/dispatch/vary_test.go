package dispatch_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/roles"
)

// Several keys make every combination of their values, of which the last changes first.
func TestVariants(t *testing.T) {
	for name, tt := range map[string]struct {
		texts []string
		want  string
	}{
		"none":        {nil, ""},
		"one":         {[]string{"x=1"}, "x=1"},
		"several":     {[]string{"x=1, 2,4 8"}, "x=1; x=2; x=4 8"},
		"in brackets": {[]string{"x=[1,2],{a: 1, b: [2,3]}"}, "x=[1,2]; x={a: 1, b: [2,3]}"},
		"a product":   {[]string{"a.x=1,2", "y=3,4"}, "x=1, y=3; x=1, y=4; x=2, y=3; x=2, y=4"},
		"unbalanced":  {[]string{"x=1],2"}, "x=1]; x=2"},
	} {
		variants, err := dispatch.Variants(tt.texts)
		var got []string
		for _, v := range variants {
			got = append(got, roles.Label(v))
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestVariantsRefused(t *testing.T) {
	hundred := "=" + strings.Repeat("1", 1)
	for i := range 99 {
		hundred += "," + strings.Repeat("2", i+1)
	}
	for name, tt := range map[string]struct {
		texts []string
		want  string
	}{
		"no value":    {[]string{"x"}, `cannot read --vary "x": want KEY=VALUE,VALUE`},
		"no key":      {[]string{"=1"}, "want KEY=VALUE,VALUE"},
		"empty":       {[]string{"x=1,,2"}, "a value is empty"},
		"twice":       {[]string{"x=1,2,1"}, "1 is given twice"},
		"a key twice": {[]string{"x=1", "x=2"}, "cannot vary x twice: give all of its values in one --vary"},
		"too many":    {[]string{"a" + hundred, "b" + hundred}, "there are more than 1000 combinations"},
	} {
		_, err := dispatch.Variants(tt.texts)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// Whatever is typed is read or refused; values are what stands between commas.
func FuzzParseAxis(f *testing.F) {
	f.Add("x=1,2")
	f.Add("a.b=[1,2],{c: d}")
	f.Add("=")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := dispatch.ParseAxis(text)
		if err != nil {
			return
		}
		for _, v := range a.Values {
			if a.Key == "" || strings.TrimSpace(v) != v || v == "" || !strings.Contains(text, v) {
				t.Errorf("%q: %q", text, a)
			}
		}
	})
}
