package protocol_test

import (
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// What is just within the bounds is taken: a peer that sends as much as it may is not hostile.
func TestMessagesAtTheBounds(t *testing.T) {
	longest, what := strings.Repeat("x", 64<<10), strings.Repeat("x", 256)
	peers := manyRoles()
	delete(peers, "GEN_4096")
	event := func(change func(*protocol.Event)) protocol.Event {
		e := protocol.Event{Kind: protocol.EventReady}
		change(&e)
		return e
	}
	for name, m := range map[string]message{
		"a progress of nothing": event(func(e *protocol.Event) { e.Progress = &protocol.Progress{Percent: 0} }),
		"a progress of all": event(func(e *protocol.Event) {
			e.Progress = &protocol.Progress{What: what, Percent: 100}
		}),
		"an outcome's code": event(func(e *protocol.Event) { e.Outcome = &protocol.Outcome{Code: 255} }),
		"no code":           event(func(e *protocol.Event) { e.Outcome = &protocol.Outcome{Code: 0} }),
		"as many lines as are kept": event(func(e *protocol.Event) {
			e.Outcome = &protocol.Outcome{Tail: make([]string, 1000), Excerpt: make([]string, 1000)}
		}),
		"the longest detail": event(func(e *protocol.Event) { e.Detail = longest }),
		"as many peers as there may be": event(func(e *protocol.Event) {
			for i := range 4096 {
				e.Peers = append(e.Peers, roles.Role{Kind: roles.Gen, Index: i})
			}
		}),
		"as many findings as there may be": event(func(e *protocol.Event) {
			e.Findings = &protocol.Findings{Findings: make([]protocol.Finding, 4096), Reach: peers}
		}),
		"a command's code":  protocol.Command{Kind: protocol.CommandStop, Code: 255},
		"a command's peers": protocol.Command{Kind: protocol.CommandStart, Peers: peers},
		"a step's ranks":    protocol.StepReport{Role: gen3.Role, RunID: "r", Ranks: make([]int, 4096)},
		"a first rank":      protocol.Hello{Task: roles.Task{Role: gen3.Role}, Session: "s", RunID: longest},
	} {
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A negative number in a message that counts is refused, and so is a peer list of an event that is too long.
func TestNumbersThatCannotBe(t *testing.T) {
	refused(t, func() protocol.Command { return protocol.Command{Kind: protocol.CommandStart} },
		[]bad[protocol.Command]{
			{func(c *protocol.Command) { c.Measurement = -1 }, "measurement is -1: want 0 or more"},
		})
	refused(t, func() protocol.Event { return protocol.Event{Kind: protocol.EventReached} }, []bad[protocol.Event]{
		{func(e *protocol.Event) { e.Peers = make([]roles.Role, 4097) }, "peers has 4097 entries: want at most 4096"},
		{func(e *protocol.Event) { e.Outcome = &protocol.Outcome{Code: -1} }, "outcome: code is -1: want 0 to 255"},
		{func(e *protocol.Event) { e.Unwell = broken }, "unwell is not UTF-8"},
	})
}

// An outcome, findings and progress are checked with whatever event they come.
func TestDetailsAreCheckedWithEveryEvent(t *testing.T) {
	for _, kind := range protocol.EventKinds() {
		good := func() protocol.Event {
			return protocol.Event{
				Kind: kind, Address: "n1:80", Outcome: &protocol.Outcome{}, Findings: &protocol.Findings{},
				Progress: &protocol.Progress{},
			}
		}
		begin := `invalid event "` + string(kind) + `": `
		refused(t, good, []bad[protocol.Event]{
			{func(e *protocol.Event) { e.Outcome.Signal = broken }, begin + "outcome: signal is not UTF-8"},
			{func(e *protocol.Event) { e.Findings.Reach = map[string]string{"x": ""} }, begin + "findings: reach: unk"},
			{func(e *protocol.Event) { e.Progress.Percent = 101 }, begin + "progress: percent is 101"},
		})
	}
}
