package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/disagg/disagg/pkg/upload"
)

// mostAnswer is how much of an answer is read, in bytes.
const mostAnswer = 256 << 20

// statusError is an answer that is none of success.
type statusError struct {
	status int
	reason string
	after  time.Duration // that the server wants to be left alone
}

// Error implements error.
func (e *statusError) Error() string {
	return fmt.Sprintf("the server says %d: %s", e.status, e.reason)
}

// fate is what an error of a request means for everything that was sent with it.
func fate(err error) upload.Outcome {
	var e *statusError
	if !errors.As(err, &e) {
		return upload.Failed(upload.Later, err)
	}
	o := upload.Failed(upload.Later, err)
	o.RetryAfter = e.after
	switch e.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		o.Fate = upload.Apart
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		o.Fate = upload.Denied
	}
	return o
}

// refused wraps an error that says that our credentials are not good.
func refused(err error) error {
	if err != nil && fate(err).Fate == upload.Denied {
		return upload.Refused(err)
	}
	return err
}

// do sends a request and decodes the answer into v, if it is not nil.
func (s *sink) do(ctx context.Context, method, path, contentType string, body []byte, v any) error {
	r, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := s.client.Perform(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if answer.StatusCode >= http.StatusMultipleChoices {
		return failed(answer, data)
	}
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}

// ask sends a JSON request.
func (s *sink) ask(ctx context.Context, method, path string, body, v any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return s.do(ctx, method, path, "application/json", data, v)
}

// mostReason is how much of an answer is shown that is no error of OpenSearch, in bytes.
const mostReason = 300

func failed(answer *http.Response, data []byte) error {
	e := &statusError{status: answer.StatusCode, reason: string(data[:min(len(data), mostReason)])}
	var said struct {
		Error reason `json:"error"`
	}
	if json.Unmarshal(data, &said) == nil && said.Error.Type != "" {
		e.reason = said.Error.String()
	}
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s > 0 {
		e.after = time.Duration(s) * time.Second
	}
	return e
}

// reason is an error as OpenSearch writes it.
type reason struct {
	Type   string  `json:"type"`
	Reason string  `json:"reason"`
	Cause  *reason `json:"caused_by"`
}

// String is the error with what caused it.
func (r reason) String() string {
	text := r.Type + ": " + r.Reason
	if r.Cause != nil {
		text += " (" + r.Cause.String() + ")"
	}
	return text
}
