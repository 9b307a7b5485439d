package steps

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

var (
	hub  = roles.Hub().Role
	gen  = roles.Role{Kind: roles.Gen}
	ctx  = roles.Role{Kind: roles.Ctx}
	zero = time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
)

// launch is how long a hub may take to appear.
const launch = time.Minute

// busy is what a scheduler says of a step that may begin if it is tried again.
var busy = protocol.Diagnosis{Meaning: protocol.Transient, Line: "Socket timed out"}

// driver gives a machine its inputs by a clock of its own.
type driver struct {
	t     *testing.T
	m     *Machine
	now   time.Time
	hangs bool // the hub does not answer by itself
}

func drive(t *testing.T, list ...roles.Role) *driver {
	return &driver{t: t, m: New(list, plan.Policy{}, launch, zero), now: zero}
}

// gets gives the machine an input and compares what it does about it.
func (d *driver) gets(in Input, want ...Effect) {
	d.t.Helper()
	got := d.m.Step(in, d.now)
	if i := slices.Index(got, Effect(AskHub{})); i >= 0 && !d.hangs {
		got = slices.Delete(got, i, i+1)
		defer d.gets(HubAnswered{OK: true})
	}
	if len(got) == 0 {
		got = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("at %v, %+v: %s", d.now.Sub(zero), in, diff)
	}
}

// passes lets time pass and compares what the machine does at its deadlines meanwhile.
func (d *driver) passes(by time.Duration, want ...Effect) {
	d.t.Helper()
	end := d.now.Add(by)
	var got []Effect
	for at := d.m.Deadline(); !at.IsZero() && !at.After(end); at = d.m.Deadline() {
		if !at.After(d.now) {
			d.t.Fatalf("at %v a tick is wanted at %v", d.now.Sub(zero), at.Sub(zero))
		}
		d.now = at
		for _, e := range d.m.Step(Tick{}, d.now) {
			if e == (AskHub{}) && !d.hangs {
				d.gets(HubAnswered{OK: true})
				continue
			}
			got = append(got, e)
		}
	}
	d.now = end
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("until %v: %s", d.now.Sub(zero), diff)
	}
}

// leaves compares whether it is time to leave.
func (d *driver) leaves(code int, leave bool) {
	d.t.Helper()
	if c, l := d.m.Leave(d.now); c != code || l != leave {
		d.t.Errorf("at %v: leaves with %d: %v, want %d: %v", d.now.Sub(zero), c, l, code, leave)
	}
}

// ended is the report of a step that is over for good.
func ended(r roles.Role, code int, detail string, d protocol.Diagnosis) Effect {
	return Report{Report: protocol.StepReport{Role: r, Ended: true, Code: code, Detail: detail, Diagnosis: d}}
}

// words is the report of what the scheduler says about a step.
func words(r roles.Role, d protocol.Diagnosis) Effect {
	return Report{Report: protocol.StepReport{Role: r, Diagnosis: d}}
}

// cause is the verdict's cause, should the hub have left none.
func (d *driver) cause(kind protocol.CauseKind, detail string) Effect {
	return Conclude{Cause: protocol.Cause{Role: hub, Kind: kind, Detail: detail, At: d.now}}
}

// ofAll is a conclusion about the whole job, which was asked to end or not.
func (d *driver) ofAll(asked bool, kind protocol.CauseKind, detail string) Effect {
	return Conclude{Asked: asked, Cause: protocol.Cause{
		Role: hub, Subject: protocol.WholeJob, Kind: kind, Detail: detail, At: d.now,
	}}
}

// early says that a step ended with a code.
func early(code int) string {
	return fmt.Sprintf("the step ended with code %d before its agents reached the hub", code)
}
