package agent

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// silence is a server that takes connections, and answers nobody. It counts them.
func silence(t *testing.T) (address string, asked *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var open []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, c)
			asked.Add(1)
		}
		for _, c := range open {
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String(), asked
}

// A service that works lives, however often it does not answer; one that has stopped working is lost.
func TestBusyServiceLives(t *testing.T) {
	for name, tt := range map[string]struct {
		work string // what the child does again and again
		busy recipe.Busy
	}{
		"by its lines": {"echo iter; sleep 0.005", recipe.Busy{Line: "^iter"}},
		"by its time":  {":", recipe.Busy{CPU: 0.02}},
	} {
		t.Run(name, func(t *testing.T) {
			address, asked := silence(t)
			script := "echo ready; while [ ! -e idle ]; do " + tt.work + "; done; echo idles; exec sleep 600"
			a := newAgent(t, gen0, script, func(a *agent) {
				a.spec(func(s *recipe.RoleSpec) {
					s.Live = &recipe.Probe{
						URL: "http://" + address, Period: roles.Duration(200 * time.Millisecond),
						Timeout: roles.Duration(50 * time.Millisecond), Failures: 3, Busy: &tt.busy,
					}
				})
			})
			a.start()
			a.await("it is asked often", func() bool { return asked.Load() > 6 })
			for len(a.events) > 0 {
				if e := <-a.events; e.Kind == protocol.EventUnhealthy {
					t.Errorf("it works: %+v", e)
				}
			}
			if err := os.WriteFile(filepath.Join(a.w.attempt.Work(gen0), "idle"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			a.until(protocol.EventUnhealthy)
			a.stop()
		})
	}
}
