package healthcheck

import (
	"context"
	"encoding/json"
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
	// AnyStatus takes any answer: who answers, lives.
	AnyStatus bool
}

// maxBody is how much of an answer is read where a condition is set on it, in bytes.
const maxBody = 1 << 20

// Probe sends one request.
func (h HTTP) Probe(ctx context.Context) error {
	limit := int64(detailSize)
	if len(h.Expect) > 0 {
		limit = maxBody
	}
	body, err := h.ask(ctx, limit)
	if err != nil {
		return err
	}
	if fault := h.Expect.fault(body); fault != "" {
		return &Failure{Reason: Body, Detail: detail([]byte(fault + ": " + string(body)))}
	}
	return nil
}

// Text sends one request and returns the value at a path of the answer's JSON, as text. Conditions are not looked at.
func (h HTTP) Text(ctx context.Context, path string) (string, error) {
	body, err := h.ask(ctx, maxBody)
	if err != nil {
		return "", err
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return "", &Failure{Reason: Body, Detail: detail([]byte("it is not JSON: " + string(body)))}
	}
	text, ok := lookUp(v, path)
	if !ok {
		return "", &Failure{Reason: Body, Detail: detail([]byte(path + " is missing: " + string(body)))}
	}
	return text, nil
}

// ask sends one request and returns the body of a good answer, or its first limit bytes.
func (h HTTP) ask(ctx context.Context, limit int64) ([]byte, error) {
	ctx, cancel := Within(ctx, h.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, h.method(), h.URL, strings.NewReader(h.Body))
	if err != nil {
		return nil, &Failure{Reason: Unreachable, Detail: err.Error()}
	}
	if h.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, networkFailure(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	switch code := resp.StatusCode; {
	case !h.AnyStatus && (code < 200 || code > 299):
		return nil, &Failure{Reason: Status, Detail: strings.TrimSpace(fmt.Sprintf("%d %s", code, detail(body)))}
	case err != nil:
		return nil, networkFailure(err)
	}
	return body, nil
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
