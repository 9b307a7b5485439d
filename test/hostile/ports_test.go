package hostile

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// strangerBound is how long a port may put up with a stranger.
const strangerBound = 10 * time.Second

// ports lists the addresses on which the processes of the place's jobs listen.
func (p *place) ports() (list []string) {
	p.t.Helper()
	sockets := map[string]bool{}
	for _, pid := range p.processes() {
		fds, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, fd := range fds {
			if target, err := os.Readlink(fd); err == nil {
				sockets[target] = true
			}
		}
	}
	table, err := os.ReadFile("/proc/net/tcp")
	p.must(err)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		const listening = "0A"
		if len(f) < 10 || f[3] != listening || !sockets["socket:["+f[9]+"]"] {
			continue
		}
		_, port, _ := strings.Cut(f[1], ":")
		n, err := strconv.ParseUint(port, 16, 16)
		p.must(err)
		list = append(list, fmt.Sprintf("127.0.0.1:%d", n))
	}
	return list
}

// stranger says something to a port, or nothing, and returns what it is told until the port hangs up.
func stranger(address string, say func(net.Conn)) (told []byte, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(strangerBound))
	go say(c)
	told, err = io.ReadAll(c)
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return told, fmt.Errorf("it puts up with a stranger for more than %v", strangerBound)
	}
	return told, nil // a reset is a way to hang up
}

func bytesOf(b ...byte) func(net.Conn) { return func(c net.Conn) { _, _ = c.Write(b) } }

// drip sends the beginning of a frame, one byte at a time.
func drip(c net.Conn) {
	for _, b := range append(binary.BigEndian.AppendUint32(nil, 900), bytes.Repeat([]byte("{"), 900)...) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func tlsHello(c net.Conn) {
	_ = tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake() //nolint:gosec // nobody answers
}

// Strangers on every port of a job, the agents' endpoints among them, whatever they say and however many they are, are
// told nothing and hung up on. The job goes on, and who knows the key is answered meanwhile.
func TestStrangersOnEveryPort(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.more = "endpoints: true\n"
	end := p.begin()
	ports, endpoints := p.ports(), p.endpoints()
	for _, address := range endpoints {
		if !slices.Contains(ports, address) {
			t.Errorf("%s is no port of the job: %s", address, ports)
		}
	}
	if len(endpoints) != 5 {
		t.Errorf("the agents have %d endpoints, want 5", len(endpoints))
	}
	var all sync.WaitGroup
	for _, address := range ports {
		for name, say := range map[string]func(net.Conn){
			"noise":     bytesOf(bytes.Repeat([]byte{0xa5, 0x17, 0x00, 0xff}, 1<<10)...),
			"HTTP":      bytesOf([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")...),
			"a key":     bytesOf([]byte("GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer 0123\r\n\r\n")...),
			"TLS":       tlsHello,
			"1 GiB":     bytesOf(0x40, 0, 0, 0, '{'),
			"half":      bytesOf(0, 0, 2, 0, '{'),
			"nothing":   func(net.Conn) {},
			"byte wise": drip,
		} {
			all.Go(func() {
				if told, err := stranger(address, say); err != nil || len(told) > 0 {
					t.Errorf("%s on %s: %v; it is told %q", name, address, err, told)
				}
			})
		}
		idle := 500
		if slices.Contains(endpoints, address) {
			idle = 100 // more than one takes
		}
		for range idle {
			all.Go(func() {
				if _, err := stranger(address, func(net.Conn) {}); err != nil {
					t.Errorf("one of many on %s: %v", address, err)
				}
			})
		}
	}
	for _, address := range endpoints {
		all.Go(func() {
			check.Eventually(t, address+" answers who knows the key", func() bool { return p.status(address) })
		})
	}
	all.Wait()
	p.passes(end())
}

// endpoints lists the addresses on which the agents of the place's job answer who knows the key.
func (p *place) endpoints() (list []string) {
	for _, a := range rundir.PublishedIn(p.run().Attempt(0)) {
		list = append(list, a.Endpoint)
	}
	return list
}

// status tells whether an endpoint answers who knows the key of the place's job.
func (p *place) status(address string) bool {
	key, err := os.ReadFile(p.run().Attempt(0).StatusKey())
	if err != nil {
		return false
	}
	told, err := stranger(address, bytesOf([]byte("GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+
		strings.TrimSpace(string(key))+"\r\n\r\n")...))
	return err == nil && bytes.Contains(told, []byte(`"stage": "running"`))
}

// recording notes what a connection sends.
type recording struct {
	net.Conn
	mu   *sync.Mutex
	sent *bytes.Buffer
}

func (r recording) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent.Write(b)
	return r.Conn.Write(b)
}

// knock tries to attach as an agent, and returns what was sent, and why that failed.
func knock(t *testing.T, address, token, runID string) (sent []byte, why error) {
	t.Helper()
	var mu sync.Mutex
	var buf bytes.Buffer
	c := control.Dial(control.ClientOptions{
		Find: func(context.Context) (string, error) { return address, nil },
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return recording{conn, &mu, &buf}, err
		},
		Token: token, Heartbeat: 100 * time.Millisecond, Lost: time.Second,
		Hello: protocol.Hello{
			Task: roles.Task{Role: roles.Role{Kind: roles.Gen}}, Session: "another", RunID: runID, Node: "n",
			Host: "127.0.0.1",
		},
	})
	defer c.Close()
	select {
	case <-c.Lost():
	case <-time.After(check.Bound):
		t.Fatal("it is let in")
	}
	mu.Lock()
	defer mu.Unlock()
	return bytes.Clone(buf.Bytes()), c.Err()
}

// Nobody gets in with the token of another run, from an older attempt, or in the place of an agent that is there; and
// what was once said with the right token cannot be said again. The job goes on.
func TestImpostors(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	end := p.begin()
	a := p.run().Attempt(0)
	token, err := rundir.OpenAttempt(a, "")
	p.must(err)
	hub, err := rundir.FindHub(t.Context(), a, p.runID(0))
	p.must(err)
	for name, tt := range map[string]struct{ token, runID, want string }{
		"another run's token": {strings.Repeat("ab", 32), p.runID(0), "somebody else answers there"},
		"an older attempt":    {token, p.runID(1), "it is of another attempt"},
		"another agent":       {token, p.runID(0), "refused by the hub"},
	} {
		sent, why := knock(t, hub, tt.token, tt.runID)
		if why == nil || !strings.Contains(why.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, why, tt.want)
		}
		if bytes.Contains(sent, []byte(tt.token)) {
			t.Errorf("%s: the token is sent", name)
		}
		told, err := stranger(hub, bytesOf(sent...))
		if err != nil || bytes.Contains(told, []byte("status")) {
			t.Errorf("%s: said again: %v; it is told %q", name, err, told)
		}
	}
	p.passes(end())
}

// runID names an attempt of the place's run.
func (p *place) runID(attempt int) string {
	p.t.Helper()
	pl, err := rundir.ReadPlan(p.run().Plan())
	p.must(err)
	return pl.RunID(attempt)
}
