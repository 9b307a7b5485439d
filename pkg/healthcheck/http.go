package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Probe asks once. It returns nil if the service is healthy, else a [*Failure].
type Probe interface {
	Probe(ctx context.Context) error
}

// Reason is why a probe failed.
type Reason string

// The reasons.
const (
	Refused     Reason = "refused"     // nobody listens
	DNS         Reason = "dns"         // the host's name is unknown
	Timeout     Reason = "timeout"     // no answer in time
	Status      Reason = "status"      // an answer other than 2xx
	Unreachable Reason = "unreachable" // any other fault of the network
)

// Failure tells why a service is not healthy.
type Failure struct {
	Reason Reason
	Detail string // what the service or the network said, at most detailSize bytes of it
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Detail
}

// detailSize is how much of an answer is kept, in bytes.
const detailSize = 512

// HTTP probes a URL.
type HTTP struct {
	URL     string
	Method  string        // "" is GET, or POST if there is a body
	Body    string        // JSON
	Timeout time.Duration // of one probe
}

// Probe sends one request.
func (h HTTP) Probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, h.method(), h.URL, strings.NewReader(h.Body))
	if err != nil {
		return &Failure{Reason: Unreachable, Detail: err.Error()}
	}
	if h.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return networkFailure(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, detailSize))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &Failure{Reason: Status, Detail: strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, body))}
	case err != nil:
		return networkFailure(err)
	}
	return nil
}

func (h HTTP) method() string {
	switch {
	case h.Method != "":
		return h.Method
	case h.Body != "":
		return http.MethodPost
	}
	return http.MethodGet
}

func networkFailure(err error) *Failure {
	f := &Failure{Reason: Unreachable, Detail: err.Error()}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Reason = Refused
	case errors.As(err, &dns):
		f.Reason = DNS
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Reason = Timeout
	}
	return f
}
