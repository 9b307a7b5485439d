package endpoint_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "the key of this run"

func listen(t *testing.T) *endpoint.Server {
	t.Helper()
	s, err := endpoint.Listen("127.0.0.1", key, map[string]endpoint.Page{
		"/never": {Type: "text/plain", Make: func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
		"/status": {Type: "application/json", Make: func(context.Context) ([]byte, error) {
			return []byte(`{"schema":1}`), nil
		}},
		"/metrics": {Type: "text/plain", Make: func(context.Context) ([]byte, error) {
			return nil, errors.New("the agent is ending")
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// answer is what a request is answered.
type answer struct {
	status     int
	kind, body string
}

// ask sends a request with an Authorization header.
func ask(t *testing.T, s *endpoint.Server, method, path, authorization string) (a answer, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	got, err := client.Do(r)
	if err != nil {
		return a, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header.Get("Content-Type"), string(body)}, err
}

// Who names the key is answered, with what the page is, or why there is none.
func TestAnswers(t *testing.T) {
	s := listen(t)
	const words = "text/plain; charset=utf-8"
	for _, tt := range []struct {
		method, path string
		want         answer
	}{
		{"GET", "/status", answer{200, "application/json", `{"schema":1}`}},
		{"GET", "/status?pretty", answer{200, "application/json", `{"schema":1}`}},
		{"GET", "/metrics", answer{503, words, "the agent is ending\n"}},
		{"GET", "/", answer{404, words, "no such page: there are /status and /metrics\n"}},
		{"DELETE", "/status", answer{405, words, "only GET is answered\n"}},
	} {
		if got, err := ask(t, s, tt.method, tt.path, "Bearer "+key); err != nil || got != tt.want {
			t.Errorf("%s %s: %+v %v", tt.method, tt.path, got, err)
		}
	}
}

// Who does not name the key is told nothing at all.
func TestStrangersAreToldNothing(t *testing.T) {
	s := listen(t)
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer another", "Bearer " + key + "x", "Bearer " + key[1:], "Basic " + key, key,
	} {
		if got, err := ask(t, s, "GET", "/status", authorization); err == nil {
			t.Errorf("%q: %+v", authorization, got)
		}
	}
	for name, said := range map[string]string{
		"noise":    strings.Repeat("\xa5\x17\x00\xff", 1<<10),
		"not HTTP": "\r\n\r\n",
		"a long header": "GET /status HTTP/1.1\r\nAuthorization: Bearer " + key + "\r\nX: " +
			strings.Repeat("x", 9<<10),
		"many headers":     "GET /status HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 4<<10) + "\r\n",
		"a TLS hello":      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"the key in a URL": "GET /status?key=" + strings.ReplaceAll(key, " ", "+") + " HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		go func() { _, _ = io.WriteString(c, said); _ = c.(*net.TCPConn).CloseWrite() }()
		if told, _ := io.ReadAll(c); len(told) > 0 { // a reset is a way to hang up
			t.Errorf("%s: it is told %q", name, told)
		}
		_ = c.Close()
	}
}

// However many strangers are connected, who names the key is answered.
func TestStrangersDoNotBlock(t *testing.T) {
	s := listen(t)
	for range 200 {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if got, err := ask(t, s, "GET", "/status", "bearer "+key); err != nil || got.status != 200 {
		t.Errorf("%+v %v", got, err)
	}
}

// A stranger who says a letter now and then is hung up on, however long that could go on.
func TestSlowStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() { defer close(done); endpoint.Serve(far, key); _ = far.Close() }()
		begun := time.Now()
		for i := 0; ; i++ {
			const said = "GET /status HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyy"
			if _, err := near.Write([]byte{said[i%len(said)]}); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		<-done
		if took := time.Since(begun); took > 7*time.Second {
			t.Errorf("it is put up with for %v", took)
		}
	})
}

// Closing ends the port, waits for nobody, and may be done of what was never opened.
func TestClose(t *testing.T) {
	s := listen(t)
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const said = "GET /never HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n\r\n"
	if _, err := io.WriteString(c, said); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s.Close()
	if took := time.Since(begun); took > 4*time.Second { // less than a request may take
		t.Errorf("it took %v", took)
	}
	if _, err := ask(t, s, "GET", "/status", "Bearer "+key); err == nil {
		t.Error("it is still answered")
	}
	var none *endpoint.Server
	none.Close()
	if none.Address() != "" {
		t.Error("nothing has an address")
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte("GET /status HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("GET /status HTTP/1.1\r\nAuthorization: Bearer other\r\n\r\n"))
	f.Add([]byte("\x00\x00\x02\x00{"))
	f.Fuzz(func(t *testing.T, said []byte) {
		if strings.Contains(string(said), key) {
			return
		}
		near, far := net.Pipe()
		go func() { endpoint.Serve(far, key); _ = far.Close() }()
		go func() { _, _ = near.Write(said); _, _ = near.Write([]byte("\r\n\r\n")); _ = near.Close() }()
		if told, _ := io.ReadAll(near); len(told) > 0 {
			t.Errorf("%q: it is told %q", said, told)
		}
	})
}
