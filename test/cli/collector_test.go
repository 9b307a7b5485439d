package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is a server that takes traces, metrics and notices.
type collector struct {
	mu    sync.Mutex
	spans map[string]int // by name
	keys  map[string]int // of notices, by their ids
	away  bool           // it takes no notice for now
	fault error
}

// newCollector starts a collector, whose URL is $COLLECTOR; it ends with the script.
func newCollector(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: collector")
	}
	c := &collector{spans: map[string]int{}, keys: map[string]int{}}
	server := httptest.NewServer(c)
	ts.Setenv("COLLECTOR", server.URL)
	collectors.Store(ts, c)
	ts.Defer(func() { server.Close(); collectors.Delete(ts) })
}

// collectors are those of the scripts.
var collectors sync.Map

func collectorOf(ts *testscript.TestScript) *collector {
	c, ok := collectors.Load(ts)
	if !ok {
		ts.Fatalf("there is no collector: begin with the command collector")
	}
	return c.(*collector)
}

// ServeHTTP implements http.Handler.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/v1/traces":
		var m coltrace.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(data, &m)
		}
		for _, rs := range m.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					c.spans[s.Name]++
				}
			}
		}
	case "/v1/metrics":
	case "/hook":
		if c.away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.keys[r.Header.Get("Idempotency-Key")]++
	default:
		err = fmt.Errorf("nobody is to ask for %s", r.URL.Path)
	}
	if err != nil {
		c.fault = err
	}
}

// spans NAME N: the collector was sent so many spans of a name.
func spans(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spans NAME N")
	}
	c := collectorOf(ts)
	c.mu.Lock()
	defer c.mu.Unlock()
	ts.Check(c.fault)
	if got := strconv.Itoa(c.spans[args[0]]); got != args[1] {
		ts.Fatalf("there are %s spans %s, want %s, of %v", got, args[0], args[1], c.spans)
	}
}

// notices N: the collector was sent so many notices, each once.
func notices(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: notices N")
	}
	c := collectorOf(ts)
	c.mu.Lock()
	defer c.mu.Unlock()
	ts.Check(c.fault)
	for key, n := range c.keys {
		if key == "" || n != 1 {
			ts.Fatalf("the notice %q was sent %d times", key, n)
		}
	}
	if got := strconv.Itoa(len(c.keys)); got != args[0] {
		ts.Fatalf("there are %s notices, want %s", got, args[0])
	}
}

// away yes|no: the collector takes no notices for now, or takes them again.
func away(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || args[0] != "yes" && args[0] != "no" {
		ts.Fatalf("usage: away yes|no")
	}
	c := collectorOf(ts)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = args[0] == "yes"
}
