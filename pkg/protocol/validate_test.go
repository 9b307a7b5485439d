package protocol_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// message is what both programs check where it comes in.
type message interface{ Validate() error }

// Every message that the programs send is taken.
func TestGoodMessages(t *testing.T) {
	outcome := ended()
	good := []message{
		protocol.Hello{Task: gen3, Session: "s", RunID: "r-0"},
		protocol.Hello{
			Task: roles.Hub(), Session: "s", RunID: "r-0", Node: "n1", Host: "fd00::1", PID: 7, Listen: "[fd00::1]:80",
		},
		protocol.StepReport{Role: gen3.Role, RunID: "r-0"},
		protocol.StepReport{
			Role: roles.Hub().Role, RunID: "r-0", Code: 255, Ended: true, Ranks: []int{0, 7}, Cancel: "by scancel",
		},
	}
	for _, kind := range protocol.EventKinds() {
		good = append(good, protocol.Event{
			Kind: kind, At: noon, Address: "n1:80", Detail: "é", Outcome: &outcome, Code: 255,
			Findings: &protocol.Findings{
				Findings: []protocol.Finding{{Check: protocol.CheckGPUs, Detail: "none"}},
				Reach:    map[string]string{"CTX_0": ""},
			},
			Progress: &protocol.Progress{What: "weights", Percent: 100, Output: noon},
		})
	}
	for _, kind := range protocol.CommandKinds() {
		good = append(good, protocol.Command{
			Kind: kind, Peers: map[string]string{"CTX_0": "n1:80", "DISAGG_SERVER": ""}, Host: true, Reason: "over",
			Code: 3,
		})
	}
	for _, meaning := range protocol.Meanings() {
		good = append(good, protocol.StepReport{
			Role: gen3.Role, RunID: "r-0", Diagnosis: protocol.Diagnosis{Meaning: meaning, Line: "srun: so it was"},
		})
	}
	for _, m := range good {
		if err := m.Validate(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// long is more than a text may hold, broken none.
var (
	long   = strings.Repeat("x", 64<<10+1)
	broken = "\xff"
)

// bad is a way to make a good message bad, and what the error then says.
type bad[T any] struct {
	change func(*T)
	want   string
}

// refused checks that a message with one field wrong is refused, and that the error names the field.
func refused[T message](t *testing.T, good func() T, list []bad[T]) {
	t.Helper()
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range list {
		m := good()
		tt.change(&m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// An agent must say who it is.
func TestBadHellos(t *testing.T) {
	good := func() protocol.Hello { return protocol.Hello{Task: gen3, Session: "s", RunID: "r-0"} }
	refused(t, good, []bad[protocol.Hello]{
		{func(h *protocol.Hello) { h.Session = "" }, "invalid hello: session and run_id must be set"},
		{func(h *protocol.Hello) { h.RunID = "" }, "invalid hello: session and run_id must be set"},
		{func(h *protocol.Hello) { h.Task.Rank = -1 }, "invalid hello: rank is -1: want at least 0"},
		{func(h *protocol.Hello) { h.Task.Role = roles.Role{} }, `invalid hello: unknown role ""`},
		{func(h *protocol.Hello) { h.Session = broken }, "invalid hello: session is not UTF-8"},
		{func(h *protocol.Hello) { h.RunID = long }, "invalid hello: run_id has 65537 bytes: want at most 65536"},
		{func(h *protocol.Hello) { h.Node = broken }, "invalid hello: node is not UTF-8"},
		{func(h *protocol.Hello) { h.Host = broken }, "invalid hello: host is not UTF-8"},
		{func(h *protocol.Hello) { h.Step = broken }, "invalid hello: step is not UTF-8"},
		{func(h *protocol.Hello) { h.Listen = "n1" }, `invalid hello: listen is "n1": want host:port`},
		{func(h *protocol.Hello) { h.Listen = long }, "invalid hello: listen has 65537 bytes"},
	})
}

// An event must be of a known kind, and carry what belongs to it.
func TestBadEvents(t *testing.T) {
	good := func() protocol.Event {
		return protocol.Event{Kind: protocol.EventAddress, Address: "n1:80"}
	}
	refused(t, good, []bad[protocol.Event]{
		{func(e *protocol.Event) { e.Kind = "exploded" }, `invalid event "exploded": unknown kind`},
		{func(e *protocol.Event) { e.Kind = "" }, `invalid event "": unknown kind`},
		{func(e *protocol.Event) { e.Kind = protocol.EventExited }, `invalid event "exited": it has no outcome`},
		{func(e *protocol.Event) { e.Kind = protocol.EventStopped }, `invalid event "stopped": it has no outcome`},
		{func(e *protocol.Event) { e.Kind = protocol.EventPreflight }, `invalid event "preflight": it has no findings`},
		{func(e *protocol.Event) { e.Address = "" }, `invalid event "address": address is ""`},
		{func(e *protocol.Event) { e.Kind = protocol.EventReady; e.Address = broken }, "address is not UTF-8"},
		{func(e *protocol.Event) { e.Kind = protocol.EventReady; e.Detail = long }, "detail has 65537 bytes"},
		{func(e *protocol.Event) { e.Kind = protocol.EventReady; e.Code = 256 }, "code is 256: want 0 to 255"},
		{func(e *protocol.Event) { e.Kind = protocol.EventReady; e.Code = -1 }, "code is -1: want 0 to 255"},
		{func(e *protocol.Event) { e.Kind = protocol.EventProgress }, `invalid event "progress": it has no progress`},
	})
	progress := func() protocol.Event {
		return protocol.Event{Kind: protocol.EventProgress, Progress: &protocol.Progress{What: "weights", Percent: 61}}
	}
	refused(t, progress, []bad[protocol.Event]{
		{func(e *protocol.Event) { e.Progress.Percent = 101 }, "progress: percent is 101: want 0 to 100"},
		{func(e *protocol.Event) { e.Progress.Percent = -1 }, "progress: percent is -1: want 0 to 100"},
		{func(e *protocol.Event) { e.Progress.What = broken }, "progress: what is not UTF-8"},
		{func(e *protocol.Event) { e.Progress.What = long }, "progress: what has 65537 bytes: want at most 256"},
	})
}

// outcome is one that an event brings, as a message of its own.
type outcome protocol.Outcome

func (o outcome) Validate() error {
	return protocol.Event{Kind: protocol.EventExited, Outcome: (*protocol.Outcome)(&o)}.Validate()
}

// An outcome comes with an event, and is checked with it.
func TestBadOutcomes(t *testing.T) {
	good := func() outcome { return outcome(ended()) }
	refused(t, good, []bad[outcome]{
		{func(o *outcome) { o.Code = 256 }, "outcome: code is 256: want 0 to 255"},
		{func(o *outcome) { o.Signal = broken }, "outcome: signal is not UTF-8"},
		{func(o *outcome) { o.Error = broken }, "outcome: error is not UTF-8"},
		{func(o *outcome) { o.StopReason = broken }, "outcome: stop_reason is not UTF-8"},
		{func(o *outcome) { o.Headline = broken }, "outcome: headline is not UTF-8"},
		{func(o *outcome) { o.Line = -1 }, "outcome: line is -1, excerpt_line 0: want 0 or more"},
		{func(o *outcome) { o.ExcerptLine = -1 }, "outcome: line is 0, excerpt_line -1: want 0 or more"},
		{func(o *outcome) { o.LogFault = broken }, "outcome: log_fault is not UTF-8"},
		{func(o *outcome) { o.Tail = []string{long} }, "outcome: a line has 65537 bytes"},
		{func(o *outcome) { o.Excerpt = []string{broken} }, "outcome: a line is not UTF-8"},
		{func(o *outcome) { o.Tail = make([]string, 1001) }, "outcome: tail has 1001 entries: want at most 1000"},
		{func(o *outcome) { o.Excerpt = make([]string, 1001) }, "outcome: excerpt has 1001 entries"},
		{func(o *outcome) { o.Orphans = make([]protocol.Orphan, 4097) }, "outcome: orphans has 4097 entries"},
		{func(o *outcome) { o.Survivors = make([]protocol.Survivor, 4097) }, "outcome: survivors has 4097 entries"},
		{func(o *outcome) { o.Orphans[0].Comm = broken }, "outcome: comm is not UTF-8"},
		{func(o *outcome) { o.Orphans[0].Status = broken }, "outcome: status is not UTF-8"},
		{func(o *outcome) { o.Survivors[0].Comm = broken }, "outcome: comm is not UTF-8"},
		{func(o *outcome) { o.Survivors[0].State = broken }, "outcome: state is not UTF-8"},
		{func(o *outcome) { o.Survivors[0].WChan = broken }, "outcome: wchan is not UTF-8"},
	})
}

// findings are those that an event brings, as a message of their own.
type findings protocol.Findings

func (f findings) Validate() error {
	return protocol.Event{Kind: protocol.EventPreflight, Findings: (*protocol.Findings)(&f)}.Validate()
}

// Findings come with an event, and are checked with it.
func TestBadFindings(t *testing.T) {
	good := func() findings { return findings{Findings: make([]protocol.Finding, 1)} }
	reach := func(role, reason string) func(*findings) {
		return func(f *findings) { f.Reach = map[string]string{role: reason} }
	}
	refused(t, good, []bad[findings]{
		{func(f *findings) { f.Findings = make([]protocol.Finding, 4097) }, "findings: findings has 4097 entries"},
		{func(f *findings) { f.Findings[0].Check = broken }, "findings: check is not UTF-8"},
		{func(f *findings) { f.Findings[0].Detail = long }, "findings: detail has 65537 bytes"},
		{func(f *findings) { f.Reach = manyRoles() }, "findings: reach has 4097 entries"},
		{reach("nobody", ""), `findings: reach: unknown role "nobody"`},
		{reach("CTX_0", broken), "findings: reach is not UTF-8"},
	})
}

// A command must be of a known kind, and name roles and addresses that can be.
func TestBadCommands(t *testing.T) {
	good := func() protocol.Command { return protocol.Command{Kind: protocol.CommandStart} }
	refused(t, good, []bad[protocol.Command]{
		{func(c *protocol.Command) { c.Kind = "explode" }, `invalid command "explode": unknown kind`},
		{func(c *protocol.Command) { c.Code = -1 }, `invalid command "start": code is -1: want 0 to 255`},
		{func(c *protocol.Command) { c.Code = 256 }, "code is 256"},
		{func(c *protocol.Command) { c.Peers = map[string]string{"x": "n1:1"} }, `peers: unknown role "x"`},
		{func(c *protocol.Command) { c.Peers = map[string]string{"CTX_0": "n1"} }, `peers: CTX_0 is "n1": want host`},
		{func(c *protocol.Command) { c.Peers = manyRoles() }, "peers has 4097 entries"},
		{func(c *protocol.Command) { c.Reason = long }, "reason has 65537 bytes"},
	})
}

// A report about a step must say of which role, attempt and ranks.
func TestBadStepReports(t *testing.T) {
	good := func() protocol.StepReport { return protocol.StepReport{Role: gen3.Role, RunID: "r-0"} }
	refused(t, good, []bad[protocol.StepReport]{
		{func(r *protocol.StepReport) { r.RunID = "" }, "invalid step report: run_id must be set"},
		{func(r *protocol.StepReport) { r.RunID = broken }, "invalid step report: run_id is not UTF-8"},
		{func(r *protocol.StepReport) { r.Role = roles.Role{} }, `invalid step report: unknown role ""`},
		{func(r *protocol.StepReport) { r.Code = 256 }, "invalid step report: code is 256: want 0 to 255"},
		{func(r *protocol.StepReport) { r.Code = -1 }, "invalid step report: code is -1: want 0 to 255"},
		{func(r *protocol.StepReport) { r.Ranks = make([]int, 4097) }, "ranks has 4097 entries"},
		{func(r *protocol.StepReport) { r.Ranks = []int{0, -1} }, "ranks: -1: want at least 0"},
		{func(r *protocol.StepReport) { r.Detail = broken }, "detail is not UTF-8"},
		{func(r *protocol.StepReport) { r.Cancel = broken }, "cancel is not UTF-8"},
		{func(r *protocol.StepReport) { r.Diagnosis.Line = broken }, "diagnosis.line is not UTF-8"},
		{func(r *protocol.StepReport) { r.Diagnosis.Meaning = "odd" }, "diagnosis.meaning: unknown: want one of "},
	})
}

// manyRoles is more roles than a message may name.
func manyRoles() map[string]string {
	list := map[string]string{}
	for i := range 4097 {
		list[roles.Role{Kind: roles.Gen, Index: i}.String()] = ""
	}
	return list
}

// An address is a host and a port that can be connected to.
func TestAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"n1:80": true, "10.0.0.1:65535": true, "[fe80::1%eth0]:1": true,
		":80": false, "n1": false, "n1:": false, "n1:0": false, "n1:65536": false, "n1:-1": false, "n1:http": false,
		"fd00::1:80": false, "[fd00::1]": false,
	} {
		e := protocol.Event{Kind: protocol.EventAddress, Address: address}
		if err := e.Validate(); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Whatever a peer sends: it is refused, or it can be kept and sent on. Nothing of it harms whoever receives it.
func FuzzValidate(f *testing.F) {
	for _, m := range []message{
		protocol.Hello{Task: gen3, Session: "s", RunID: "r-0", Listen: "n1:80"},
		protocol.Command{Kind: protocol.CommandStart, Peers: map[string]string{"CTX_0": "n1:80"}},
		protocol.StepReport{Role: gen3.Role, RunID: "r-0", Ranks: []int{1}},
		protocol.Event{Kind: protocol.EventExited, Outcome: &protocol.Outcome{}},
	} {
		data, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check[protocol.Hello](t, data)
		check[protocol.Event](t, data)
		check[protocol.Command](t, data)
		check[protocol.StepReport](t, data)
	})
}

func check[T message](t *testing.T, data []byte) {
	var m T
	if json.Unmarshal(data, &m) != nil || m.Validate() != nil {
		return
	}
	again, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(again, &m)
	}
	if err == nil {
		err = m.Validate()
	}
	if err != nil {
		t.Errorf("%T from %s, sent on as %s: %v", m, data, again, err)
	}
}
