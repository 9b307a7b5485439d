package post_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/notice/post"
	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/runs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// died is the notice of a run that ended just now.
func died() notice.Notice {
	in := runs.Died()
	in.Result.EndedAt = time.Now()
	return notice.New(in, notice.Ended{})
}

func parse(t *testing.T, text string) notice.Target {
	t.Helper()
	target, err := notice.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// tell tells one target, and returns the report.
func tell(t *testing.T, o post.Outbox, text string) post.Report {
	t.Helper()
	return o.Tell(t.Context(), []notice.Target{parse(t, text)}, died())[0]
}

// got is what a receiver was sent.
type got struct {
	path, body string
	header     http.Header
}

// receiver is a server that answers with a status, and keeps what it is sent.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	mu     sync.Mutex
	list   []got
}

func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	r := &receiver{}
	r.status.Store(int64(status))
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.list = append(r.list, got{req.URL.RequestURI(), string(body), req.Header})
		r.mu.Unlock()
		w.WriteHeader(int(r.status.Load()))
	}))
	t.Cleanup(r.Close)
	return r
}

// A URL gets the document once, with its id; what was sent is not sent again.
func TestSent(t *testing.T) {
	r, o := newReceiver(t, http.StatusNoContent), post.In(t.TempDir())
	for n := range 2 {
		if report := tell(t, o, r.URL+"/hook?x=1"); !report.Sent || report.Before != (n > 0) || report.Err != nil {
			t.Fatalf("%+v", report)
		}
	}
	if len(r.list) != 1 || len(o.Pending()) != 0 {
		t.Fatalf("it was sent %d times, and %d are pending", len(r.list), len(o.Pending()))
	}
	var n notice.Notice
	if err := json.Unmarshal([]byte(r.list[0].body), &n); err != nil || n.Verdict != "failed" || n.FirstCause == nil {
		t.Errorf("%v: %s", err, r.list[0].body)
	}
	if key := r.list[0].header.Get("Idempotency-Key"); key == "" || key != n.ID || r.list[0].path != "/hook?x=1" {
		t.Errorf("key %q, id %q, path %s", key, n.ID, r.list[0].path)
	}
}

// What each answer means: try again later with the same id, or never.
func TestAnswers(t *testing.T) {
	for status, dead := range map[int]bool{
		http.StatusServiceUnavailable: false, http.StatusTooManyRequests: false, http.StatusUnauthorized: false,
		http.StatusNotFound: true, http.StatusBadRequest: true, http.StatusFound: false,
	} {
		r, o := newReceiver(t, status), post.In(t.TempDir())
		first := tell(t, o, r.URL)
		if first.Sent || first.Dead != dead || first.Err == nil {
			t.Errorf("%d: %+v", status, first)
		}
		if dead {
			if len(o.Pending()) != 0 || len(o.Dead()) != 1 || o.Dead()[0].Error == "" {
				t.Errorf("%d: %d are pending, %d dead", status, len(o.Pending()), len(o.Dead()))
			}
			continue
		}
		kept := o.Pending()
		if len(kept) != 1 || kept[0].Tries != 1 || kept[0].Error == "" {
			t.Fatalf("%d: kept is %+v", status, kept)
		}
		r.status.Store(http.StatusOK)
		again := o.Retry(t.Context(), kept)
		if len(again) != 1 || !again[0].Sent || len(o.Pending()) != 0 {
			t.Errorf("%d: again: %+v", status, again)
		}
		if a, b := r.list[0].header.Get("Idempotency-Key"), r.list[1].header.Get("Idempotency-Key"); a != b {
			t.Errorf("%d: the second try has another id", status)
		}
	}
}

// Several processes that try at once send a notice once.
func TestTogether(t *testing.T) {
	r, dir := newReceiver(t, http.StatusServiceUnavailable), t.TempDir()
	tell(t, post.In(dir), r.URL)
	r.status.Store(http.StatusOK)
	r.list = nil
	kept := post.In(dir).Pending()
	var sent atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, report := range post.In(dir).Retry(t.Context(), kept) {
				if report.Sent {
					sent.Add(1)
				}
			}
		})
	}
	all.Wait()
	if len(r.list) != 1 || sent.Load() == 0 || len(post.In(dir).Pending()) != 0 {
		t.Errorf("it was sent %d times, %d say so", len(r.list), sent.Load())
	}
}

// A notice that is no news any more is not tried for ever.
func TestOld(t *testing.T) {
	r, o := newReceiver(t, http.StatusServiceUnavailable), post.In(t.TempDir())
	n := died()
	n.At = n.At.AddDate(0, 0, -8)
	report := o.Tell(t.Context(), []notice.Target{parse(t, r.URL)}, n)[0]
	if !report.Dead || len(o.Pending()) != 0 || len(o.Dead()) != 1 {
		t.Errorf("%+v", report)
	}
}

// Secrets come from the environment or a file, and stand neither in what is kept nor in what is said.
func TestSecrets(t *testing.T) {
	r, dir := newReceiver(t, http.StatusServiceUnavailable), t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_WEBHOOK", r.URL+"/services/SECRET?sig=SECRET")
	host := strings.TrimPrefix(r.URL, "http://")
	target := "slack+http://" + host + "/?path_env=TEST_WEBHOOK&token_file=" + file
	o := post.In(filepath.Join(dir, "data"))
	report := tell(t, o, target)
	if r.list[0].path != "/services/SECRET?sig=SECRET" || r.list[0].header.Get("Authorization") != "Bearer SECRET" {
		t.Errorf("asked %s with %q", r.list[0].path, r.list[0].header.Get("Authorization"))
	}
	var message notice.Slack
	err := json.Unmarshal([]byte(r.list[0].body), &message)
	if err != nil || !strings.HasPrefix(message.Text, "*failed") {
		t.Errorf("the message is %s: %v", r.list[0].body, err)
	}
	r.Close() // now the error is the connection's, which knows the URL
	again := o.Retry(t.Context(), o.Pending())[0]
	kept := o.Pending()[0]
	for _, text := range []string{report.Err.Error(), again.Err.Error(), kept.Target, kept.Error} {
		if strings.Contains(text, "SECRET") {
			t.Errorf("a secret is shown: %s", text)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "data", "notices", "pending", kept.Notice.ID+".json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what is kept can be read by others: %v: %v", info, err)
	}
}

// That a target cannot be told is known before a job is submitted.
func TestCheck(t *testing.T) {
	t.Setenv("TEST_HOOK", "https://other.example/x")
	for text, want := range map[string]string{
		"https://ci.example/": "", "cat": "", "no-such-program x": "not found",
		"https://ci.example/?token_env=TEST_NOT_SET":   "the variable TEST_NOT_SET is not set",
		"https://ci.example/?path_env=TEST_HOOK":       "it is a URL of another server",
		"https://ci.example/?path_file=/nowhere/a":     "no such file",
		"https://me@ci.example/?password_env=NOT_HERE": "the variable NOT_HERE is not set",
	} {
		err := post.Check(parse(t, text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// A command reads the document; one that fails is run again later, and says why.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	out, o := filepath.Join(dir, "out.json"), post.In(filepath.Join(dir, "data"))
	if report := tell(t, o, "cp /dev/stdin "+out); !report.Sent || report.Err != nil {
		t.Fatalf("%+v", report)
	}
	data, err := os.ReadFile(out)
	var n notice.Notice
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err != nil || n.RunID != "a1b2c3-0" {
		t.Errorf("%v: %s", err, data)
	}
	report := tell(t, o, `sh -c 'echo trying; echo "mail is full" >&2; exit 3'`)
	if report.Err == nil || report.Err.Error() != "exit status 3: mail is full" || len(o.Pending()) != 1 {
		t.Errorf("%+v", report)
	}
}

// A command that is run later is run where it would have been run at once.
func TestCommandLater(t *testing.T) {
	first, o := t.TempDir(), post.In(t.TempDir())
	t.Chdir(first)
	if report := tell(t, o, "./tell told.json"); report.Sent || report.Dead {
		t.Fatalf("%+v", report)
	}
	script := "#!/bin/sh\ncp /dev/stdin \"$1\"\n"
	check.Script(t, filepath.Join(first, "tell"), script)
	t.Chdir(t.TempDir())
	if again := o.Retry(t.Context(), o.Pending()); !again[0].Sent {
		t.Errorf("%+v", again)
	}
	if _, err := os.Stat(filepath.Join(first, "told.json")); err != nil {
		t.Error(err)
	}
}

// A command that hangs is ended with its children when the time is over.
func TestHangingCommand(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reports := make(chan []post.Report, 1)
	target := parse(t, `sh -c 'sleep 600 >"$0" & wait' `+fifo)
	go func() { reports <- post.In(filepath.Join(dir, "data")).Tell(ctx, []notice.Target{target}, died()) }()
	child, err := os.Open(fifo) // answers when the child of the command has opened it, too
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	cancel()
	if r := (<-reports)[0]; r.Sent || r.Err == nil || !strings.Contains(r.Err.Error(), "not done in time") {
		t.Errorf("%+v", r)
	}
	if data, err := io.ReadAll(child); err != nil || len(data) > 0 { // the end of the file is the end of the child
		t.Errorf("%q: %v", data, err)
	}
}

// A server that takes the connection and never answers costs ten seconds, and the notice is kept.
func TestSilentServer(t *testing.T) {
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var servers []net.Conn
		http.DefaultTransport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			servers = append(servers, server)
			go func() { _, _ = io.Copy(io.Discard, server) }()
			return client, nil
		}}
		begun := time.Now()
		report := tell(t, post.In(dir), "http://silent.example/")
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if report.Sent || report.Dead || report.Err == nil || report.Err.Error() != "it did not answer in time" {
			t.Errorf("%+v", report)
		}
		for _, s := range servers {
			_ = s.Close()
		}
	})
	if len(post.In(dir).Pending()) != 1 {
		t.Error("the notice is not kept")
	}
}

// A notice that cannot be kept is sent all the same, and both is said.
func TestNoFolder(t *testing.T) {
	r, dir := newReceiver(t, http.StatusOK), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notices"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for n, o := range []post.Outbox{post.In(dir), post.Nowhere(errors.New("there is no data folder"))} {
		report := tell(t, o, r.URL)
		if !report.Sent || report.Err == nil || !strings.Contains(report.Err.Error(), "cannot keep the notice") ||
			len(r.list) != n+1 || len(o.Pending()) != 0 {
			t.Errorf("%+v", report)
		}
	}
}

// A file that is none of a notice harms no other, and a crash after a notice was sent does not send it again.
func TestLeftovers(t *testing.T) {
	r, dir := newReceiver(t, http.StatusServiceUnavailable), t.TempDir()
	o := post.In(dir)
	tell(t, o, r.URL)
	kept := o.Pending()[0]
	for name, text := range map[string]string{
		"pending/junk.json": "{", "pending/other.json": `{"schema":1}`, "pending/.tmp.json": "",
		"sent/" + kept.Notice.ID: "",
	} {
		file := filepath.Join(dir, "notices", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.list = nil
	list := o.Pending()
	if len(list) != 1 {
		t.Fatalf("%d are pending", len(list))
	}
	if again := o.Retry(t.Context(), list); !again[0].Sent || len(r.list) != 0 || len(o.Pending()) != 0 {
		t.Errorf("%+v", again)
	}
}
