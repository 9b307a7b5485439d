package recipe_test

import (
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/recipe"
)

// Wherever a role has a template, a fault of it is found by the rehearsal, before a job queues, and is told with its
// place.
func TestRehearse(t *testing.T) {
	const bad = "{{.Values.none}}"
	probe := func(p recipe.Probe) *recipe.Probe { return &p }
	args := []recipe.Arg{{Text: "fine"}, {Text: bad}}
	type spec = recipe.RoleSpec
	for want, s := range map[string]spec{
		"dir: cannot render":                      {Dir: bad},
		"release: cannot render":                  {Release: bad},
		"env.A: cannot render":                    {Env: map[string]string{"A": bad, "B": ""}},
		"address: cannot render":                  {Address: &recipe.Address{Text: bad}},
		"address: cannot render template":         {Address: &recipe.Address{File: bad}},
		"version.url: cannot render":              {Version: &recipe.Version{URL: bad}},
		"startup.url: cannot render":              {Startup: probe(recipe.Probe{URL: bad})},
		"ready.tcp: cannot render":                {Ready: probe(recipe.Probe{TCP: bad})},
		"live.body: cannot render":                {Live: probe(recipe.Probe{Body: bad})},
		`ready.url: "ftp://x": want http://`:      {Ready: probe(recipe.Probe{URL: "ftp://x"})},
		`live.url: "h:1/health": want http://`:    {Live: probe(recipe.Probe{URL: "h:1/health"})},
		"template: live.command[1]:":              {Live: probe(recipe.Probe{Command: args})},
		"template: startup.command[1]:":           {Startup: probe(recipe.Probe{Command: args})},
		"results.files: cannot render":            {Results: &recipe.Results{Files: bad}},
		"command[1]: cannot render":               {Command: args},
		"wrapper[1]: cannot render":               {Wrapper: args},
		"command[0]: ":                            {Command: []recipe.Arg{{Words: `"open`}}},
		"files: cannot render":                    {Files: []recipe.File{{Text: "x"}, {Text: bad}}},
		"files: c.yaml: the case ({{.Values.text": {Files: []recipe.File{file("c.yaml", "!yaml '{{.Values.text}}'")}},
		"files: c.yaml: a: is given by the":       {Files: []recipe.File{file("c.yaml", "{a: 1}", "{a: 2}")}},
	} {
		err := s.Rehearse(recipe.Data{Values: map[string]string{"text": "no keys"}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", s, err, want)
		}
	}
}

// file is a YAML file that is merged from parts.
func file(path string, parts ...string) recipe.File {
	return recipe.File{Path: path, YAML: &recipe.Document{Merge: parts}}
}

// What can be rendered is not refused, and neither is a role that has nothing to render.
func TestRehearseOfGoodRoles(t *testing.T) {
	for _, s := range []recipe.RoleSpec{
		{},
		{
			Dir: "{{.RunDir}}", Env: map[string]string{"A": "{{.Rank}}"}, Address: &recipe.Address{File: "{{.Host}}"},
			Version: &recipe.Version{URL: "http://{{.Address}}"},
			Live:    &recipe.Probe{Command: []recipe.Arg{{Words: "a b"}}},
			Results: &recipe.Results{Files: "r"}, Files: []recipe.File{file("a", "{a: 1}", "{b: 2}")},
		},
	} {
		if err := s.Rehearse(recipe.Data{}); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
