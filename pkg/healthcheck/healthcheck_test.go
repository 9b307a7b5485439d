package healthcheck_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/healthcheck"
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
	for code, healthy := range map[int]bool{200: true, 204: true, 299: true, 301: false, 404: false, 500: false, 503: false} {
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
		if f != nil && (f.Reason != healthcheck.Status || !strings.HasPrefix(f.Detail, fmt.Sprint(code)) || len(f.Detail) > 520) {
			t.Errorf("%d: reason %s, %d bytes of detail", code, f.Reason, len(f.Detail))
		}
	}
}

// The reasons are told apart.
func TestReasons(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	tests := map[string]struct {
		url  string
		want healthcheck.Reason
	}{
		"refused": {"http://" + closed, healthcheck.Refused},
		"dns":     {"http://no-such-host.invalid/", healthcheck.DNS},
		"timeout": {serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), healthcheck.Timeout},
		"no http": {"http://" + talker(t), healthcheck.Unreachable},
		"bad url": {"http://%zz", healthcheck.Unreachable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			timeout := 5 * time.Second
			if tt.want == healthcheck.Timeout {
				timeout = 50 * time.Millisecond
			}
			if f := probe(t, healthcheck.HTTP{URL: tt.url, Timeout: timeout}); f == nil || f.Reason != tt.want {
				t.Errorf("got %v, want %s", f, tt.want)
			}
		})
	}
}

// talker accepts connections and says something that is no HTTP.
func talker(t *testing.T) string {
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
			fmt.Fprint(c, "SSH-2.0-x\r\n")
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
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []error{errA, errA, nil, errB, errA, nil, nil}}
		var told []string
		begun := time.Now()
		err := healthcheck.Ready{Period: time.Second, Successes: 2}.Wait(t.Context(), s, func(err error) { told = append(told, err.Error()) })
		if err != nil || s.asked != 7 || time.Since(begun) != 6*time.Second {
			t.Errorf("%v after %d probes and %v", err, s.asked, time.Since(begun))
		}
		if diff := cmp.Diff([]string{"a", "b", "a"}, told); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReadyEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 90*time.Second, errB)
		defer cancel()
		err := healthcheck.Ready{Period: time.Second}.Wait(ctx, &script{answers: []error{errA}}, func(error) {})
		if !errors.Is(err, errB) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

// An address counts only when it is whole.
func TestWaitAddress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dir", "address")
	got := make(chan string)
	go func() {
		addr, err := healthcheck.WaitAddress(t.Context(), file)
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
