package rest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/upload/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is one of a server that answers with a function.
func client(t *testing.T, answer http.HandlerFunc, header http.Header, reason func([]byte) string) *rest.Client {
	t.Helper()
	server := httptest.NewServer(answer)
	c := rest.New(server.URL, header, reason)
	t.Cleanup(func() {
		c.Close()
		server.Close()
	})
	return c
}

// A request has the client's header, its own type of content if it has one, and its body; the header is not changed by
// any of them.
func TestRequest(t *testing.T) {
	t.Parallel()
	var got http.Header
	var body string
	own := http.Header{"Authorization": {"ApiKey x"}}
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r.Header, r.Method+" "+r.URL.RequestURI()+" "+string(data)
		_, _ = io.WriteString(w, "the answer")
	}, own, nil)
	for _, content := range []string{"text/plain", ""} {
		answer, err := c.Do(t.Context(), http.MethodPut, "/a?b=c", content, []byte("what was sent"))
		if err != nil || string(answer) != "the answer" || body != "PUT /a?b=c what was sent" {
			t.Errorf("%q, %v: %s", answer, err, body)
		}
		if got.Get("Authorization") != "ApiKey x" || got.Get("Content-Type") != content {
			t.Errorf("%q: %v", content, got)
		}
	}
	if len(own) != 1 {
		t.Errorf("the client's header is now %v", own)
	}
}

// Every status of success is one; any other is an error that has the reason, cut to what a person reads.
func TestStatus(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, long)
		}
	}, http.Header{}, nil)
	for status, want := range map[int]string{
		200: "", 201: "", 202: "", 204: "",
		203: "the server says 203: " + long[:300], 206: "the server says 206: " + long[:300],
		404: "the server says 404: " + long[:300], 500: "the server says 500: " + long[:300],
	} {
		data, err := c.Do(t.Context(), http.MethodGet, "/"+strconv.Itoa(status), "", nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || err != nil && data != nil {
			t.Errorf("%d: got %q, want %q", status, got, want)
		}
	}
}

// A reason is made of the body, if something can be made of it, and is the beginning of the body otherwise.
func TestReason(t *testing.T) {
	t.Parallel()
	said := ""
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "raw", http.StatusBadRequest)
	}, http.Header{}, func(body []byte) string {
		if string(body) != "raw\n" {
			t.Errorf("a reason is made of %q", body)
		}
		return said
	})
	for reason, want := range map[string]string{
		"read": "the server says 400: read", "": "the server says 400: raw\n",
	} {
		said = reason
		if _, err := c.Do(t.Context(), http.MethodGet, "/", "", nil); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// How long a server wants to be left alone is kept if it says so in seconds; else nothing is known.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	var says string
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		if says != "" {
			w.Header().Set("Retry-After", says)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}, http.Header{}, nil)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "1": time.Second, "0": 0, "-7": 0, "soon": 0, "": 0, "Sun, 01 Mar 2026 23:30:00 GMT": 0,
	} {
		says = text
		_, err := c.Do(t.Context(), http.MethodGet, "/", "", nil)
		var e *rest.StatusError
		if !errors.As(err, &e) || e.RetryAfter != want || rest.Outcome(err).RetryAfter != want {
			t.Errorf("%q: %+v, want %v", text, e, want)
		}
	}
}

// A redirect is followed a few times only, and names where it leads, without the path, which may hold a secret.
func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	var asked int
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Location", "/again?secret=hush")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}, http.Header{}, nil)
	_, err := c.Do(t.Context(), http.MethodPost, "/", "", []byte("x"))
	if err == nil || !strings.HasSuffix(err.Error(), ", where nothing is sent: name that") ||
		strings.Contains(err.Error(), "hush") || asked != 6 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// An answer that breaks off, a server that is not there and time that is over are errors, and none says what a server
// thinks of what was sent.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	short := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "cut")
	}, http.Header{}, nil)
	gone := httptest.NewServer(nil)
	gone.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, do := range map[string]func() error{
		"cut": func() error { return short.JSON(t.Context(), http.MethodGet, "/", nil, new(any)) },
		"gone": func() error {
			return rest.New(gone.URL, http.Header{}, nil).JSON(t.Context(), http.MethodGet, "/", nil, nil)
		},
		"no time":   func() error { return short.JSON(ended, http.MethodGet, "/", nil, nil) },
		"no method": func() error { return short.JSON(t.Context(), "a b", "/", nil, nil) },
	} {
		err := do()
		var e *rest.StatusError
		if err == nil || errors.As(err, &e) || strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A value is sent as JSON, and an answer read as such, if anybody wants it.
func TestJSON(t *testing.T) {
	t.Parallel()
	var got string
	answer, status := "", http.StatusOK
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got = r.Header.Get("Content-Type") + " " + string(data)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}, http.Header{}, nil)
	var into struct{ X int }
	answer = `{"x":7}`
	err := c.JSON(t.Context(), http.MethodPost, "/", map[string]int{"a": 1}, &into)
	if err != nil || into.X != 7 || got != `application/json {"a":1}` {
		t.Errorf("%v: %+v, sent %s", err, into, got)
	}
	if err := c.JSON(t.Context(), http.MethodGet, "/", nil, &into); err != nil || got != "application/json " {
		t.Errorf("%v: sent %s", err, got)
	}
	answer = "<html>"
	if err := c.JSON(t.Context(), http.MethodGet, "/", nil, nil); err != nil {
		t.Errorf("an answer that nobody wants is read: %v", err)
	}
	want := "the server's answer cannot be read: "
	err = c.JSON(t.Context(), http.MethodGet, "/", nil, &into)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	got = ""
	if err := c.JSON(t.Context(), http.MethodPost, "/", func() {}, nil); err == nil || got != "" {
		t.Errorf("%v: sent %s", err, got)
	}
	status, answer = http.StatusTeapot, `{"x":8}`
	if err := c.JSON(t.Context(), http.MethodGet, "/", nil, &into); err == nil || into.X != 7 {
		t.Errorf("an error was read as an answer: %v, %+v", err, into)
	}
}
