package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// asked is what an agent's endpoint answers to who knows the key of a token.
func asked(ctx context.Context, address, path, token string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+rundir.StatusKey(token))
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}

// status is what the agent under test says of its rank.
func (a *agent) status() (s protocol.RankStatus) {
	a.t.Helper()
	code, body, err := asked(a.t.Context(), a.w.endpoint.Address(), "/status", a.w.token)
	if err == nil {
		err = json.Unmarshal([]byte(body), &s)
	}
	if err != nil || code != http.StatusOK {
		a.t.Fatalf("%d %v: %s", code, err, body)
	}
	return s
}

// An agent says at any time what its rank does, to who knows the run's key: before there is a child, while that loads
// and serves, and until the rank has ended.
func TestStatus(t *testing.T) {
	s := serve(t, http.StatusServiceUnavailable)
	const script = "echo 'Loading weights:  61%|██████    | 11/18'; echo ready; exec sleep 600"
	a := newAgent(t, gen0, script, func(a *agent) {
		a.opts.Plan.Cluster.Endpoints, a.opts.Plan.Tool = true, "1.2.3"
		a.spec(func(spec *recipe.RoleSpec) {
			spec.Ready = &recipe.Probe{
				URL: "http://" + s.address() + "/health", Period: often, Timeout: roles.Duration(time.Second),
			}
		})
	})
	got := a.status()
	if got.Schema != 1 || got.RunID != "run-0" || got.Case != "c" || got.Role != gen0.Role || got.Node != "n" ||
		got.PID != os.Getpid() || got.Tool != "1.2.3" || got.Stage != protocol.StageWaiting || got.Child != nil ||
		got.Service != nil || got.GPUs != nil || got.Job != nil {
		t.Errorf("before the start: %+v", got)
	}
	a.start()
	a.await("the probe has an answer", func() bool {
		got = a.status()
		return got.Service != nil && got.Service.Probe != nil
	})
	if p := got.Service.Probe; p.Healthy || p.Detail != "status: 503 loading" || got.Service.Ready {
		t.Errorf("while it loads: %+v %+v", got.Service, p)
	}
	c := got.Child
	if got.Stage != protocol.StageRunning || c == nil || c.PID == 0 || c.OutputBytes != int64(len(a.output())) ||
		c.RSS == 0 || c.Uptime <= 0 || c.OutputAge <= 0 || c.Progress == nil || c.Progress.String() != "weights 61 %" {
		t.Errorf("while it loads: %+v %+v", got, c)
	}
	s.status.Store(http.StatusOK)
	a.await("it is ready", func() bool { got = a.status(); return got.Service.Ready && got.Service.Probe.Healthy })
	code, body, err := asked(t.Context(), a.w.endpoint.Address(), "/metrics", a.w.token)
	want := fmt.Sprintf("\ndisagg_child_output_bytes_total %d\n", c.OutputBytes)
	if err != nil || code != http.StatusOK || !strings.Contains(body, want) {
		t.Errorf("%d %v: %s, want %s", code, err, body, want)
	}
	a.stop()
	if code, body, err := asked(t.Context(), a.w.endpoint.Address(), "/status", a.w.token); err != nil ||
		code != http.StatusServiceUnavailable || body != "the agent is ending\n" {
		t.Errorf("after the end: %d %q %v", code, body, err)
	}
}

// Who asks while nothing can be answered is told to ask again, and holds nobody up.
func TestStatusOfABusyAgent(t *testing.T) {
	a := prepareAgent(t, gen0, sleeper, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := a.w.status(ctx); err == nil || err.Error() != "the agent is just beginning, or busy: ask again" {
		t.Errorf("%v", err)
	}
}

// An agent tells the others, in its file, where it answers, and leaves the key for its user; without the policy there
// is neither. The hub's shows the whole job. The port is closed when the agent ends.
func TestEndpointIsPublished(t *testing.T) {
	for _, on := range []bool{true, false} {
		p := newHub(t, sleeper)
		p.opts.Plan.Cluster.Endpoints = on
		p.run()
		agents := p.servers()
		published, ok := rundir.ReadPublished(p.attempt, roles.Hub(), "run-0")
		if !ok || (published.Endpoint != "") != on {
			t.Errorf("on: %v, published: %+v", on, published)
		}
		key, err := os.ReadFile(p.attempt.StatusKey())
		if (err == nil) != on || on && strings.TrimSpace(string(key)) != rundir.StatusKey(p.token) {
			t.Errorf("on: %v, %v", on, err)
		}
		if on {
			var s protocol.RankStatus
			code, body, err := asked(t.Context(), published.Endpoint, "/status", p.token)
			if err == nil {
				err = json.Unmarshal([]byte(body), &s)
			}
			if err != nil || code != http.StatusOK || s.Job == nil || len(s.Job.Roles) != 2 || s.Points != 1 ||
				s.Service != nil {
				t.Errorf("%d %v: %s", code, err, body)
			}
		}
		p.signals <- syscall.SIGINT
		p.leave(agents)
		p.exits(protocol.ExitFailed, "")
		if _, _, err := asked(t.Context(), published.Endpoint, "/status", p.token); on && err == nil {
			t.Error("the port is still open")
		}
	}
}
