package protocol_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// Progress in words names what is done; an agent that has seen no progress bar says nothing of a percentage.
func TestProgressString(t *testing.T) {
	for want, p := range map[string]protocol.Progress{
		"":             {Percent: 61, Output: noon},
		"weights 0 %":  {What: "weights"},
		"weights 61 %": {What: "weights", Percent: 61},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v: %q, want %q", p, got, want)
		}
	}
}

// A line with which an agent gives up is told from what engines and schedulers print.
func TestGaveUp(t *testing.T) {
	for line, want := range map[string]bool{
		"disagg-agent GEN_0.3: cannot find the hub": true,
		"disagg-agent: unknown flag":                true,
		"panic: runtime error":                      true,
		"fatal error: out of memory":                true,
		"runtime: may need to increase max user":    true,
		"runtime: something else":                   false,
		"disagg-agents are many":                    false,
		" panic: indented":                          false,
		"kernel panic: not an agent's":              false,
		"srun: error: n1: task 0: Exited":           false,
		"":                                          false,
	} {
		if got := protocol.GaveUp(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// An examination is printed in lines that are short enough to arrive as a whole, name their node, and make the
// examination when they are put together, whatever other nodes print in between.
func TestExaminationLines(t *testing.T) {
	e := protocol.Examination{
		Schema: 1, Node: `n "1" é`, At: noon, Arch: "arm64", Contents: map[string]protocol.Content{},
		Findings: []protocol.Finding{{Check: protocol.CheckDisk, Detail: strings.Repeat("ü\x01", 900)}},
		Reach:    map[string]string{"n2": "refused"},
	}
	lines, err := e.Lines()
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 3 {
		t.Fatalf("it has %d lines", len(lines))
	}
	head := protocol.ExaminationMark + fmt.Sprintf("%q ", e.Node)
	var whole strings.Builder
	for i, l := range lines {
		part, ok := strings.CutPrefix(l, head)
		if !ok || len(l) > 1<<10 || strings.ContainsAny(l, "\n\r") || part == "" {
			t.Errorf("line %d has %d bytes: %q", i, len(l), l)
		}
		whole.WriteString(part)
	}
	var got protocol.Examination
	if err := json.Unmarshal([]byte(whole.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e.Findings, got.Findings); diff != "" || got.Node != e.Node {
		t.Errorf("node %q: %s", got.Node, diff)
	}
}

// A cause takes what a rank's output says, all of it, and gives it away again.
func TestQuote(t *testing.T) {
	o := ended()
	o.Line, o.ExcerptLine = 12, 11
	c := protocol.Cause{Role: gen3.Role, Rank: 3, Detail: "killed"}
	plain := c
	c.Quote(o)
	want := plain
	want.Message, want.Excerpt, want.Line, want.ExcerptLine, want.LogTail = o.Headline, o.Excerpt, 12, 11, o.Tail
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(plain, c.Brief()); diff != "" {
		t.Error(diff)
	}
	if c.Message == "" {
		t.Error("the cause itself lost its lines")
	}
}

// Words stand before the detail of those causes alone whose detail does not say by itself what went wrong, and every
// kind can be told.
func TestCauseWords(t *testing.T) {
	withWords := 0
	for _, k := range protocol.CauseKinds() {
		c := protocol.Cause{Kind: k, Detail: "so it was"}
		want := "so it was"
		if w := k.Words(); w != "" {
			withWords++
			want = w + ": so it was"
		}
		if got := c.What(); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if withWords == 0 || withWords == len(protocol.CauseKinds()) {
		t.Errorf("%d of %d kinds have words", withWords, len(protocol.CauseKinds()))
	}
	if got := protocol.CauseKind("unheard_of").Words(); got != "" {
		t.Errorf("a kind that does not exist is told as %q", got)
	}
}
