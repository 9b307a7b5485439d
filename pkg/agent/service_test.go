package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// often is between two questions of a probe.
const often = roles.Duration(5 * time.Millisecond)

// served is an HTTP service that answers with the status that the test sets.
type served struct {
	*httptest.Server
	status atomic.Int32
}

func serve(t *testing.T, status int) *served {
	t.Helper()
	s := &served{}
	s.status.Store(int32(status))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(s.status.Load()))
		fmt.Fprint(w, "loading")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *served) address() string { return s.Listener.Addr().String() }

// probed is a child whose service is at an address that the child writes to a file, and is asked over HTTP.
func probed(t *testing.T, address, script string) *agent {
	t.Helper()
	return newAgent(t, gen0, fmt.Sprintf("echo ready; %s", script), func(a *agent) {
		a.spec(func(s *recipe.RoleSpec) {
			s.Env = map[string]string{"ADDRESS": address, "FILE": "{{.Dirs.Work}}/address"}
			s.Address = &recipe.Address{File: "{{.Dirs.Work}}/address"}
			s.Startup = &recipe.Probe{TCP: "{{.Address}}", Period: often, Timeout: roles.Duration(time.Second)}
			probe := recipe.Probe{
				URL: "http://{{.Address}}/health", Period: often, Timeout: roles.Duration(time.Second),
			}
			s.Ready = &probe
			live := probe
			live.Failures = 2
			s.Live = &live
		})
	})
}

// A service is found where it says that it listens, is ready once it answers, and is watched from then on.
func TestService(t *testing.T) {
	s := serve(t, http.StatusServiceUnavailable)
	a := probed(t, s.address(),
		`while [ ! -e "$FILE.go" ]; do sleep 0.01; done; echo "$ADDRESS" > "$FILE"; exec sleep 600`)
	a.start()
	if e := a.until(protocol.EventUnready); !strings.HasPrefix(e.Detail, "it has not written its address to ") {
		t.Errorf("%+v", e)
	}
	if err := os.WriteFile(filepath.Join(a.w.attempt.Work(gen0), "address.go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := a.until(protocol.EventAddress); e.Address != s.address() {
		t.Errorf("%+v", e)
	}
	if e := a.until(protocol.EventUnready); e.Detail != "status: 503 loading" {
		t.Errorf("%+v", e)
	}
	s.status.Store(http.StatusOK)
	a.until(protocol.EventReady)
	s.status.Store(http.StatusInternalServerError)
	if e := a.until(protocol.EventUnhealthy); e.Detail != "status: 500 loading" {
		t.Errorf("%+v", e)
	}
	s.status.Store(http.StatusOK)
	a.until(protocol.EventRecovered)
	a.stop()
}

// Which version serves is asked before the service counts as ready. An answer that never comes, or is none, only leaves
// the version unknown.
func TestVersion(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"told": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"version": "1.3.0rc1"}`)
		}, "1.3.0rc1"},
		"not told": {http.NotFound, ""},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"version": %q}`, strings.Repeat("9", 1<<19))
		}, ""},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
			mux.HandleFunc("/version", tt.answer)
			s := httptest.NewServer(mux)
			defer s.Close()
			a := newAgent(t, gen0, "echo ready; exec sleep 600", func(a *agent) {
				a.spec(func(r *recipe.RoleSpec) {
					r.Address = &recipe.Address{Text: s.Listener.Addr().String()}
					r.Ready = &recipe.Probe{
						URL: "http://{{.Address}}/health", Period: often, Timeout: roles.Duration(time.Minute),
					}
					r.Version = &recipe.Version{URL: "http://{{.Address}}/version", Key: "version"}
				})
			})
			a.start()
			a.until(protocol.EventReady)
			told := slices.ContainsFunc(a.before, func(e protocol.Event) bool {
				return e.Kind == protocol.EventVersion && e.Detail == tt.want
			})
			if told != (tt.want != "") {
				t.Errorf("%+v", a.before)
			}
			a.stop()
		})
	}
}

// What an earlier process left where the service writes its address is not believed.
func TestOldAddress(t *testing.T) {
	a := prepareAgent(t, gen0, "echo ready; exec sleep 600", func(a *agent) {
		a.spec(func(s *recipe.RoleSpec) { s.Address = &recipe.Address{File: "{{.Dirs.Work}}/address"} })
	})
	file := filepath.Join(a.w.attempt.Work(gen0), "address")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.live()
	a.start()
	a.until(protocol.EventUnready)
	if _, err := os.Stat(file); err == nil {
		t.Error("the old address is still there")
	}
	a.stop()
	for len(a.events) > 0 {
		if e := <-a.events; e.Kind == protocol.EventAddress {
			t.Errorf("the address is %s", e.Address)
		}
	}
}

// A service can be asked in every way that a recipe knows, and is ready once the answer is the right one.
func TestWaysToProbe(t *testing.T) {
	s := serve(t, http.StatusOK)
	tests := map[string]struct {
		address string
		probe   recipe.Probe
		script  string
		unready string // what is said before it is ready; "": nothing has to be
	}{
		"an address known beforehand": {s.address(), recipe.Probe{URL: "http://{{.Address}}/"}, "exec sleep 600", ""},
		"a connection":                {s.address(), recipe.Probe{TCP: "{{.Address}}"}, "exec sleep 600", ""},
		"what the answer says": {
			s.address(),
			recipe.Probe{URL: "http://{{.Address}}/", Body: "{}", Expect: map[string]string{"": "loading"}},
			"exec sleep 600", "body: ",
		},
		"a command": {
			s.address(),
			recipe.Probe{Command: []recipe.Arg{{Text: "/bin/sh"}, {Text: "-c"},
				{Text: "[ -e {{.Dirs.Work}}/up ] || { echo no; exit 3; }"}}},
			"while ! grep -q begun log; do sleep 0.01; done; touch up; exec sleep 600", "exit: 3 no",
		},
		"a line of the log": {
			s.address(), recipe.Probe{Line: "^service is up"},
			"while ! grep -q begun log; do sleep 0.01; done; echo service is up; exec sleep 600",
			"missing: no line matches ^service is up yet",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.probe.Period, tt.probe.Timeout = often, roles.Duration(bound)
			a := newAgent(t, gen0, "echo ready; "+tt.script, func(a *agent) {
				a.spec(func(s *recipe.RoleSpec) { s.Address, s.Ready = &recipe.Address{Text: tt.address}, &tt.probe })
			})
			a.start()
			if e := a.until(protocol.EventAddress); e.Address != s.address() {
				t.Errorf("%+v", e)
			}
			if tt.unready != "" {
				if e := a.until(protocol.EventUnready); !strings.HasPrefix(e.Detail, tt.unready) {
					t.Errorf("%+v", e)
				}
			}
			if len(tt.probe.Expect) == 0 {
				if err := os.WriteFile(filepath.Join(a.w.attempt.Work(gen0), "log"), []byte("begun"),
					0o600); err != nil {
					t.Fatal(err)
				}
				a.until(protocol.EventReady)
			}
			a.stop()
		})
	}
}

// What cannot be found out at all is said as the reason why the role is not ready.
func TestServiceThatCannotBeProbed(t *testing.T) {
	tests := map[string]struct {
		change func(*recipe.RoleSpec)
		kind   protocol.EventKind
		detail string
	}{
		"its address is none": {
			func(s *recipe.RoleSpec) { s.Address = &recipe.Address{Text: "fd00::7:8000"} }, protocol.EventUnready,
			"want host:port",
		},
		"its address has no template": {
			func(s *recipe.RoleSpec) { s.Address = &recipe.Address{Text: "{{.Values.port}}"} }, protocol.EventUnready,
			"port",
		},
		"its probe has none": {
			func(s *recipe.RoleSpec) { s.Ready = &recipe.Probe{URL: "http://h/{{.Values.path}}"} },
			protocol.EventUnready, "path",
		},
		"its body has none": {
			func(s *recipe.RoleSpec) { s.Ready = &recipe.Probe{URL: "http://h/", Body: "{{.Values.body}}"} },
			protocol.EventUnready, "body",
		},
		"the answer's form is none": {
			func(s *recipe.RoleSpec) {
				s.Ready = &recipe.Probe{URL: "http://h/", Expect: map[string]string{"a": "("}}
			}, protocol.EventUnready, "(",
		},
		"what watches it has none": {
			func(s *recipe.RoleSpec) { s.Live = &recipe.Probe{TCP: "{{.Values.tcp}}"} }, protocol.EventUnhealthy, "tcp",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, gen0, sleeper, func(a *agent) { a.spec(tt.change) })
			a.start()
			if e := a.until(tt.kind); !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("%+v", e)
			}
			a.stop()
		})
	}
}

// What is told to end may stop answering: nobody says so any more.
func TestProbesEndWithTheStop(t *testing.T) {
	s := serve(t, http.StatusOK)
	a := probed(t, s.address(), `trap 'sleep 0.2; exit' TERM; echo "$ADDRESS" > "$FILE"; while :; do sleep 0.05; done`)
	a.start()
	a.until(protocol.EventReady)
	a.commands <- protocol.Command{Kind: protocol.CommandStop, Reason: "enough"}
	a.await("the command is taken", func() bool { return len(a.commands) == 0 })
	s.status.Store(http.StatusInternalServerError)
	for e := range a.events {
		if e.Kind == protocol.EventUnhealthy {
			t.Errorf("%+v", e)
		}
		if e.Kind == protocol.EventStopped {
			break
		}
	}
	a.ended(protocol.ExitFailed)
}

// A service that no longer prints what shows progress has stalled, from the moment on from which progress counts.
func TestStall(t *testing.T) {
	for name, line := range map[string]string{"any line counts": "", "lines of a form count": "^iter"} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, gen0, sleeper, func(a *agent) {
				a.spec(func(s *recipe.RoleSpec) {
					s.Stall = &recipe.Stall{Line: line, Within: roles.Duration(20 * time.Millisecond)}
				})
			})
			a.start()
			a.tell(protocol.CommandWatch)
			if e := a.until(protocol.EventStalled); !strings.HasPrefix(e.Detail, "no line ") ||
				!strings.Contains(e.Detail, line) {
				t.Errorf("%+v", e)
			}
			a.stop()
		})
	}
}

// As long as there is progress nothing has stalled.
func TestProgress(t *testing.T) {
	const within = time.Second
	const script = `echo ready; while [ ! -e quiet ]; do echo iter; sleep 0.02; done
		while :; do echo idle; sleep 0.02; done`
	a := newAgent(t, gen0, script, func(a *agent) {
		a.spec(func(s *recipe.RoleSpec) { s.Stall = &recipe.Stall{Line: "^iter", Within: roles.Duration(within)} })
	})
	a.start()
	a.tell(protocol.CommandWatch)
	begun := time.Now()
	a.await("more output than would be a stall", func() bool { return time.Since(begun) > 3*within/2 })
	if err := os.WriteFile(filepath.Join(a.w.attempt.Work(gen0), "quiet"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e := a.until(protocol.EventStalled); e.At.Sub(begun) < 2*within {
		t.Errorf("it is said to have stalled after %v: %+v", e.At.Sub(begun), e)
	}
	a.stop()
}

// The hub learns when the benchmark no longer needs the servers, which is before it ends.
func TestRelease(t *testing.T) {
	a := newAgent(t, roles.Hub(), `echo ready; while [ ! -e go ]; do sleep 0.01; done; touch released; exec sleep 600`,
		func(a *agent) {
			a.spec(func(s *recipe.RoleSpec) { s.Release = "{{.Dirs.Work}}/released" })
		})
	a.start()
	if err := os.WriteFile(filepath.Join(a.w.attempt.Work(roles.Hub()), "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.until(protocol.EventRelease)
	a.stop()
}

// The benchmark can be run again on the same servers: what it left the last time is put aside before it begins.
func TestAnotherMeasurement(t *testing.T) {
	script := `[ ! -e client.0 ] && [ ! -e released ] && date >client.0 && touch released`
	a := newAgent(t, roles.Hub(), script, func(a *agent) {
		a.opts.Plan.Case.Load.Concurrency = []int{4}
		a.spec(func(s *recipe.RoleSpec) {
			s.Release = "{{.Dirs.Work}}/released"
			s.Results = &recipe.Results{Format: "json", Files: "{{.Dirs.Work}}/client.{index}"}
		})
	})
	work := a.w.attempt.Work(roles.Hub())
	for n := range 3 {
		a.commands <- protocol.Command{Kind: protocol.CommandStart, Measurement: n}
		if e := a.until(protocol.EventExited); !e.Outcome.Clean() {
			t.Fatalf("measurement %d: %+v", n, e.Outcome)
		}
		if got := rundir.Measurements(filepath.Join(work, "client.0")); len(got) != n+1 {
			t.Errorf("measurement %d: %v", n, got)
		}
	}
	a.stop()
	for _, name := range []string{"measurement-1/released", "measurement-2/client.0", "client.0", "released"} {
		if _, err := os.Stat(filepath.Join(work, name)); err != nil {
			t.Error(err)
		}
	}
}

// The release is told before what servers may have seen it before: the end of the benchmark, and the answer to a
// question.
func TestReleaseIsToldFirst(t *testing.T) {
	watched := func(a *agent) { a.spec(func(s *recipe.RoleSpec) { s.Release = "{{.Dirs.Work}}/released" }) }
	a := newAgent(t, roles.Hub(), "touch released", watched)
	a.tell(protocol.CommandStart)
	a.until(protocol.EventRelease)
	a.until(protocol.EventExited)
	a.stop()
	a = newAgent(t, roles.Hub(), "touch released; echo ready; exec sleep 600", watched)
	a.start()
	a.tell(protocol.CommandCheck)
	a.until(protocol.EventRelease)
	a.until(protocol.EventChecked)
	a.stop()
}
