package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// nasty is what a test id, a child's output or a sink's error may hold.
const nasty = `<script>alert(1)</script>" onload="x' & {{.}}` + "\x1b[2J"

// everywhere is a verdict with something nasty in every text.
func everywhere() protocol.Result {
	cause := protocol.Cause{Role: gen, Host: nasty, Kind: nasty, Detail: nasty, LogTail: []string{nasty, "plain"}}
	return protocol.Result{
		RunID: nasty, JobID: nasty, TestID: nasty, Verdict: nasty,
		StartedAt:  time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC),
		FirstCause: &cause, Secondary: []protocol.Cause{cause},
		Points: []protocol.Point{
			{Concurrency: 8, Successful: 7, Metrics: map[string]float64{"token_throughput": 12.345}},
			{Concurrency: 16, Invalid: nasty},
		},
		Roles: []protocol.RankOutcome{
			{Role: gen, Rank: 2, Host: nasty, Outcome: &protocol.Outcome{Code: 137, Signal: nasty, StopReason: nasty}},
			{Role: roles.Hub().Role},
		},
	}
}

// render makes the page of a verdict.
func render(t *testing.T, r protocol.Result) string {
	t.Helper()
	files, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || len(files["report.css"]) == 0 {
		t.Errorf("%d files", len(files))
	}
	return string(files["index.html"])
}

// elements lists the elements of a page and their attributes.
func elements(t *testing.T, page string) (names map[string]bool, attributes map[string][]string) {
	t.Helper()
	names, attributes = map[string]bool{}, map[string][]string{}
	d := xml.NewDecoder(strings.NewReader(strings.ReplaceAll(page, "\x1b", "")))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return names, attributes
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			names[e.Name.Local] = true
			for _, a := range e.Attr {
				attributes[a.Name.Local] = append(attributes[a.Name.Local], a.Value)
			}
		}
	}
}

// The page holds no script and no style of its own, which CI servers do not show, whatever the texts in it hold; and it
// fetches nothing but its style sheet.
func TestPageIsInert(t *testing.T) {
	names, attributes := elements(t, render(t, everywhere()))
	for _, name := range []string{"script", "style", "iframe", "img", "object"} {
		if names[name] {
			t.Errorf("the page has a <%s>", name)
		}
	}
	if !names["table"] || !names["pre"] {
		t.Errorf("the page is not read: %v", names)
	}
	for name := range attributes {
		if strings.HasPrefix(name, "on") || name == "style" || name == "src" {
			t.Errorf("the page has an attribute %s: %q", name, attributes[name])
		}
	}
	if got := attributes["href"]; len(got) != 1 || got[0] != "report.css" {
		t.Errorf("the page refers to %q", got)
	}
}

// The page shows what failed, the points with their numbers, one that does not count as such, and how every rank ended.
func TestPage(t *testing.T) {
	page := render(t, everywhere())
	for _, want := range []string{
		"GEN_0.0 on &lt;script&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;", "2026-11-26 10:00:00 UTC", "plain\n",
		"<td>8</td><td>7</td><td>12.35</td><td>–</td>", "<td>16 (&lt;script&gt;", "<td>GEN_0.2</td>", "<td>137</td>",
		"<td>BENCHMARK.0</td><td></td><td>–</td>", "<h2>Secondary</h2>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	page = render(t, protocol.Result{Verdict: protocol.Passed, TestID: "t"})
	for _, none := range []string{"First cause", "Secondary", "job "} {
		if strings.Contains(page, none) {
			t.Errorf("the page of a job that passed shows %q", none)
		}
	}
	if !strings.Contains(page, `<span class="verdict passed">passed</span>`) || !strings.Contains(page, ">none<") {
		t.Error(page)
	}
}
