package recipe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// What the default recipe does not run is run by one that it names; another engine's recipe refuses what it does not
// know.
func TestFit(t *testing.T) {
	traits := []roles.Trait{
		roles.Aggregated, roles.AddressFiles, roles.IDWithoutMode, roles.TimeBreakdown, roles.Frontends,
		roles.AccuracyOnly, roles.SAClient,
	}
	for _, name := range recipe.Builtin() {
		r, _, err := recipe.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, trait := range traits {
			other, why, err := r.Fit([]roles.Trait{trait})
			switch {
			case !strings.HasPrefix(name, "trtllm"):
				if err == nil || !strings.Contains(err.Error(), "recipe "+name+" cannot run ") {
					t.Errorf("%s, %s: %q, %v", name, trait, other, err)
				}
			case other != "":
				next, _, err := recipe.Load(other)
				if err != nil || why == "" || !slices.Contains(next.Does, trait) {
					t.Errorf("%s leaves %s to %s, which does not run it: %v", name, trait, other, err)
				}
			case err != nil && name == "trtllm-serve":
				t.Errorf("%s, %s: %v", name, trait, err)
			}
		}
		if other, _, err := r.Fit(nil); other != "" || err != nil {
			t.Errorf("%s: %q, %v", name, other, err)
		}
	}
}

// A client whose output has a format of its own is read with that.
func TestParserOfAClient(t *testing.T) {
	r := recipe.Results{Format: "usual", Clients: map[string]string{"sa": "own"}}
	if r.Parser("") != "usual" || r.Parser("sa") != "own" || r.Parser("other") != "usual" {
		t.Errorf("%s, %s, %s", r.Parser(""), r.Parser("sa"), r.Parser("other"))
	}
}

// An address may be a part of a YAML document, once that is whole.
func TestAddressInADocument(t *testing.T) {
	if (recipe.Address{File: "x"}).Find() != nil {
		t.Error("there is nothing to find in a file that holds nothing else")
	}
	find := recipe.Address{File: "x", Keys: []string{"hostname", "port"}}.Find()
	for text, want := range map[string]string{
		"": "", "hostname: n1\n": "",
		"hostname: n1\nport: 8000\nurls: [a:1]\n": "n1:8000",
		"port: \"80\"\nhostname: '::1'\n":         "[::1]:80",
		"hostname: [n1\n":                         "",
	} {
		if got := find([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
