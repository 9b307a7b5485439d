package healthcheck

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// HTTP probes a URL.
type HTTP struct {
	URL     string
	Method  string        // "" is GET, or POST if there is a body
	Body    string        // JSON; for some engines only a real inference tells the truth
	Expect  Conditions    // what the answer's body must say; none: 2xx is enough
	Timeout time.Duration // of one probe
}

// maxBody is how much of an answer is read where a condition is set on it, in bytes.
const maxBody = 1 << 20

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
	return h.judge(resp)
}

func (h HTTP) judge(resp *http.Response) error {
	limit := int64(detailSize)
	if len(h.Expect) > 0 {
		limit = maxBody
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return &Failure{Reason: Status, Detail: strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, detail(body)))}
	case err != nil:
		return networkFailure(err)
	}
	if fault := h.Expect.fault(body); fault != "" {
		return &Failure{Reason: Body, Detail: detail([]byte(fault + ": " + string(body)))}
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
