package batch

import (
	"net"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// Servers that are kept are in use while the hub of a measurement listens, or may still appear: not because a
// measurement that was killed has left no verdict.
func TestIsMeasured(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	const soon = roles.Duration(time.Hour)
	for name, tt := range map[string]struct {
		number  int
		hub     string // where it listens
		launch  roles.Duration
		verdict bool
		want    bool
	}{
		"its own attempt":           {0, l.Addr().String(), soon, false, false},
		"its hub listens":           {1, l.Addr().String(), 0, false, true},
		"its hub was killed":        {1, gone.Addr().String(), soon, false, false},
		"its hub has still to come": {1, "", soon, false, true},
		"its hub will never come":   {1, "", 0, false, false},
		"it has a verdict":          {1, l.Addr().String(), soon, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := rundir.Dir(t.TempDir())
			a := d.Attempt(tt.number)
			if _, err := rundir.OpenAttempt(a, "t"); err != nil {
				t.Fatal(err)
			}
			if tt.hub != "" {
				p := protocol.Published{Schema: 1, Task: roles.Hub(), RunID: "r", Hub: tt.hub}
				if err := rundir.Publish(a, p); err != nil {
					t.Fatal(err)
				}
			}
			if tt.verdict {
				touch(t, a.Result())
			}
			b := &batch{attempt: d.Attempt(0)}
			b.opts.Plan = plan.Plan{RunDir: string(d), Timeouts: roles.Timeouts{Launch: tt.launch}}
			if got := b.isMeasured(a); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
