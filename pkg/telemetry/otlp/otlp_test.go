package otlp_test

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"

	"github.com/disagg/disagg/pkg/telemetry"
	"github.com/disagg/disagg/pkg/telemetry/otlp"
	"github.com/disagg/disagg/test/runs"
)

func died() telemetry.Run { return telemetry.Build(runs.Died(), runs.Submitted) }

// export exports a run that died, within a minute.
func export(t *testing.T, url string) ([]otlp.Sent, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return otlp.Export(ctx, url, died())
}

// A collector gets every span of the run with its ids, its times, its status and its events, and every gauge.
func TestExport(t *testing.T) {
	r := newReceiver(t)
	sent, err := export(t, r.URL+"/base/")
	if err != nil {
		t.Fatal(err)
	}
	want := []otlp.Sent{{"trace", r.URL + "/base/v1/traces"}, {"metrics", r.URL + "/base/v1/metrics"}}
	if !slices.Equal(sent, want) {
		t.Errorf("it was sent to %q, want %q", sent, want)
	}
	run, got := died(), r.traces[0].ResourceSpans[0]
	if name := attribute(got.Resource.Attributes, "service.name"); name != "disagg" {
		t.Errorf("the service is %q", name)
	}
	spans := got.ScopeSpans[0].Spans
	if len(spans) != len(run.Spans) {
		t.Fatalf("%d spans were sent, want %d", len(spans), len(run.Spans))
	}
	for i, want := range run.Spans {
		checkSpan(t, run, want, spans[i])
	}
	families := r.metrics[0].ResourceMetrics[0].ScopeMetrics[0].Metrics
	if len(families) != len(run.Gauges) {
		t.Fatalf("%d gauges were sent, want %d", len(families), len(run.Gauges))
	}
	for i, want := range run.Gauges {
		points := families[i].GetGauge().GetDataPoints()
		if families[i].Name != want.Name || families[i].Unit != want.Unit || len(points) != len(want.Samples) {
			t.Errorf("gauge %s [%s] has %d points", families[i].Name, families[i].Unit, len(points))
			continue
		}
		for j, s := range want.Samples {
			if p := points[j]; p.GetAsDouble() != s.Value || p.TimeUnixNano != uint64(run.End.UnixNano()) ||
				len(p.Attributes) != len(s.Labels) {
				t.Errorf("gauge %s has the point %v", want.Name, p)
			}
		}
	}
}

func checkSpan(t *testing.T, run telemetry.Run, want telemetry.Span, got *tracepb.Span) {
	t.Helper()
	parent := hex.EncodeToString(want.Parent[:])
	if want.Parent == ([8]byte{}) {
		parent = ""
	}
	if got.Name != want.Name || !slices.Equal(got.TraceId, run.Trace[:]) || !slices.Equal(got.SpanId, want.ID[:]) ||
		hex.EncodeToString(got.ParentSpanId) != parent {
		t.Errorf("span %s is sent as %s %x %x below %x", want.Name, got.Name, got.TraceId, got.SpanId, got.ParentSpanId)
	}
	if got.StartTimeUnixNano != uint64(want.Begin.UnixNano()) || got.EndTimeUnixNano != uint64(want.End.UnixNano()) {
		t.Errorf("span %s is from %d to %d", want.Name, got.StartTimeUnixNano, got.EndTimeUnixNano)
	}
	status := tracepb.Status_STATUS_CODE_UNSET
	if want.Status == telemetry.Failed {
		status = tracepb.Status_STATUS_CODE_ERROR
	}
	if got.GetStatus().GetCode() != status || got.GetStatus().GetMessage() != want.Message {
		t.Errorf("span %s has the status %v", want.Name, got.Status)
	}
	if len(got.Events) != len(want.Events) || len(got.Attributes) != len(want.Attributes) {
		t.Fatalf("span %s has %d events and %d attributes", want.Name, len(got.Events), len(got.Attributes))
	}
	for i, e := range want.Events {
		if got.Events[i].Name != e.Name || got.Events[i].TimeUnixNano != uint64(e.At.UnixNano()) ||
			len(got.Events[i].Attributes) != len(e.Attributes) {
			t.Errorf("span %s has the event %v", want.Name, got.Events[i])
		}
	}
}

func attribute(list []*v1.KeyValue, key string) string {
	for _, kv := range list {
		if kv.Key == key {
			return kv.Value.GetStringValue()
		}
	}
	return ""
}

// A second export is the same trace, to the byte.
func TestExportTwice(t *testing.T) {
	r := newReceiver(t)
	for range 2 {
		if _, err := export(t, r.URL); err != nil {
			t.Fatal(err)
		}
	}
	if !proto.Equal(r.traces[0], r.traces[1]) {
		t.Errorf("the second trace differs:\n%v\n%v", r.traces[0], r.traces[1])
	}
	if !proto.Equal(r.metrics[0], r.metrics[1]) {
		t.Errorf("the second metrics differ")
	}
}

// OpenTelemetry's own variables say where to and how, and what is not wanted; a URL takes the place of theirs.
func TestEnvironment(t *testing.T) {
	if otlp.Named() {
		t.Skip("the environment of this test names a collector")
	}
	r, other := newReceiver(t), newReceiver(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL+"/base")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret")
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=perf")
	t.Setenv("OTEL_SERVICE_NAME", "nightly")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	t.Setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	if !otlp.Named() {
		t.Error("the environment names a collector")
	}
	if sent, err := export(t, ""); err != nil || len(sent) != 1 || len(r.traces) != 1 || len(r.metrics) != 0 {
		t.Fatalf("sent to %q, %d traces and %d metrics: %v", sent, len(r.traces), len(r.metrics), err)
	}
	if got := r.headers[0].Get("Authorization"); got != "Bearer secret" {
		t.Errorf("the header is %q", got)
	}
	got := r.traces[0].ResourceSpans[0]
	about := got.Resource.Attributes
	if attribute(about, "team") != "perf" || attribute(about, "service.name") != "nightly" {
		t.Errorf("the resource is %v", about)
	}
	if root := got.ScopeSpans[0].Spans[0]; len(root.Attributes) < 10 {
		t.Errorf("the first span has %d attributes", len(root.Attributes))
	}
	if _, err := export(t, other.URL); err != nil || len(other.traces) != 1 || len(r.traces) != 1 {
		t.Errorf("%d and %d traces: %v", len(other.traces), len(r.traces), err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	if _, err := export(t, ""); err == nil || !strings.Contains(err.Error(), `is "grpc": want http/protobuf`) {
		t.Errorf("another protocol: %v", err)
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	if otlp.Named() {
		t.Error("what is switched off names a collector")
	}
}

// A collector that is busy is asked again; one that takes only a part says so.
func TestAnswers(t *testing.T) {
	r := newReceiver(t)
	asked := 0
	r.answer = func(*http.Request) int {
		if asked++; asked == 1 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if _, err := export(t, r.URL); err != nil || len(r.traces) != 1 {
		t.Errorf("busy: %v", err)
	}
	r.answer = func(*http.Request) int { return http.StatusUnauthorized }
	_, err := export(t, r.URL)
	if err == nil || !strings.Contains(err.Error(), "cannot send the trace to "+r.URL+"/v1/traces: ") ||
		!strings.Contains(err.Error(), "401") {
		t.Errorf("refused: %v", err)
	}
	r.answer, r.reply = nil, &coltrace.ExportTraceServiceResponse{PartialSuccess: &coltrace.ExportTracePartialSuccess{
		RejectedSpans: 3, ErrorMessage: "three are too old",
	}}
	if _, err := export(t, r.URL); err == nil || !strings.Contains(err.Error(), "three are too old") {
		t.Errorf("a part: %v", err)
	}
}

// Where a collector redirects to, nothing is sent that is not the collector itself; and the answer to a GET, which a
// redirect may make of what was sent, is not taken for one.
func TestRedirects(t *testing.T) {
	for name, status := range map[string]int{"307": http.StatusTemporaryRedirect, "302": http.StatusFound} {
		got := 0
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got++ }))
		defer other.Close()
		first := httptest.NewServer(http.RedirectHandler(other.URL, status))
		defer first.Close()
		if _, err := export(t, first.URL); err == nil || !strings.Contains(err.Error(), "it redirects to "+other.URL) {
			t.Errorf("%s: %v", name, err)
		}
		if got > 0 {
			t.Errorf("%s: the other server was asked", name)
		}
	}
}

// A collector that does not answer costs no more than the time that there is, and one that is not there is named.
func TestSilence(t *testing.T) {
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer silent.Close()
	defer close(over)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := otlp.Export(ctx, silent.URL, died())
	if err == nil || !strings.Contains(err.Error(), "it did not answer in time") {
		t.Errorf("silent: %v", err)
	}
	sent, err := otlp.Export(ctx, silent.URL, died())
	if err == nil || err.Error() != "cannot send the trace: no time is left" || len(sent) > 0 {
		t.Errorf("when the time is over: %v, sent %v", err, sent)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	if _, err = export(t, "http://"+address); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("not there: %v", err)
	}
}

// A URL that cannot be a collector's is refused, and no secret of it is shown.
func TestCheck(t *testing.T) {
	for url, good := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://host/otlp/": true, "host:4318": false, "grpc://host:4317": false,
		"http://": false, "http://u:secret@host": false, "http://host?api=secret": false, "http://host#secret": false,
		"http://host/%zz?secret": false, "": false,
	} {
		err := otlp.Check(url)
		if (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}
