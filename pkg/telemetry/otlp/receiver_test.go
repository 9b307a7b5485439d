package otlp_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector that keeps what it is sent.
type receiver struct {
	*httptest.Server
	// answer is asked before a request is taken: with a status it is refused; nil: all are taken.
	answer func(*http.Request) int
	// reply is the body of the answer to a trace that is taken; nil: an empty one.
	reply *coltrace.ExportTraceServiceResponse

	mu      sync.Mutex
	headers []http.Header
	traces  []*coltrace.ExportTraceServiceRequest
	metrics []*colmetrics.ExportMetricsServiceRequest
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.headers = append(r.headers, req.Header)
	if r.answer != nil {
		if status := r.answer(req); status != 0 {
			http.Error(w, "not now", status)
			return
		}
	}
	body := req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(req.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	data, err := io.ReadAll(body)
	if err == nil {
		err = r.take(req.URL.Path, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	if r.reply != nil {
		if data, err = proto.Marshal(r.reply); err == nil {
			_, _ = w.Write(data)
		}
	}
}

func (r *receiver) take(path string, data []byte) error {
	switch path {
	case "/v1/traces", "/base/v1/traces":
		var m coltrace.ExportTraceServiceRequest
		r.traces = append(r.traces, &m)
		return proto.Unmarshal(data, &m)
	case "/v1/metrics", "/base/v1/metrics":
		var m colmetrics.ExportMetricsServiceRequest
		r.metrics = append(r.metrics, &m)
		return proto.Unmarshal(data, &m)
	}
	return http.ErrNotSupported
}
