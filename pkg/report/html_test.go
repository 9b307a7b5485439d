package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: make it with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs; if that is right: go test ./pkg/report -update\n%s", file, diff)
	}
}

// files makes the report of an input.
func files(t *testing.T, in Input) map[string][]byte {
	t.Helper()
	made, err := Files(Build(in))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Every kind of run has the page that people have looked at.
func TestGolden(t *testing.T) {
	for name, in := range scenarios() {
		t.Run(name, func(t *testing.T) { golden(t, name+".html", files(t, in)[pageFile]) })
	}
}

// The page of a list shows every test, with a curve where there is one, and links to the runs' own pages.
func TestListGolden(t *testing.T) {
	l := List{Title: "nightly " + nasty, Summary: "4 tests: 2 passed, 1 failed, 1 waived", Runs: []ListedRun{
		{Name: "waived-case", Status: "waived", Detail: "a bug " + nasty},
	}}
	for _, name := range []string{"passed", "failed", "twelve-points"} {
		m := Build(scenarios()[name])
		l.Runs = append(l.Runs, ListedRun{
			Name: name, Status: m.Run.Ending(), Page: "001-" + name + "/attempt-0/report/index.html", Model: &m,
		})
	}
	made, err := l.Files()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "list.html", made[pageFile])
	inert(t, string(made[pageFile]))
	empty, err := List{}.Files()
	if err != nil || !strings.Contains(string(empty[pageFile]), "The list is empty.") {
		t.Errorf("%v %s", err, empty[pageFile])
	}
}

// element is an element of a page.
type element struct {
	name       string
	attributes map[string]string
}

func elements(t *testing.T, page string) (list []element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			of := element{e.Name.Local, map[string]string{}}
			for _, a := range e.Attr {
				of.attributes[a.Name.Local] = a.Value
			}
			list = append(list, of)
		}
	}
}

// foreign are elements that a policy forbids, or that load something.
var foreign = []string{"script", "style", "iframe", "img", "image", "object", "embed", "base", "use"}

// inert checks that a page is shown whole under a policy that allows no script, no inline style and nothing from
// elsewhere.
func inert(t *testing.T, page string) {
	t.Helper()
	if strings.Contains(page, "\x1b") || strings.Contains(page, "\u202e") {
		t.Error("the page has characters that are not printable")
	}
	for _, e := range elements(t, page) {
		if slices.Contains(foreign, e.name) {
			t.Errorf("the page has a <%s>", e.name)
		}
		for name, value := range e.attributes {
			switch {
			case strings.HasPrefix(name, "on"), slices.Contains([]string{"style", "src", "srcset", "action"}, name):
				t.Errorf("<%s> has an attribute %s: %q", e.name, name, value)
			case strings.Contains(value, "data:"), strings.Contains(value, "url("):
				t.Errorf("<%s> refers to something in %s: %q", e.name, name, value)
			case name == "href" && !strings.HasPrefix(value, "../") && value != styleFile && value != dataFile &&
				!strings.HasPrefix(value, "001-"):
				t.Errorf("<%s> refers to something elsewhere: %q", e.name, value)
			case e.name == "link" && name == "href" && value != styleFile:
				t.Errorf("the page wants %q", value)
			}
		}
	}
}

// Every page is shown whole by a CI server, whatever the texts in it hold: Jenkins' policy is "sandbox
// allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self'".
func TestPagesAreInert(t *testing.T) {
	for name, in := range scenarios() {
		t.Run(name, func(t *testing.T) { inert(t, string(files(t, in)[pageFile])) })
	}
	for _, word := range []string{"url(", "@import", "http"} {
		if strings.Contains(style, word) {
			t.Errorf("the style sheet has %q", word)
		}
	}
}

// A text that looks like HTML is text: the page has the same elements as that of a run with plain texts.
func TestTextsAreEscaped(t *testing.T) {
	page := string(files(t, everywhere(nasty))[pageFile])
	if !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the text is not there")
	}
	names := func(page string) (list []string) {
		for _, e := range elements(t, page) {
			list = append(list, e.name)
		}
		return list
	}
	plain := string(files(t, everywhere("plain"))[pageFile])
	if diff := cmp.Diff(names(plain), names(page)); diff != "" {
		t.Error(diff)
	}
}

// The page in one file has its style in it, and neither links nor other files.
func TestSingleFile(t *testing.T) {
	page, err := Single(Build(failed()))
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if !strings.Contains(text, "<style>:root {") || strings.Contains(text, "href=") ||
		!strings.Contains(text, "logs/ranks/GEN_0.1.log") {
		t.Error(text[:2000])
	}
}

// data.json is the model: who reads it gets what the page was made of.
func TestDataIsTheModel(t *testing.T) {
	m := Build(besideEarlier())
	var read Model
	if err := json.Unmarshal(files(t, besideEarlier())[dataFile], &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, read); diff != "" {
		t.Error(diff)
	}
}
