package healthcheck_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/test/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func probe(t *testing.T, h healthcheck.HTTP) *healthcheck.Failure {
	t.Helper()
	if h.Timeout == 0 {
		h.Timeout = 5 * time.Second
	}
	err := h.Probe(t.Context())
	var f *healthcheck.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("got %v, want a *Failure", err)
	}
	return f
}

// Only 2xx is healthy.
func TestStatus(t *testing.T) {
	for code, healthy := range map[int]bool{
		200: true, 204: true, 299: true, 301: false, 404: false, 500: false, 503: false,
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(code)
			if code != 204 {
				fmt.Fprint(w, strings.Repeat("x", 2000))
			}
		})
		f := probe(t, healthcheck.HTTP{URL: url})
		if (f == nil) != healthy {
			t.Errorf("%d: %v", code, f)
		}
		if f != nil && (f.Reason != healthcheck.Status || !strings.HasPrefix(f.Detail, fmt.Sprint(code)) ||
			len(f.Detail) > 520) {
			t.Errorf("%d: reason %s, %d bytes of detail", code, f.Reason, len(f.Detail))
		}
	}
}

// The reasons are told apart, in words that are not Go's.
func TestReasons(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	tests := map[string]struct {
		url    string
		want   healthcheck.Reason
		detail string // its beginning
	}{
		"refused": {"http://" + closed, healthcheck.Refused, closed + ": connection refused"},
		"dns":     {"http://no-such-host.invalid/", healthcheck.DNS, "no-such-host.invalid: "},
		"timeout": {
			serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), healthcheck.Timeout,
			"it does not answer",
		},
		"hangs up": {"http://" + talker(t, ""), healthcheck.Unreachable, "the connection was closed before"},
		"no http":  {"http://" + talker(t, "SSH-2.0-x\r\n"), healthcheck.Unreachable, "malformed HTTP"},
		"bad url":  {"http://%zz", healthcheck.Unreachable, `parse "http://%zz": `},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			timeout := 5 * time.Second
			if tt.want == healthcheck.Timeout {
				timeout = 50 * time.Millisecond
			}
			f := probe(t, healthcheck.HTTP{URL: tt.url, Timeout: timeout})
			if f == nil || f.Reason != tt.want || !strings.HasPrefix(f.Detail, tt.detail) {
				t.Errorf("got %v, want %s: %s", f, tt.want, tt.detail)
			}
		})
	}
}

// talker accepts connections, reads, says something that is no HTTP, and hangs up.
func talker(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1<<10)) // what is not read would end the connection with a reset
			fmt.Fprint(c, says)
			c.Close()
		}
	}()
	return l.Addr().String()
}

// A proxy from the environment is not used, and connections are not kept.
func TestOwnConnections(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	seen := map[string]bool{}
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen[r.RemoteAddr] = true })
	for range 3 {
		if f := probe(t, healthcheck.HTTP{URL: url}); f != nil {
			t.Fatal(f)
		}
	}
	if len(seen) != 3 {
		t.Errorf("3 probes came from %d connections", len(seen))
	}
}

func TestBodyIsPosted(t *testing.T) {
	got := ""
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b := make([]byte, 100)
		n, _ := r.Body.Read(b)
		got = r.Method + " " + r.Header.Get("Content-Type") + " " + string(b[:n])
	})
	if f := probe(t, healthcheck.HTTP{URL: url, Body: `{"a":1}`}); f != nil {
		t.Fatal(f)
	}
	if got != `POST application/json {"a":1}` {
		t.Errorf("the service got %q", got)
	}
}

// script is a probe that answers from a list; its last answer repeats.
type script struct {
	answers []error
	asked   int
}

func (s *script) Probe(context.Context) error {
	i := min(s.asked, len(s.answers)-1)
	s.asked++
	return s.answers[i]
}

var errA, errB = errors.New("a"), errors.New("b")

// Readiness takes successes in a row; each new reason is told once.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []error{errA, errA, nil, errB, errA, nil, nil}}
		var told []string
		begun := time.Now()
		err := healthcheck.Rule{
			Period: time.Second, Successes: 2,
		}.Await(t.Context(), s, func(err error) { told = append(told, err.Error()) })
		if took := time.Since(begun); err != nil || s.asked != 7 || took < 6*time.Second ||
			took > 6600*time.Millisecond {
			t.Errorf("%v after %d probes and %v", err, s.asked, took)
		}
		if diff := cmp.Diff([]string{"a", "b", "a"}, told); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 90*time.Second, errB)
		defer cancel()
		err := healthcheck.Rule{Period: time.Second}.Await(ctx, &script{answers: []error{errA}}, func(error) {})
		if !errors.Is(err, errB) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

// A service is lost after failures in a row, and back after successes in a row; each change is told once.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s := &script{answers: []error{nil, errA, nil, errA, errA, errB, errA, nil, errA, nil, nil, nil}}
		var told []string
		healthcheck.Rule{Period: time.Second, Successes: 2, Failures: 3}.Watch(ctx, s, func(err error) {
			told = append(told, fmt.Sprintf("%d %v", s.asked, err))
		})
		if diff := cmp.Diff([]string{"6 b", "11 <nil>"}, told); diff != "" {
			t.Error(diff)
		}
	})
}

// Many probes that begin together do not stay together.
func TestProbesDriftApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		begun, at := time.Now(), map[time.Duration]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				healthcheck.Rule{Period: time.Second}.Watch(ctx, probeFunc(func() error {
					mu.Lock()
					defer mu.Unlock()
					at[time.Since(begun).Round(time.Millisecond)]++
					return nil
				}), func(error) {})
			})
		}
		wg.Wait()
		late := 0
		for when, n := range at {
			if when > 50*time.Second {
				late = max(late, n)
			}
		}
		if late > 10 {
			t.Errorf("%d of 50 probes were asked in the same millisecond", late)
		}
	})
}

type probeFunc func() error

func (f probeFunc) Probe(context.Context) error { return f() }

// A service that goes on is not stalled, however long; one that stops is, and only the time from the watch on counts.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := healthcheck.NewStall(regexp.MustCompile(`^iter = \d+`), 10*time.Second)
		time.Sleep(time.Hour) // nobody watches yet
		go func() {
			for i := range 5 {
				time.Sleep(9 * time.Second)
				s.Line(fmt.Sprintf("iter = %d", i))
			}
			for range 20 {
				time.Sleep(time.Second)
				s.Line("still alive")
			}
		}()
		begun := time.Now()
		idle, ok := s.Watch(t.Context())
		if took := time.Since(begun); !ok || took != 55*time.Second || idle != 10*time.Second {
			t.Errorf("%v, idle for %v, after %v", ok, idle, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		if _, ok := s.Watch(ctx); ok {
			t.Error("stalled before the time was over")
		}
		time.Sleep(20 * time.Second)
	})
}

// A service that works may be too busy to answer, not refuse, and not answer badly; one that does nothing is given no
// time.
func TestBusyServiceIsExcused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for reason, healthy := range map[healthcheck.Reason]bool{
			healthcheck.Timeout: true, healthcheck.Refused: false, healthcheck.Status: false,
		} {
			work := healthcheck.NewProgress(regexp.MustCompile(`^iter`))
			probe := healthcheck.Excuse(probeFunc(func() error {
				time.Sleep(time.Second)
				return &healthcheck.Failure{Reason: reason}
			}), work.Work)
			time.AfterFunc(time.Second/2, func() { work.Line("iter = 1") })
			if err := probe.Probe(t.Context()); (err == nil) != healthy {
				t.Errorf("%s: it works, and the probe says %v", reason, err)
			}
			time.AfterFunc(time.Second/2, func() { work.Line("still waiting") })
			if err := probe.Probe(t.Context()); err == nil {
				t.Errorf("%s: it does nothing, and is excused", reason)
			}
		}
	})
}

// Any answer is one where the status does not matter.
func TestAnyStatus(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if f := probe(t, healthcheck.HTTP{URL: url, AnyStatus: true}); f != nil {
		t.Error(f)
	}
	if f := probe(t, healthcheck.HTTP{URL: url}); f == nil || f.Reason != healthcheck.Status {
		t.Error(f)
	}
}

// A body must say what it is expected to, in JSON.
func TestExpectedBody(t *testing.T) {
	tests := map[string]struct {
		body, path, want string
		healthy          bool
	}{
		"text":           {`{"status":"healthy"}`, "status", "healthy", true},
		"other text":     {`{"status":"unhealthy"}`, "status", "healthy", false},
		"pattern":        {`{"choices":[{"text":" a b"}]}`, "choices.0.text", `(?s).*\S.*`, true},
		"empty answer":   {`{"choices":[{"text":""}]}`, "choices.0.text", ".+", false},
		"number":         {`{"instances":{"n":2}}`, "instances.n", "[1-9]\\d*", true},
		"truth":          {`{"ready":true}`, "ready", "true", true},
		"no such path":   {`{"a":1}`, "b.c", ".*", false},
		"no such index":  {`[1]`, "1", ".*", false},
		"not one value":  {`{"a":{}}`, "a", ".*", false},
		"not JSON":       {`<html>`, "a", ".*", false},
		"deep in a text": {`{"a":"b"}`, "a.b", ".*", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expect, err := healthcheck.ParseConditions(map[string]string{tt.path: tt.want})
			if err != nil {
				t.Fatal(err)
			}
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) })
			f := probe(t, healthcheck.HTTP{URL: url, Expect: expect})
			if (f == nil) != tt.healthy || f != nil && f.Reason != healthcheck.Body {
				t.Errorf("got %v", f)
			}
		})
	}
	if _, err := healthcheck.ParseConditions(map[string]string{"a": "("}); err == nil {
		t.Error("a broken condition was accepted")
	}
}

func failure(t *testing.T, p healthcheck.Probe) *healthcheck.Failure {
	t.Helper()
	err := p.Probe(t.Context())
	var f *healthcheck.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("got %v, want a *Failure", err)
	}
	return f
}

// One value of an answer can be asked for.
func TestText(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, want, err string }{
		"a text":        {`{"version": "1.2.0"}`, "1.2.0", ""},
		"a number":      {`{"version": 2}`, "2", ""},
		"another value": {`{"v": "1.2.0"}`, "", `body: version is missing: {"v": "1.2.0"}`},
		"not one value": {`{"version": {"major": 1}}`, "", `body: version is missing: {"version": {"major": 1}}`},
		"no JSON":       {`1.2.0`, "", "body: it is not JSON: 1.2.0"},
		"too long":      {`{"version": "` + strings.Repeat("x", 1<<20) + `"}`, "", "body: it is not JSON: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := healthcheck.HTTP{Timeout: time.Minute}
			h.URL = serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) })
			got, err := h.Text(t.Context(), "version")
			if got != tt.want || (err == nil) != (tt.err == "") ||
				err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

var patient = healthcheck.Tries{Bound: 5 * time.Second}

func TestTCP(t *testing.T) {
	if f := failure(t, healthcheck.TCP{Address: talker(t, ""), Tries: patient}); f != nil {
		t.Error(f)
	}
	if f := failure(t, healthcheck.TCP{Address: "127.0.0.1:1", Tries: patient}); f == nil ||
		f.Reason != healthcheck.Refused {
		t.Errorf("got %v", f)
	}
}

// A host that does not answer at all is tried until the time is over.
func TestTCPTimeout(t *testing.T) {
	_, address := full(t)
	probe := healthcheck.TCP{
		Address: address,
		Tries:   healthcheck.Tries{Most: 4, Pause: 50 * time.Millisecond, Bound: 300 * time.Millisecond},
	}
	if f := failure(t, probe); f == nil || f.Reason != healthcheck.Timeout {
		t.Errorf("got %v", f)
	}
}

// What is answered while the process stands still counts, although the time is over when it goes on.
func TestTCPStandsStill(t *testing.T) {
	const addressVar = "CONNECT_TO"
	if address := os.Getenv(addressVar); address != "" {
		fmt.Println("begins")
		err := healthcheck.Connect(t.Context(), address, healthcheck.Tries{Bound: 500 * time.Millisecond})
		fmt.Println("ends:", err)
		return
	}
	fd, address := full(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTCPStandsStill$")
	cmd.Env = append(os.Environ(), addressVar+"="+address)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "begins" {
	}
	check.Eventually(t, "it connects", func() bool { return connecting(t, address) })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	client, _, err := unix.Accept(fd) // there is room now for the packet that the kernel sends again after a second
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(client)
	check.Eventually(t, "it is answered", func() bool { return !connecting(t, address) })
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "ends: <nil>" {
		t.Errorf("%q", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// connecting tells whether somebody waits for the first answer of a listener.
func connecting(t *testing.T, address string) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	const synSent = "02"
	_, port, _ := strings.Cut(address, ":")
	n, _ := strconv.Atoi(port)
	return strings.Contains(string(table), fmt.Sprintf("0100007F:%04X %s", n, synSent))
}

// full is a listener that takes nobody any more, and its address: the kernel drops what is sent there.
func full(t *testing.T) (listener int, address string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(fd, loopback), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address = fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return fd, address
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

func TestCommand(t *testing.T) {
	tests := map[string]struct {
		run  func(context.Context) ([]byte, int, error)
		want healthcheck.Reason
	}{
		"good":    {func(context.Context) ([]byte, int, error) { return nil, 0, nil }, ""},
		"bad":     {func(context.Context) ([]byte, int, error) { return []byte("no"), 3, nil }, healthcheck.Exit},
		"not run": {func(context.Context) ([]byte, int, error) { return nil, 0, os.ErrNotExist }, healthcheck.Exit},
		"slow": {func(ctx context.Context) ([]byte, int,
			error) {
			<-ctx.Done()
			return nil, 137, nil
		}, healthcheck.Timeout},
	}
	for name, tt := range tests {
		f := failure(t, healthcheck.Command{Run: tt.run, Timeout: 50 * time.Millisecond})
		if (f == nil) != (tt.want == "") || f != nil && f.Reason != tt.want {
			t.Errorf("%s: got %v", name, f)
		}
	}
}

func TestLogLine(t *testing.T) {
	p := healthcheck.NewLogLine(regexp.MustCompile("listening on"))
	p.Line("loading")
	if f := failure(t, p); f == nil || f.Reason != healthcheck.Missing {
		t.Errorf("got %v", f)
	}
	p.Line("now listening on port 1")
	p.Line("more")
	if f := failure(t, p); f != nil {
		t.Error(f)
	}
}

// Whatever a body holds, a condition on it neither fails the prober nor is met by what is not there.
func FuzzExpectedBody(f *testing.F) {
	f.Add(`{"a":[{"b":1}]}`, "a.0.b")
	f.Add(`[[[]]]`, "0.0.0")
	f.Fuzz(func(t *testing.T, body, path string) {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		expect, err := healthcheck.ParseConditions(map[string]string{path: `[^\x00-\x{10FFFF}]`}) // nothing matches
		if err != nil {
			t.Fatal(err)
		}
		if f := probe(t, healthcheck.HTTP{URL: url, Expect: expect}); f == nil {
			t.Error("an impossible condition is met")
		}
	})
}

// An address counts only when it is whole.
func TestWaitAddress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dir", "address")
	got := make(chan string)
	go func() {
		addr, err := healthcheck.WaitAddress(t.Context(), file, nil)
		if err != nil {
			addr = err.Error()
		}
		got <- addr
	}()
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "host", "host:", ":80", "host:0", "host:70000", "host:port", "[::1]:8001\n"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond) // longer than it looks away
	}
	select {
	case addr := <-got:
		if addr != "[::1]:8001" {
			t.Errorf("got %q", addr)
		}
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
	}
}
