package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// How far a child is stands in state.json, by the hub's clock whatever the agent's is; the journal tells of a role at
// most once a minute.
func TestProgress(t *testing.T) {
	j := newJob(t, nil)
	j.attach(servers...)
	j.expect(gen0, protocol.CommandStart)
	j.say(gen0, protocol.EventStarted)
	agentsClock := time.Now().Add(-time.Hour)
	for percent := 60; percent <= 62; percent++ {
		j.agents[gen0].Send(protocol.Event{
			Kind: protocol.EventProgress, At: agentsClock, Progress: &protocol.Progress{
				What: "weights", Percent: percent, Output: agentsClock.Add(-10 * time.Second),
			},
		})
	}
	j.agents[ctx0].Send(protocol.Event{
		Kind: protocol.EventProgress, At: agentsClock, Progress: &protocol.Progress{What: "weights"},
	})
	var got *protocol.Progress
	j.await("the newest progress in state.json", func() bool {
		s, err := rundir.ReadState(j.opts.Attempt)
		for _, r := range s.Roles {
			if r.Role == gen0.Role {
				got = r.Progress
			}
		}
		return err == nil && got != nil && got.Percent == 62
	})
	if age := time.Since(got.Output); got.What != "weights" || age < 10*time.Second || age > 10*time.Second+bound {
		t.Errorf("%+v, %v ago", got, age)
	}
	j.await("an entry for each role", func() bool { return len(j.entries("progress")) >= 2 })
	entries := j.entries("progress")
	slices.SortFunc(entries, func(a, b protocol.Entry) int { return strings.Compare(a.Role.String(), b.Role.String()) })
	if len(entries) != 2 || entries[1].Progress == nil || entries[1].Progress.Percent != 60 { // GEN_0's
		t.Errorf("%+v", entries)
	}
}

// What state.json shows can be asked for from anywhere, as a view of one's own.
func TestView(t *testing.T) {
	j := newJob(t, nil)
	j.attach(servers...)
	j.await("the view has all servers", func() bool {
		v := j.hub.View()
		return v != nil && len(v.Roles) == 4 && v.Roles[0].Attached == 2
	})
	j.hub.View().Roles[0].Attached = 7
	if v := j.hub.View(); v.Roles[0].Attached != 2 {
		t.Errorf("%+v", v)
	}
}
