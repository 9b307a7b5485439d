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
		"": "", "hostname: n1\n": "", "port: 8000\n": "", "hostname: ~\nport: 8000\n": "",
		"hostname: n1\nport: null\n": "", "hostname: [n1]\nport: 1\n": "",
		"hostname: n1\nport: 8000\nurls: [a:1]\n": "n1:8000",
		"port: \"80\"\nhostname: '::1'\n":         "[::1]:80",
		"hostname: [n1\n":                         "",
	} {
		if got := find([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A recipe for certain cases refuses others, in words; one for all refuses none.
func TestSuits(t *testing.T) {
	const aggregated = "an aggregated test, in which one process starts the server and the client"
	for name, tt := range map[string]struct {
		only, traits []roles.Trait
		want         string
	}{
		"any case":           {nil, []roles.Trait{roles.Frontends}, ""},
		"a case without any": {nil, nil, ""},
		"the right one":      {[]roles.Trait{roles.Aggregated}, []roles.Trait{roles.Frontends, roles.Aggregated}, ""},
		"one of two":         {[]roles.Trait{roles.Aggregated, roles.Frontends}, []roles.Trait{roles.Frontends}, ""},
		"another": {[]roles.Trait{roles.Aggregated}, []roles.Trait{roles.Frontends},
			"recipe own runs only " + aggregated + ": leave --recipe out"},
		"none of two": {[]roles.Trait{roles.Aggregated, roles.Frontends}, nil, "recipe own runs only " + aggregated +
			", or servers with several front ends (num_serve_frontends): leave --recipe out"},
	} {
		err := recipe.Recipe{Name: "own", Only: tt.only}.Suits(tt.traits)
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// The first trait that a recipe does not run itself decides what runs the case instead, and says why.
func TestFitOfSeveralTraits(t *testing.T) {
	r := recipe.Recipe{
		Name: "own", Does: []roles.Trait{roles.Frontends},
		Instead: map[roles.Trait]string{roles.Aggregated: "other", roles.SAClient: "third", roles.Frontends: "unused"},
	}
	const why = "an aggregated test, in which one process starts the server and the client"
	instead, because, err := r.Fit([]roles.Trait{roles.Frontends, roles.Aggregated, roles.SAClient})
	if instead != "other" || because != why || err != nil {
		t.Errorf("%q, %q, %v", instead, because, err)
	}
	instead, _, err = r.Fit([]roles.Trait{roles.TimeBreakdown, roles.Aggregated})
	if instead != "" || err == nil || err.Error() != "recipe own cannot run a test with time_breakdown" {
		t.Errorf("%q, %v", instead, err)
	}
}
