package slurm

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/terminal"
)

// pane is a shell on a terminal of its own, in the allocation, as a person has several side by side.
type pane struct {
	*terminal.Terminal
	t *testing.T
}

// pane opens one.
func (a allocation) pane(t *testing.T) *pane {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile", "-i")
	cmd.Dir, cmd.Env = a.dir, a.command(t.Context(), "").Env
	cmd.Env = append(cmd.Env, "PS1=pane> ", "TERM=xterm-256color", "SLURM_JOB_ID="+a.jobID,
		"PATH="+a.bin+":"+os.Getenv("PATH"))
	const width, height = 160, 60
	term, err := terminal.Start(cmd, width, height)
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{term, t}
	t.Cleanup(func() { _ = p.Hangup(); p.End() })
	p.awaits("pane>$")
	return p
}

// types a line, and Enter.
func (p *pane) types(words ...string) {
	p.t.Helper()
	if err := p.Type(strings.Join(words, " ") + "\r"); err != nil {
		p.t.Fatal(err)
	}
}

// ctrlC types Ctrl-C: the terminal interrupts what runs in its foreground.
func (p *pane) ctrlC() {
	p.t.Helper()
	if err := p.Type("\x03"); err != nil {
		p.t.Fatal(err)
	}
}

// awaits waits until something can be read on the terminal.
func (p *pane) awaits(pattern string) {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	for end := time.Now().Add(90 * time.Second); !want.MatchString(p.text()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("never seen: %s\nbut:\n%s", pattern, p.text())
		}
	}
}

// text is what can be read.
func (p *pane) text() string { return strings.TrimRight(strings.Join(p.Lines(), "\n"), "\n") }

// TestPanes: four panes start roles in any order, and a fifth the benchmark. Ctrl-C ends the role of one pane, which is
// started there again; a pane that is closed takes its role along; the others stay. Nothing is left.
func TestPanes(t *testing.T) {
	if *repeats == 1 {
		t.Skip("three quarters of a minute: make faults runs it")
	}
	a := start(t, standard(true)).allocate(t, "3")
	panes := map[string]*pane{}
	begin := func(role string) {
		if panes[role] == nil {
			panes[role] = a.pane(t)
		}
		panes[role].types("disagg-agent", "--role", role, "--config", a.file, strings.Join(a.simFlags(), " "))
	}
	for _, role := range []string{"DISAGG_SERVER", "CTX_1", "GEN_0", "CTX_0"} {
		begin(role)
	}
	begin("BENCHMARK")
	panes["BENCHMARK"].awaits(`verdict: passed(.|\n)*pane>$`)
	if r := readResult(t, a.runDir()); r.Verdict != protocol.Passed || !r.Kept {
		t.Errorf("%s, kept: %v: %v", r.Verdict, r.Kept, r.FirstCause)
	}
	panes["CTX_0"].ctrlC()
	panes["CTX_0"].awaits(`\^C(.|\n)*pane>$`)
	begin("CTX_0")
	begin("BENCHMARK")
	panes["BENCHMARK"].awaits(`verdict: passed(.|\n)*attempt-1(.|\n)*pane>$`)

	if err := panes["CTX_1"].Hangup(); err != nil { // its window is closed
		t.Fatal(err)
	}
	panes["CTX_1"].End()
	delete(panes, "CTX_1")
	begin("CTX_1")
	begin("BENCHMARK")
	panes["BENCHMARK"].awaits(`verdict: passed(.|\n)*attempt-2(.|\n)*pane>$`)
	for _, role := range []string{"GEN_0", "CTX_0", "CTX_1", "DISAGG_SERVER"} {
		panes[role].ctrlC()
		panes[role].awaits(`\^C(.|\n)*pane>$`)
	}
	a.onlyTheAllocationIsLeft(t)
}
