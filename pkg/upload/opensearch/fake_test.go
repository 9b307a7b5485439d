package opensearch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/opensearch"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/fakesearch"
	"github.com/disagg/disagg/test/server"
)

func urlOf(s *fakesearch.Server) *url.URL {
	return &url.URL{Scheme: "opensearch", Host: s.Host, Path: "/perf", RawQuery: "tls=off"}
}

// The sink keeps the contract of all sinks on the node that the tests play.
func TestPlayedNode(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Opener {
		return sinktest.OpenerOf(opensearch.Scheme(), urlOf(fakesearch.New(t)))
	})
}

// request is one of the table of behaviours, and what a node answers.
type request struct {
	method, path, body string
	status             int
	says               string
}

// behaviours are what the sink relies on, in this order. INDEX stands for the index.
var behaviours = []request{
	{
		"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"a"}}` + "\n" + `{"d_x":1,"s_id":"a"}` + "\n", 200,
		`"status":201`,
	},
	{
		"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"a"}}` + "\n" + `{"d_x":2,"s_id":"a"}` + "\n", 200,
		`"status":409`,
	},
	{
		"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"a"}}` + "\n" + `{"d_x":2}` + "\n", 200,
		"version_conflict_engine_exception",
	},
	{"POST", "/INDEX/_search", `{"query":{"ids":{"values":["a"]}}}`, 200, `"hits":[]`},
	{"POST", "/_mget", `{"docs":[{"_index":"INDEX","_id":"a"}]}`, 200, `"found":true`},
	{"POST", "/_mget", `{"docs":[{"_index":"INDEX","_id":"zz"}]}`, 200, `"found":false`},
	{"POST", "/INDEX/_refresh", "", 200, "_shards"},
	{"POST", "/INDEX/_search", `{"query":{"ids":{"values":["a"]}}}`, 200, `"d_x":1`},
	{"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"b"}}` + "\n" + `{"d_x":"text"}` + "\n", 200, `"status":400`},
	{
		"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"b"}}` + "\n" + `{"d_x":"text"}` + "\n", 200,
		"mapper_parsing_exception",
	},
	{"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"c"}}` + "\n" + `{"d_x":3}`, 400, "newline"},
	{"POST", "/_bulk", `{"create":{"_index":"INDEX","_id":"c"}}` + "\n" + `{"d_x":3}` + "\n" +
		`{"create":{"_index":"INDEX","_id":"b"}}` + "\n" + `{"d_x":"text"}` + "\n", 200, `"errors":true`},
	{"POST", "/INDEX/_search", `{"size":10001}`, 400, "Result window is too large"},
	{"GET", "/_index_template/not-INDEX", "", 404, "resource_not_found_exception"},
	{"POST", "/nothing-*/_search", `{}`, 200, `"hits":[]`},
	{"POST", "/nothing-*/_refresh", "", 200, "_shards"},
}

// The node that the tests play answers as a real one does.
func TestBehaviours(t *testing.T) {
	for name, node := range map[string]func(*testing.T) *url.URL{
		"played": func(t *testing.T) *url.URL { return urlOf(fakesearch.New(t)) },
		"real":   func(t *testing.T) *url.URL { return server.OpenSearch(t) },
	} {
		t.Run(name, func(t *testing.T) {
			u := node(t)
			s, err := opensearch.Scheme().Open(t.Context(), u) // it brings the template
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			index := strings.TrimPrefix(u.Path, "/") + "-2026"
			if name == "real" { // it refreshes when it is asked to, and not once a second
				if status, answer := send(t, u.Host, "PUT", "/"+index,
					`{"settings":{"refresh_interval":"-1"}}`); status != 200 {
					t.Fatal(answer)
				}
			}
			for i, b := range behaviours {
				fill := strings.NewReplacer("INDEX", index).Replace
				status, answer := send(t, u.Host, b.method, fill(b.path), fill(b.body))
				if status != b.status || !strings.Contains(answer, b.says) {
					t.Errorf("%d: %s %s: %d %s, want %d %s", i, b.method, b.path, status, answer, b.status, b.says)
				}
			}
		})
	}
}

func send(t *testing.T, host, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+host+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	if !strings.HasSuffix(path, "_bulk") {
		r.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, data) == nil {
		data = compact.Bytes()
	}
	return answer.StatusCode, string(data)
}

// save saves n records of a fresh run, each of a day of its own.
func save(t *testing.T, n int) rundir.Outbox {
	t.Helper()
	a := rundir.Dir(t.TempDir()).Attempt(0)
	for i := range n {
		r := sinktest.Records("a1", i, 4)[0]
		r.ID = fmt.Sprintf("%032x", i)
		if err := a.RecordStore().Save(r); err != nil {
			t.Fatal(err)
		}
	}
	return a.OpenOutbox("opensearch")
}

func drain(t *testing.T, o rundir.Outbox, u *url.URL) string {
	t.Helper()
	return upload.Drain{Outbox: o, Sinks: upload.Registry{opensearch.Scheme()}, URL: u.String()}.Run(t.Context()).Error
}

// count counts what an outbox has in each state.
func count(t *testing.T, o rundir.Outbox) [3]int {
	t.Helper()
	sent, err1 := o.Sent()
	pending, err2 := o.Pending()
	dead, err3 := o.Dead()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return [3]int{len(sent), len(pending), len(dead)}
}

// Whatever a node answers, nothing is lost and nothing is there twice: what may go well later stays pending, and is
// there after the next drain.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fakesearch.Fault
		want  [3]int // sent, pending, dead
		says  string
	}{
		"nothing odd":      {fakesearch.Fault{}, [3]int{4, 0, 0}, ""},
		"busy":             {fakesearch.Fault{Status: 429, RetryAfter: 7}, [3]int{0, 4, 0}, "the server says 429"},
		"away":             {fakesearch.Fault{Status: 503}, [3]int{0, 4, 0}, "503"},
		"who are you":      {fakesearch.Fault{Status: 401}, [3]int{0, 4, 0}, "the sink refuses access"},
		"not for you":      {fakesearch.Fault{Status: 403}, [3]int{0, 4, 0}, "the sink refuses access"},
		"too much at once": {fakesearch.Fault{Most: 1}, [3]int{4, 0, 0}, ""},
		"too much":         {fakesearch.Fault{Status: 413}, [3]int{4, 0, 0}, ""},
		"not understood":   {fakesearch.Fault{Status: 400}, [3]int{4, 0, 0}, ""},
		"kept, then gone":  {fakesearch.Fault{HangUp: true}, [3]int{0, 4, 0}, "EOF"},
		"some are busy":    {fakesearch.Fault{Items: map[int]int{1: 429, 2: 503}}, [3]int{2, 2, 0}, "429"},
		"one is refused":   {fakesearch.Fault{Items: map[int]int{1: 400}}, [3]int{3, 0, 1}, "400"},
		"mixed":            {fakesearch.Fault{Items: map[int]int{0: 400, 1: 429}}, [3]int{2, 1, 1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := fakesearch.New(t)
			s.Plant(tt.fault)
			o := save(t, 4)
			if said := drain(t, o, urlOf(s)); !strings.Contains(said, tt.says) {
				t.Errorf("%q, want %q", said, tt.says)
			}
			if got := count(t, o); got != tt.want {
				t.Errorf("sent, pending and dead %v, want %v", got, tt.want)
			}
			drain(t, o, urlOf(s))
			if got, want := count(t, o), [3]int{4 - tt.want[2], 0, tt.want[2]}; got != want ||
				s.Documents() != want[0] {
				t.Errorf("in the end %v, want %v; the node has %d", got, want, s.Documents())
			}
		})
	}
}

// A node that keeps what it was sent and answers after the client has given up has it once.
func TestTooLateButKept(t *testing.T) {
	s := fakesearch.New(t)
	kept, wait := make(chan struct{}), make(chan struct{})
	s.Plant(fakesearch.Fault{Kept: kept, Wait: wait})
	sink, err := opensearch.Scheme().Open(t.Context(), urlOf(s))
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	list := sinktest.Records("a1", 0, 4)
	sent := make(chan []upload.Outcome, 1)
	go func() { sent <- sink.Send(t.Context(), list) }()
	<-kept
	if got, err := sink.Stored(t.Context(), list); err != nil || got[list[0].ID] != list[0].Digest() {
		t.Errorf("%v, %v", got, err)
	}
	close(wait)
	if got := <-sent; got[0].Err != nil {
		t.Error(got[0].Err)
	}
}

// Users and tokens are sent as they are to be, and are not told to anybody.
func TestCredentials(t *testing.T) {
	t.Setenv("SEARCH_SECRET", "hunter2")
	for query, want := range map[string]string{
		"password_env=SEARCH_SECRET": "Basic bWU6aHVudGVyMg==", "token_env=SEARCH_SECRET": "Bearer hunter2",
	} {
		s := fakesearch.New(t)
		u := urlOf(s)
		u.User, u.RawQuery = url.User("me"), u.RawQuery+"&"+query
		s.Demand(func(h http.Header) bool { return h.Get("Authorization") == want })
		if said := drain(t, save(t, 1), u); said != "" {
			t.Errorf("%s: %s", query, said)
		}
		s.Demand(func(http.Header) bool { return false })
		said := drain(t, save(t, 1), u)
		if !strings.Contains(said, "the sink refuses access") || strings.Contains(said, "hunter2") {
			t.Errorf("%s: %s", query, said)
		}
	}
}
