// Package rest is what those have in common that send by HTTP, sinks and notices: one request at a time, with a bound,
// without retries of its own, and what an answer means for what was sent.
//
// Rules: what is sent goes to the server that was named, and to no other: of a redirect only one to the same server is
// followed, and none that would leave out what was sent.
package rest

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

// Bounds of a request, of what is read of an answer, and of what is shown of it, in bytes.
const (
	requestBound = 30 * time.Second
	mostAnswer   = 256 << 20
	mostReason   = 300
)

// mostRedirects is how often a server may send a request elsewhere on it.
const mostRedirects = 5

// Client sends requests to one server.
type Client struct {
	client http.Client
	base   string
	header http.Header
	explain
}

// explain makes a reason of the body of an answer that is an error.
type explain func(body []byte) string

// New makes a client of the server at a URL without a path, such as https://host:9200. Every request has the
// header. Reason makes a sentence of the body of an answer that is an error; nil: its beginning is shown.
func New(base string, header http.Header, reason func(body []byte) string) *Client {
	return &Client{
		client: http.Client{
			Timeout: requestBound, Transport: http.DefaultTransport.(*http.Transport).Clone(), CheckRedirect: stay,
		},
		base: base, header: header, explain: reason,
	}
}

// stay leaves a redirect as the answer, unless it is one that asks the same server for the same elsewhere.
func stay(r *http.Request, before []*http.Request) error {
	first := before[0]
	if len(before) > mostRedirects || r.Method != first.Method || r.URL.Scheme != first.URL.Scheme ||
		r.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// Close ends the connections that nobody uses.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// StatusError is an answer that is none of success.
type StatusError struct {
	Status     int
	Reason     string
	RetryAfter time.Duration // that the server wants to be left alone; 0: it does not say
}

// Error implements error.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the server says %d: %s", e.Status, e.Reason)
}

// Do sends a request and returns the body of an answer with 200, 201, 202 or 204; any other is a [*StatusError].
func (c *Client) Do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = c.header.Clone()
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent:
		return data, err
	}
	e := &StatusError{Status: answer.StatusCode, Reason: string(data[:min(len(data), mostReason)])}
	if to, err := answer.Location(); err == nil {
		e.Reason = "it redirects to " + to.Scheme + "://" + to.Host + ", where nothing is sent: name that"
	} else if c.explain != nil {
		if said := c.explain(data); said != "" {
			e.Reason = said
		}
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return nil, e
}

// JSON sends a value as JSON (nil: nothing), and decodes the answer into another (nil: it is of no interest).
func (c *Client) JSON(ctx context.Context, method, path string, body, into any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	out, err := c.Do(ctx, method, path, "application/json", data)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}

// Outcome is what an error of a request means for everything that was sent with it: a server that is not there, is busy
// or broken may be well later; one that does not know us takes nothing; what it does not understand is to be sent in
// parts.
func Outcome(err error) upload.Outcome {
	o := upload.Failed(upload.Later, err)
	var e *StatusError
	if !errors.As(err, &e) {
		return o
	}
	o.RetryAfter = e.RetryAfter
	switch s := e.Status; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusProxyAuthRequired:
		o.Fate = upload.Denied
	case s == http.StatusTooManyRequests, s == http.StatusRequestTimeout:
	case s >= 400 && s < 500:
		o.Fate = upload.Apart
	}
	return o
}

// Refused marks an error that says that our credentials are not good.
func Refused(err error) error {
	if err != nil && Outcome(err).Fate == upload.Denied {
		return upload.Refused(err)
	}
	return err
}
