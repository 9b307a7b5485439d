package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload/rest"
)

// A redirect is followed only to the same server, and only with what was sent.
func TestRedirects(t *testing.T) {
	var got []string
	take := func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
	}
	other := httptest.NewServer(http.HandlerFunc(take))
	defer other.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/there", take)
	mux.Handle("/moved", http.RedirectHandler("/there", http.StatusPermanentRedirect))
	mux.Handle("/found", http.RedirectHandler("/there", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler(other.URL+"/there", http.StatusTemporaryRedirect))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()
	c := rest.New(server.URL, http.Header{}, nil)
	defer c.Close()
	for path, status := range map[string]int{
		"/moved": 0, "/found": http.StatusFound, "/away": http.StatusTemporaryRedirect,
		"/round": http.StatusTemporaryRedirect,
	} {
		got = nil
		_, err := c.Do(t.Context(), http.MethodPost, path, "text/plain", []byte("x"))
		var refused *rest.StatusError
		switch {
		case status == 0 && (err != nil || strings.Join(got, ",") != "POST /there x"):
			t.Errorf("%s: %v: %q", path, err, got)
		case status != 0 && (!errors.As(err, &refused) || refused.Status != status || len(got) > 0):
			t.Errorf("%s: %v: %q", path, err, got)
		case status != 0 && !strings.Contains(err.Error(), "it redirects to http://"):
			t.Errorf("%s: %v", path, err)
		}
	}
}

// An answer that has nothing to say is success, too.
func TestNoContent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	c := rest.New(server.URL, http.Header{}, nil)
	defer c.Close()
	if _, err := c.Do(t.Context(), http.MethodPost, "/", "text/plain", nil); err != nil {
		t.Error(err)
	}
}
