package steps

import (
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
)

// session is a job whose benchmark has ended with a code.
func session(t *testing.T, p plan.Policy, code int) *driver {
	t.Helper()
	d := drive(t, hub, gen, ctx)
	d.m.policy = p
	d.does(Ended{Role: hub, Code: code, Began: Yes})
	return d
}

// does gives the machine inputs, and lists the roles that it asks to stop, and those that it starts.
func (d *driver) does(inputs ...Input) (stopped, started []roles.Role) {
	for _, in := range inputs {
		for _, e := range d.m.Step(in, d.now) {
			switch e := e.(type) {
			case Stop:
				stopped = append(stopped, e.Role)
			case Start:
				started = append(started, e.Role)
			}
		}
	}
	return stopped, started
}

// Servers are kept when the plan says so: the job goes on, however long nothing arrives from them.
func TestKeeps(t *testing.T) {
	for name, tt := range map[string]struct {
		policy plan.Policy
		code   int
		kept   bool
	}{
		"not":                       {plan.Policy{}, 0, false},
		"if it passed":              {plan.Policy{Keep: plan.KeepPassed}, 0, true},
		"if it passed, and did not": {plan.Policy{Keep: plan.KeepPassed}, 1, false},
		"always":                    {plan.Policy{Keep: plan.KeepAlways}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := session(t, tt.policy, tt.code)
			d.now = d.now.Add(time.Hour)
			d.does(Tick{})
			if _, leave := d.m.Leave(d.now); leave == tt.kept || d.m.Kept() != tt.kept {
				t.Errorf("it leaves: %v", leave)
			}
		})
	}
}

// Servers that nobody measures are let go after a while, which starts over with each measurement.
func TestIdleServersAreLetGo(t *testing.T) {
	d := session(t, plan.Policy{Keep: plan.KeepAlways, KeepFor: roles.Duration(time.Minute)}, 0)
	d.now = d.now.Add(50 * time.Second)
	d.does(InUse{})
	d.now = d.now.Add(59 * time.Second)
	if stopped, _ := d.does(Tick{}); stopped != nil || !d.m.Deadline().Equal(d.now.Add(time.Second)) {
		t.Errorf("stopped early: %v, or not looked for in time: %v", stopped, d.m.Deadline())
	}
	d.now = d.now.Add(time.Second)
	if stopped, _ := d.does(Tick{}); len(stopped) != 2 {
		t.Errorf("asked to stop: %v", stopped)
	}
}

// A request ends the session: what is left is asked to stop, and waited for. The job's code is the first measurement's.
func TestSessionIsEnded(t *testing.T) {
	d := session(t, plan.Policy{Keep: plan.KeepAlways}, 0)
	if stopped, _ := d.does(Asked{Why: "SIGINT"}); len(stopped) != 2 {
		t.Errorf("asked to stop: %v", stopped)
	}
	if _, leave := d.m.Leave(d.now.Add(2 * quietBound)); leave || !d.m.Deadline().Equal(d.now.Add(letBound)) {
		t.Error("it does not wait for them")
	}
	if _, leave := d.m.Leave(d.now.Add(letBound)); !leave {
		t.Error("it waits for ever")
	}
	d.does(Ended{Role: gen, Code: 1}, Ended{Role: ctx, Code: 1})
	d.leaves(0, true)
}

// The death of a server ends the session where nobody could restart it.
func TestServerDiesWhileKept(t *testing.T) {
	d := session(t, plan.Policy{Keep: plan.KeepPassed}, 0)
	if stopped, _ := d.does(Ended{Role: gen, Code: 3}); len(stopped) != 1 || stopped[0] != ctx {
		t.Errorf("asked to stop: %v", stopped)
	}
	d = session(t, plan.Policy{Keep: plan.KeepAlways}, 0)
	if stopped, _ := d.does(Ended{Role: gen, Code: 3}); stopped != nil || !d.m.Kept() {
		t.Errorf("asked to stop: %v", stopped)
	}
	d.does(Ended{Role: ctx, Code: 3})
	d.leaves(0, true)
}

// A role is restarted once nothing is left of it, also one that had ended; never twice at once, nor the hub, nor
// when the end is wanted.
func TestStartedAnew(t *testing.T) {
	d := session(t, plan.Policy{Keep: plan.KeepPassed}, 0)
	none := roles.Role{Kind: roles.Gen, Index: 7}
	stopped, started := d.does(Wanted{Role: gen}, Wanted{Role: gen}, Wanted{Role: hub}, Wanted{Role: none})
	if len(stopped) != 1 || started != nil {
		t.Errorf("%v, %v", stopped, started)
	}
	if stopped, started = d.does(Ended{Role: gen, Code: 1}); stopped != nil || len(started) != 1 || !d.m.Kept() {
		t.Errorf("%v, %v", stopped, started)
	}
	d = session(t, plan.Policy{Keep: plan.KeepAlways}, 0)
	if _, started = d.does(Ended{Role: gen, Code: 9}, Wanted{Role: gen}); len(started) != 1 {
		t.Errorf("%v", started)
	}
	_, started = d.does(Wanted{Role: gen}, Asked{Why: "SIGINT"}, Ended{Role: gen, Code: 1}, Wanted{Role: ctx})
	if started != nil {
		t.Errorf("%v", started)
	}
}
