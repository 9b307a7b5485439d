package gateway_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/gateway"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/fakesearch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func urlOf(s *fakesearch.Server) *url.URL {
	return &url.URL{Scheme: "trtllm-gateway", Host: s.Host, Path: "/perf_info", RawQuery: "tls=off"}
}

// The sink keeps the contract of all sinks, but for one clause: the gateway replaces a document that is there.
func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Opener {
		if strings.Contains(t.Name(), "the_first_record_of_an_id_stays") {
			t.Skip("the gateway replaces what is there, which the digest shows")
		}
		return sinktest.OpenerOf(gateway.Scheme(), urlOf(fakesearch.New(t)))
	})
}

// drain drains records of a fresh run, and returns its outbox and what was said.
func drain(t *testing.T, u *url.URL, change func(i int) (note string), n int) (o rundir.Outbox, said string) {
	t.Helper()
	a := rundir.Dir(t.TempDir()).Attempt(0)
	for i := range n {
		r := sinktest.Records("a1", i, 4)[0]
		r.ID = strings.Repeat("0", 30) + string(rune('a'+i/10)) + string(rune('0'+i%10))
		if change != nil && change(i) != "" {
			r.Document[change(i)] = "x"
		}
		if err := a.RecordStore().Save(r); err != nil {
			t.Fatal(err)
		}
	}
	o = a.OpenOutbox("gateway")
	report := upload.Drain{Outbox: o, Sinks: upload.Registry{gateway.Scheme()}, URL: u.String()}.Run(t.Context())
	return o, report.Error
}

// count counts what an outbox has in each state.
func count(t *testing.T, o rundir.Outbox) (sent, pending, dead int) {
	t.Helper()
	a, err1 := o.Sent()
	b, err2 := o.Pending()
	c, err3 := o.Dead()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return len(a), len(b), len(c)
}

// One document that the gateway refuses among a hundred loses no other, although it refuses them together.
func TestPoison(t *testing.T) {
	s := fakesearch.New(t)
	o, _ := drain(t, urlOf(s), func(i int) string {
		if i == 61 {
			return "s_poison"
		}
		return ""
	}, 100)
	if sent, pending, dead := count(t, o); sent != 99 || pending != 0 || dead != 1 || s.Documents() != 99 {
		t.Errorf("sent %d, pending %d, dead %d of 100; the gateway has %d", sent, pending, dead, s.Documents())
	}
}

// What becomes of records follows from the answer: what may go well later stays pending.
func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		fault         fakesearch.Fault
		sent, pending int
		says          string
	}{
		"busy":         {fakesearch.Fault{Status: 429}, 0, 3, "the server says 429"},
		"broken":       {fakesearch.Fault{Status: 500}, 0, 3, "the server says 500"},
		"who are you":  {fakesearch.Fault{Status: 407}, 0, 3, "the sink refuses access"},
		"not for you":  {fakesearch.Fault{Status: 403}, 0, 3, "the sink refuses access"},
		"it hangs up":  {fakesearch.Fault{HangUp: true}, 0, 3, "EOF"},
		"too much":     {fakesearch.Fault{Most: 1}, 3, 0, ""},
		"nothing odd":  {fakesearch.Fault{}, 3, 0, ""},
		"it was found": {fakesearch.Fault{Status: 408}, 0, 3, "408"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fakesearch.New(t)
			s.Plant(tt.fault)
			o, said := drain(t, urlOf(s), nil, 3)
			if sent, pending, dead := count(t, o); sent != tt.sent || pending != tt.pending || dead != 0 {
				t.Errorf("sent %d, pending %d, dead %d", sent, pending, dead)
			}
			if !strings.Contains(said, tt.says) {
				t.Errorf("%q, want %q", said, tt.says)
			}
			again := upload.Drain{Outbox: o, Sinks: upload.Registry{gateway.Scheme()}, URL: urlOf(s).String()}
			if r := again.Run(t.Context()); r.Pending != 0 || s.Documents() != 3 {
				t.Errorf("in the end: %+v, %d documents", r, s.Documents())
			}
		})
	}
}

// The gateway is told who we are as a proxy is.
func TestCredentials(t *testing.T) {
	s := fakesearch.New(t)
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:secret"))
	s.Demand(func(h http.Header) bool { return h.Get("Proxy-Authorization") == want })
	u := urlOf(s)
	u.RawQuery += "&user_env=GATEWAY_USER&password_env=GATEWAY_PASSWORD"
	t.Setenv("GATEWAY_USER", "me")
	t.Setenv("GATEWAY_PASSWORD", "secret")
	if o, said := drain(t, u, nil, 2); said != "" {
		_, pending, _ := count(t, o)
		t.Errorf("%d pending: %s", pending, said)
	}
	t.Setenv("GATEWAY_PASSWORD", "guess")
	if _, said := drain(t, u, nil, 2); !strings.Contains(said, "the sink refuses access") {
		t.Errorf("%s", said)
	}
}

// A URL names a host and a project, and has only options that are known.
func TestURLs(t *testing.T) {
	r := upload.Registry{gateway.Scheme()}
	for address, good := range map[string]bool{
		"trtllm-gateway://h/p": true, "trtllm-gateway://h:1/p?tls=off&user_env=U&password_env=P": true,
		"trtllm-gateway://h": false, "trtllm-gateway:///p": false, "trtllm-gateway://h/a/b": false,
		"trtllm-gateway://h/p?tls=x": false, "trtllm-gateway://h/p?colour=red": false,
	} {
		if err := r.Check(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
