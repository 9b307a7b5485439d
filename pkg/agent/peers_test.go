package agent

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// refused is an address at which nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Asked whom it cannot reach, a leader tries all its peers at once and names those that it does not reach; a rank that
// does not lead has none.
func TestCheck(t *testing.T) {
	s, nobody := serve(t, http.StatusOK), refused(t)
	a := newAgent(t, gen0, sleeper, nil)
	a.start()
	peers := map[string]string{"CTX_0": s.address(), "CTX_1": nobody}
	for i := range 10 {
		peers[fmt.Sprintf("GEN_%d", i+1)] = nobody
	}
	a.tell(protocol.CommandCheck)
	if e := a.until(protocol.EventChecked); e.Detail != "" {
		t.Errorf("it has no peers yet: %+v", e)
	}
	a.commands <- protocol.Command{Kind: protocol.CommandWatch, Peers: peers}
	a.tell(protocol.CommandCheck)
	e := a.until(protocol.EventChecked)
	if !strings.HasPrefix(e.Detail, "n cannot reach CTX_1 at "+nobody+": refused; ") ||
		!strings.HasSuffix(e.Detail, "; and 3 more") {
		t.Errorf("%+v", e)
	}
	a.stop()
	a = newAgent(t, roles.Hub(), "exit 1", nil) // the benchmark is asked when its child has ended
	a.commands <- protocol.Command{Kind: protocol.CommandStart}
	a.until(protocol.EventStarted)
	a.commands <- protocol.Command{Kind: protocol.CommandWatch, Peers: map[string]string{"GEN_0": s.address()}}
	a.until(protocol.EventExited)
	a.tell(protocol.CommandCheck)
	if e := a.until(protocol.EventChecked); e.Detail != "" {
		t.Errorf("%+v", e)
	}
	a.stop()
	a = newAgent(t, gen1, sleeper, nil)
	a.tell(protocol.CommandCheck)
	if e := a.until(protocol.EventChecked); e.Detail != "" || e.At.IsZero() {
		t.Errorf("%+v", e)
	}
	a.stop()
}

// A peer that cannot be reached for a while is reported without being asked for.
func TestUnreachablePeer(t *testing.T) {
	t.Parallel() // it takes as long as a peer may be out of reach
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan protocol.Event, 8)
	s := &service{ctx: ctx, data: recipe.Data{Node: "n"}, tell: func(e protocol.Event) { told <- e }}
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	defer cancel()
	nobody := refused(t)
	s.watch(map[string]string{"CTX_0": up.Listener.Addr().String(), "CTX_1": nobody})
	select {
	case e := <-told:
		if e.Kind != protocol.EventUnreachable || e.Detail != "n cannot reach CTX_1 at "+nobody+": refused" {
			t.Errorf("%+v", e)
		}
	case <-time.After(bound):
		t.Error("nothing is said")
	}
}

// Peers try the way here until the child is started, and no longer.
func TestListenerCloses(t *testing.T) {
	a := newAgent(t, gen0, sleeper, nil)
	reach := func() string {
		return preflight.Reach(t.Context(), a.w.token, map[string]string{"GEN_0": a.w.listener.Address()})["GEN_0"]
	}
	if why := reach(); why != "" {
		t.Errorf("before the start: %s", why)
	}
	a.start()
	if why := reach(); why != "refused" {
		t.Errorf("after the start: %q", why)
	}
	a.stop()
}

// Before anything is started an agent looks at its host, if it is asked to, and tries the way to its peers, which must
// know the token.
func TestPreflight(t *testing.T) {
	off := protocol.Checks()
	a := newAgent(t, gen0, "exit 0", func(a *agent) {
		for i, check := range off {
			if check == protocol.CheckMemory {
				off = append(off[:i], off[i+1:]...)
				break
			}
		}
		a.opts.Plan.Cluster.Preflight.Off = off
		a.opts.Plan.Cluster.Preflight.MinMemoryMiB = 1 << 40
	})
	same, err := preflight.Listen("127.0.0.1", a.w.token)
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	other, err := preflight.Listen("127.0.0.1", "another")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	a.commands <- protocol.Command{Kind: protocol.CommandPreflight, Host: true, Peers: map[string]string{
		"CTX_0": same.Address(), "CTX_1": other.Address(), "GEN_0": a.w.listener.Address(),
	}}
	f := a.until(protocol.EventPreflight).Findings
	if len(f.Findings) != 1 || f.Findings[0].Check != protocol.CheckMemory || !f.Findings[0].Fatal {
		t.Errorf("findings %+v", f.Findings)
	}
	if f.Reach["CTX_0"] != "" || f.Reach["CTX_1"] == "" || f.Reach["GEN_0"] != "" || len(f.Reach) != 3 {
		t.Errorf("reach %v", f.Reach)
	}
	a.tell(protocol.CommandPreflight)
	if f := a.until(protocol.EventPreflight).Findings; len(f.Findings) != 0 {
		t.Errorf("it was not asked for the host: %+v", f.Findings)
	}
	a.stop()
}

// An agent that is asked about hosts names the roles whose host does not answer; a closed port is an answer.
func TestHostsAreTried(t *testing.T) {
	a := newAgent(t, gen0, "exit 0", nil)
	a.commands <- protocol.Command{Kind: protocol.CommandReach, Peers: map[string]string{
		"CTX_0": "127.0.0.1:1", "GEN_0": "host.invalid:1",
	}}
	e := a.until(protocol.EventReached)
	if len(e.Peers) != 1 || e.Peers[0].String() != "GEN_0" {
		t.Errorf("not reached: %v", e.Peers)
	}
	a.stop()
}
