package otlp

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/disagg/disagg/pkg/telemetry"
)

// scope names what made the spans and metrics.
const scope = "github.com/disagg/disagg"

func serviceAttributes(r telemetry.Run) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("service.name", "disagg"), attribute.String("service.version", r.Tool),
	}
}

// spans are those of a run as the library has them.
func spans(r telemetry.Run, about *resource.Resource) []sdktrace.ReadOnlySpan {
	var made recorder
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithIDGenerator(given{}), sdktrace.WithResource(about), sdktrace.WithSpanProcessor(&made),
		sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithRawSpanLimits(sdktrace.SpanLimits{
			AttributeValueLengthLimit: -1, AttributeCountLimit: -1, EventCountLimit: -1, LinkCountLimit: -1,
			AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1,
		}))
	tracer := provider.Tracer(scope, trace.WithInstrumentationVersion(r.Tool))
	for _, s := range r.Spans {
		ctx := context.WithValue(context.Background(), givenKey{}, given{r.Trace, s.ID})
		if s.Parent != ([8]byte{}) {
			ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: r.Trace, SpanID: s.Parent, TraceFlags: trace.FlagsSampled,
			}))
		}
		add(ctx, tracer, s)
	}
	return made
}

func add(ctx context.Context, tracer trace.Tracer, s telemetry.Span) {
	_, span := tracer.Start(ctx, s.Name, trace.WithTimestamp(s.Begin), trace.WithAttributes(keyValues(s.Attributes)...))
	for _, e := range s.Events {
		span.AddEvent(e.Name, trace.WithTimestamp(e.At), trace.WithAttributes(keyValues(e.Attributes)...))
	}
	switch s.Status {
	case telemetry.Unsaid:
	case telemetry.Good:
		span.SetStatus(codes.Ok, "")
	case telemetry.Failed:
		span.SetStatus(codes.Error, s.Message)
	}
	span.End(trace.WithTimestamp(s.End))
}

func keyValues(attributes []telemetry.Attribute) (list []attribute.KeyValue) {
	for _, a := range attributes {
		switch v := a.Value.(type) {
		case string:
			list = append(list, attribute.String(a.Key, v))
		case int:
			list = append(list, attribute.Int(a.Key, v))
		case float64:
			list = append(list, attribute.Float64(a.Key, v))
		case bool:
			list = append(list, attribute.Bool(a.Key, v))
		}
	}
	return list
}

// given are the ids of the span that is begun with a context.
type given struct {
	trace trace.TraceID
	span  trace.SpanID
}

type givenKey struct{}

// NewIDs implements [sdktrace.IDGenerator].
func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	g, _ := ctx.Value(givenKey{}).(given)
	return g.trace, g.span
}

// NewSpanID implements [sdktrace.IDGenerator].
func (given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	g, _ := ctx.Value(givenKey{}).(given)
	return g.span
}

// recorder keeps the spans that have ended.
type recorder []sdktrace.ReadOnlySpan

// OnStart implements [sdktrace.SpanProcessor].
func (*recorder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements [sdktrace.SpanProcessor].
func (r *recorder) OnEnd(s sdktrace.ReadOnlySpan) { *r = append(*r, s) }

// Shutdown implements [sdktrace.SpanProcessor].
func (*recorder) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (*recorder) ForceFlush(context.Context) error { return nil }

// resourceMetrics are the gauges of a run, as they were at its end.
func resourceMetrics(r telemetry.Run, about *resource.Resource) *metricdata.ResourceMetrics {
	var list []metricdata.Metrics
	for _, g := range r.Gauges {
		var points []metricdata.DataPoint[float64]
		for _, s := range g.Samples {
			var labels []attribute.KeyValue
			for _, l := range s.Labels {
				labels = append(labels, attribute.String(l.Name, l.Value))
			}
			points = append(points, metricdata.DataPoint[float64]{
				Attributes: attribute.NewSet(labels...), Time: r.End, Value: s.Value,
			})
		}
		list = append(list, metricdata.Metrics{
			Name: g.Name, Description: g.Help, Unit: g.Unit, Data: metricdata.Gauge[float64]{DataPoints: points},
		})
	}
	return &metricdata.ResourceMetrics{Resource: about, ScopeMetrics: []metricdata.ScopeMetrics{{
		Scope: instrumentation.Scope{Name: scope, Version: r.Tool}, Metrics: list,
	}}}
}
