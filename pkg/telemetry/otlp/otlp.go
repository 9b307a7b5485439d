// Package otlp sends the trace and the gauges of a run to an OpenTelemetry collector, by OTLP over HTTP.
//
// Rules:
//   - Where to is said by a URL, or by OpenTelemetry's own environment variables, which also say what else there is to
//     say (headers, certificates, compression). A collector that redirects elsewhere gets nothing there.
//   - Spans keep the ids and the times that they have: the library makes neither.
//   - It takes no longer than its context.
package otlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/disagg/disagg/pkg/telemetry"
)

// Form is what the URL of a collector looks like.
const Form = "http://HOST:PORT or https://HOST/PATH, below which v1/traces and v1/metrics are"

// Check tells whether a URL can be that of a collector.
func Check(rawURL string) error {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return fmt.Errorf("cannot export: the URL of the collector cannot be read: want %s", Form)
	case u.User != nil:
		return fmt.Errorf("cannot export to %s: a user or password in the URL would be shown: set "+
			"OTEL_EXPORTER_OTLP_HEADERS", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "": // there may be a key in it
		shown, _, _ := strings.Cut(strings.ReplaceAll(rawURL, "#", "?"), "?")
		return fmt.Errorf("cannot export to %q with what follows it: want %s", shown, Form)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("cannot export to %q: want %s", rawURL, Form)
	}
	return nil
}

// signal is one of the two things that are sent.
type signal struct {
	what string
	name string // in the names of variables
	path string // below the URL of the collector
}

var (
	traces  = signal{"trace", "TRACES", "v1/traces"}
	metrics = signal{"metrics", "METRICS", "v1/metrics"}
)

// Named tells whether OpenTelemetry's variables name a collector.
func Named() bool { return traces.wanted("") || metrics.wanted("") }

// wanted tells whether a signal is sent: to a URL, or (with "") to what the environment names.
func (s signal) wanted(rawURL string) bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_"+s.name+"_EXPORTER") == "none" {
		return false
	}
	return rawURL != "" || s.endpoint() != ""
}

func (s signal) variable(name string) string {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_"+s.name+"_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
}

func (s signal) endpoint() string { return s.variable("ENDPOINT") }

// target is where a signal goes, for people and for the exporter; it is checked.
func (s signal) target(rawURL string) (string, error) {
	if rawURL != "" {
		if err := Check(rawURL); err != nil {
			return "", err
		}
		return strings.TrimSuffix(rawURL, "/") + "/" + s.path, nil
	}
	if p := s.variable("PROTOCOL"); p != "" && p != "http/protobuf" {
		return "", fmt.Errorf("cannot export the %s: OTEL_EXPORTER_OTLP_PROTOCOL is %q: want http/protobuf, or pass "+
			"--otlp URL", s.what, p)
	}
	if err := Check(s.endpoint()); err != nil {
		return "", fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	return s.endpoint(), nil
}

// Sent is something that a collector took.
type Sent struct {
	What string // the trace, or the metrics
	To   string // URL
}

// Export sends a run to the collector at a URL; "": to the one that OpenTelemetry's variables name. It tells what
// was sent, also when it fails.
func Export(ctx context.Context, rawURL string, r telemetry.Run) (sent []Sent, err error) {
	about, err := resource.New(ctx, resource.WithAttributes(serviceAttributes(r)...), resource.WithTelemetrySDK(),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("cannot export: OTEL_RESOURCE_ATTRIBUTES cannot be read: %w", err)
	}
	var faults []error
	for _, s := range []struct {
		signal
		send func(context.Context, string, *resource.Resource, telemetry.Run) error
	}{{traces, sendTrace}, {metrics, sendMetrics}} {
		if !s.wanted(rawURL) {
			continue
		}
		if ctx.Err() != nil {
			if len(faults) == 0 { // else it is known who took the time
				faults = append(faults, fmt.Errorf("cannot send the %s: no time is left", s.what))
			}
			continue
		}
		target, err := s.target(rawURL)
		if err == nil {
			if err = s.send(ctx, only(rawURL, target), about, r); err != nil {
				err = fmt.Errorf("cannot send the %s to %s: %w", s.what, target, plain(err))
			}
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		sent = append(sent, Sent{s.what, target})
	}
	return sent, errors.Join(faults...)
}

// only is what the exporter is told: nothing where the environment says it all.
func only(rawURL, target string) string {
	if rawURL == "" {
		return ""
	}
	return target
}

// plain is an error of the library in fewer words.
func plain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it did not answer in time")
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// firstRetry is how long a collector that is busy is left alone; the context says when it is enough.
const firstRetry = 200 * time.Millisecond

func sendTrace(ctx context.Context, target string, about *resource.Resource, r telemetry.Run) error {
	options := []otlptracehttp.Option{
		otlptracehttp.WithProxy(stay()), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: firstRetry, MaxInterval: time.Second,
		}),
	}
	if target != "" {
		options = append(options, otlptracehttp.WithEndpointURL(target))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return err
	}
	return errors.Join(exporter.ExportSpans(ctx, spans(r, about)), exporter.Shutdown(ctx))
}

func sendMetrics(ctx context.Context, target string, about *resource.Resource, r telemetry.Run) error {
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithProxy(stay()), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{
			Enabled: true, InitialInterval: firstRetry, MaxInterval: time.Second,
		}),
	}
	if target != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(target))
	}
	exporter, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		return err
	}
	return errors.Join(exporter.Export(ctx, resourceMetrics(r, about)), exporter.Shutdown(ctx))
}

// stay chooses the proxy of a request, and refuses one that the collector's answer sends elsewhere: the library follows
// redirects, and would take the answer to a GET for one to what was sent.
func stay() func(*http.Request) (*url.URL, error) {
	first := ""
	return func(r *http.Request) (*url.URL, error) {
		server := r.URL.Scheme + "://" + r.URL.Host
		if first = cmp.Or(first, server); server != first || r.Method != http.MethodPost {
			return nil, fmt.Errorf("it redirects to %s: name that", r.URL.Redacted())
		}
		return http.ProxyFromEnvironment(r)
	}
}
