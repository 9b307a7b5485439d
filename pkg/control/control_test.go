package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/roles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token = "s3cret"
	runID = "run-0"
	beat  = 20 * time.Millisecond
	lost  = 400 * time.Millisecond
	bound = 10 * time.Second // on anything that should happen at once
)

var gen0 = roles.Task{Role: roles.Role{Kind: roles.Gen}}

func listen(t *testing.T) *control.Server {
	t.Helper()
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: token, RunID: runID, Heartbeat: beat, Lost: lost, Reconnect: bound,
		Expected: func(task roles.Task) bool { return task.Role.Kind == roles.Gen && task.Rank < 4 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func options(hub string) control.ClientOptions {
	return control.ClientOptions{
		Find:  func(context.Context) (string, error) { return hub, nil },
		Token: token, Hello: control.Hello{Task: gen0, Session: "a", RunID: runID},
		Heartbeat: beat, Lost: lost, CloseWait: lost,
	}
}

func dial(t *testing.T, o control.ClientOptions) *control.Client {
	t.Helper()
	c := control.Dial(o)
	t.Cleanup(c.Close)
	return c
}

func next(t *testing.T, s *control.Server) control.Inbound {
	t.Helper()
	select {
	case in := <-s.Inbound():
		return in
	case <-time.After(bound):
		t.Fatal("nothing arrived")
		return control.Inbound{}
	}
}

func TestConversation(t *testing.T) {
	s := listen(t)
	c := dial(t, options(s.Address()))
	if in := next(t, s); in.Hello == nil || in.Task != gen0 {
		t.Fatalf("first came %+v", in)
	}
	for i := range 100 {
		c.Send(control.Event{Kind: control.Unready, PID: i})
		s.Send(gen0, control.Directive{Kind: control.Start, Reason: fmt.Sprint(i)})
	}
	for i := range 100 {
		if in := next(t, s); in.Event == nil || in.Event.PID != i {
			t.Fatalf("event %d is %+v", i, in)
		}
		if d := <-c.Directives(); d.Reason != fmt.Sprint(i) {
			t.Fatalf("directive %d is %+v", i, d)
		}
	}
	c.Send(control.Event{Kind: control.Stopped}) // the last word arrives before the goodbye
	c.Close()
	if in := next(t, s); in.Event == nil || in.Event.Kind != control.Stopped {
		t.Errorf("got %+v", in)
	}
	if in := next(t, s); !in.Bye {
		t.Errorf("got %+v, want a goodbye", in)
	}
}

// What is said before the hub is found arrives once it is.
func TestEventsBeforeTheHub(t *testing.T) {
	s := listen(t)
	found := make(chan struct{})
	o := options(s.Address())
	o.Find = func(context.Context) (string, error) { <-found; return s.Address(), nil }
	c := dial(t, o)
	c.Send(control.Event{Kind: control.Started})
	close(found)
	if in := next(t, s); in.Hello == nil {
		t.Fatalf("first came %+v", in)
	}
	if in := next(t, s); in.Event == nil || in.Event.Kind != control.Started {
		t.Errorf("got %+v", in)
	}
}

// proxy stands between agent and hub and can cut their connections, or let them hang.
type proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	conns    []net.Conn
	frozen   atomic.Bool
	wg       sync.WaitGroup
}

// gate lets bytes through, unless the proxy is frozen: then they vanish, as they do when a cable is pulled.
type gate struct {
	*proxy
	to net.Conn
}

func (g gate) Write(b []byte) (int, error) {
	if g.frozen.Load() {
		return len(b), nil
	}
	return g.to.Write(b)
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target}
	p.wg.Go(p.serve)
	t.Cleanup(p.stop)
	return p
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		p.wg.Go(func() { _, _ = io.Copy(gate{p, out}, in); out.Close() })
		p.wg.Go(func() { _, _ = io.Copy(gate{p, in}, out); in.Close() })
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) stop() {
	p.listener.Close()
	p.cut()
	p.wg.Wait()
}

// A connection that breaks again and again loses no message, repeats none, and is no reason to give an agent up.
func TestReconnect(t *testing.T) {
	s := listen(t)
	p := newProxy(t, s.Address())
	c := dial(t, options(p.listener.Addr().String()))
	if in := next(t, s); in.Hello == nil {
		t.Fatalf("first came %+v", in)
	}
	const n = 300
	go func() {
		for i := range n {
			c.Send(control.Event{Kind: control.Unready, PID: i})
			s.Send(gen0, control.Directive{Kind: control.Start, Reason: fmt.Sprint(i)})
			if i%60 == 30 {
				p.cut()
				time.Sleep(beat) // let it notice
			}
		}
	}()
	for i := range n {
		if in := next(t, s); in.Event == nil || in.Event.PID != i {
			t.Fatalf("event %d is %+v", i, in)
		}
	}
	for i := range n {
		select {
		case d := <-c.Directives():
			if d.Reason != fmt.Sprint(i) {
				t.Fatalf("directive %d is %+v", i, d)
			}
		case <-time.After(bound):
			t.Fatalf("directive %d never came", i)
		}
	}
}

func TestSilentAgentIsLost(t *testing.T) {
	s := listen(t)
	p := newProxy(t, s.Address())
	c := dial(t, options(p.listener.Addr().String()))
	next(t, s)
	p.frozen.Store(true)
	if in := next(t, s); in.Lost == "" || in.Task != gen0 {
		t.Errorf("got %+v, want a lost agent", in)
	}
	select {
	case <-c.Lost():
		if c.Err() == nil {
			t.Error("the agent does not know why the hub is lost")
		}
	case <-time.After(bound):
		t.Error("the agent does not notice that the hub is gone")
	}
}

// An agent that is killed is not waited for as long as one that is silent: its connection is closed by its kernel.
func TestBrokenConnection(t *testing.T) {
	for name, stopping := range map[string]bool{"working": false, "told to stop": true, "told to stop too late": true} {
		t.Run(name, func(t *testing.T) {
			s, err := control.Listen(control.ServerOptions{
				Host: "127.0.0.1", Token: token, RunID: runID, Heartbeat: beat, Lost: time.Hour, Reconnect: 10 * beat,
				Expected: func(roles.Task) bool { return true },
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			p := newProxy(t, s.Address())
			c := dial(t, options(p.listener.Addr().String()))
			next(t, s)
			if stopping && name == "told to stop" {
				s.Send(gen0, control.Directive{Kind: control.Stop})
				<-c.Directives()
			}
			p.stop()
			if stopping {
				s.Send(gen0, control.Directive{Kind: control.Stop})
			}
			if in := next(t, s); in.Lost == "" {
				t.Errorf("got %+v, want a lost agent", in)
			}
			select {
			case in := <-s.Inbound():
				t.Errorf("then came %+v", in)
			case <-time.After(15 * beat):
			}
		})
	}
}

// The end of the hub's process is noticed at once: nobody listens on its port any more.
func TestHubEnds(t *testing.T) {
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: token, RunID: runID, Heartbeat: beat, Lost: lost, Reconnect: bound,
		Expected: func(roles.Task) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	o := options(s.Address())
	o.Lost = time.Hour
	c := dial(t, o)
	next(t, s)
	s.Close()
	select {
	case <-c.Lost():
	case <-time.After(bound):
		t.Error("the agent does not notice that the hub has ended")
	}
}

func TestHubThatNeverComes(t *testing.T) {
	o := options("")
	o.Find = func(context.Context) (string, error) { return "", errors.New("no hub") }
	c := dial(t, o)
	select {
	case <-c.Lost():
		if err := c.Err(); err == nil || err.Error() != "no hub" {
			t.Errorf("got %v", err)
		}
	case <-time.After(bound):
		t.Error("the agent waits for ever")
	}
}

// Who has not the token, the attempt or a place in the plan gets nothing and disturbs nothing.
func TestStrangers(t *testing.T) {
	s := listen(t)
	c := dial(t, options(s.Address()))
	next(t, s)
	strangers := map[string]func(*control.ClientOptions){
		"wrong token":   func(o *control.ClientOptions) { o.Token = "guess" },
		"no token":      func(o *control.ClientOptions) { o.Token = "" },
		"other attempt": func(o *control.ClientOptions) { o.Hello.RunID = "run-1" },
		"unknown task":  func(o *control.ClientOptions) { o.Hello.Task.Rank = 4 },
		"no session":    func(o *control.ClientOptions) { o.Hello.Session = "" },
		"second agent":  func(o *control.ClientOptions) { o.Hello.Session = "b" },
	}
	for name, change := range strangers {
		t.Run(name, func(t *testing.T) {
			o := options(s.Address())
			change(&o)
			stranger := dial(t, o)
			stranger.Send(control.Event{Kind: control.Exited})
			select {
			case <-stranger.Lost():
			case <-time.After(bound):
				t.Error("it is not turned away")
			}
		})
	}
	scan(t, s.Address())
	c.Send(control.Event{Kind: control.Ready})
	if in := next(t, s); in.Event == nil || in.Event.Kind != control.Ready {
		t.Errorf("the hub heard %+v", in)
	}
}

// scan does what a port scanner does.
func scan(t *testing.T, address string) {
	t.Helper()
	for _, text := range []string{"", "\x16\x03\x01", "GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		conn.Close()
	}
	for _, path := range []string{"/", "/v1/attach", "/metrics"} {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("GET %s: %s", path, resp.Status)
		}
	}
}

// The hub's own agent is heard in the same way.
func TestLocal(t *testing.T) {
	s := listen(t)
	l := s.Local(control.Hello{Task: roles.Hub()})
	if in := next(t, s); in.Hello == nil || in.Task != roles.Hub() {
		t.Fatalf("got %+v", in)
	}
	l.Send(control.Event{Kind: control.Started})
	if in := next(t, s); in.Event == nil {
		t.Errorf("got %+v", in)
	}
	s.Send(roles.Hub(), control.Directive{Kind: control.Stop})
	if d := <-l.Directives(); d.Kind != control.Stop {
		t.Errorf("got %+v", d)
	}
	l.Close()
	if in := next(t, s); !in.Bye {
		t.Errorf("got %+v", in)
	}
}
