package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
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

func listen(t *testing.T) *control.Server { return listenOn(t, nil) }

// listenOn is a hub that listens on a listener; nil: on a port of its own.
func listenOn(t *testing.T, l net.Listener) *control.Server {
	t.Helper()
	s := begin(t, l)
	t.Cleanup(s.Close)
	return s
}

// begin begins a hub that the test ends.
func begin(t *testing.T, l net.Listener) *control.Server {
	t.Helper()
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Listener: l, Token: token, RunID: runID, Heartbeat: beat, Lost: lost,
		Expected: func(task roles.Task) bool { return task.Role.Kind == roles.Gen && task.Rank < 4 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func options(hub string) control.ClientOptions {
	return control.ClientOptions{
		Find:  func(context.Context) (string, error) { return hub, nil },
		Token: token, Hello: protocol.Hello{Task: gen0, Session: "a", RunID: runID},
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
	for timeout := time.After(bound); ; {
		select {
		case in := <-s.Inbound():
			if !in.Alive && !in.Back && !in.Broke {
				return in
			}
		case <-timeout:
			t.Fatal("nothing arrived")
			return control.Inbound{}
		}
	}
}

// sees waits for an arrival that is as wanted.
func sees(t *testing.T, s *control.Server, what string, want func(control.Inbound) bool) {
	t.Helper()
	for timeout := time.After(bound); ; {
		select {
		case in := <-s.Inbound():
			if want(in) {
				return
			}
		case <-timeout:
			t.Fatalf("never: %s", what)
		}
	}
}

// Messages arrive once and in order in both directions, and the last of them before the goodbye.
func TestConversation(t *testing.T) {
	s := listen(t)
	c := dial(t, options(s.Address()))
	if in := next(t, s); in.Hello == nil || in.Task != gen0 {
		t.Fatalf("first came %+v", in)
	}
	for i := range 100 {
		c.Send(protocol.Event{Kind: protocol.EventUnready, PID: i})
		s.Send(gen0, protocol.Command{Kind: protocol.CommandStart, Reason: fmt.Sprint(i)})
	}
	for i := range 100 {
		if in := next(t, s); in.Event == nil || in.Event.PID != i {
			t.Fatalf("event %d is %+v", i, in)
		}
		if d := <-c.Commands(); d.Reason != fmt.Sprint(i) {
			t.Fatalf("command %d is %+v", i, d)
		}
	}
	// the last word arrives before the goodbye
	c.Send(protocol.Event{Kind: protocol.EventStopped, Outcome: &protocol.Outcome{}})
	c.Close()
	if in := next(t, s); in.Event == nil || in.Event.Kind != protocol.EventStopped {
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
	c.Send(protocol.Event{Kind: protocol.EventStarted})
	close(found)
	if in := next(t, s); in.Hello == nil {
		t.Fatalf("first came %+v", in)
	}
	if in := next(t, s); in.Event == nil || in.Event.Kind != protocol.EventStarted {
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
	deaf     atomic.Bool // only what the hub says vanishes
	wg       sync.WaitGroup
}

// gate lets bytes through, unless the proxy is frozen: then they vanish, as they do when a cable is pulled.
type gate struct {
	*proxy
	to      net.Conn
	toAgent bool
}

func (g gate) Write(b []byte) (int, error) {
	if g.frozen.Load() || g.toAgent && g.deaf.Load() {
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
		p.wg.Go(func() { _, _ = io.Copy(gate{p, out, false}, in); out.Close() })
		p.wg.Go(func() { _, _ = io.Copy(gate{p, in, true}, out); in.Close() })
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
			c.Send(protocol.Event{Kind: protocol.EventUnready, PID: i})
			s.Send(gen0, protocol.Command{Kind: protocol.CommandStart, Reason: fmt.Sprint(i)})
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
		case d := <-c.Commands():
			if d.Reason != fmt.Sprint(i) {
				t.Fatalf("command %d is %+v", i, d)
			}
		case <-time.After(bound):
			t.Fatalf("command %d never came", i)
		}
	}
}

// Signs of life are reported while they come, and no more when the network has gone; the agent notices too.
func TestSilence(t *testing.T) {
	s := listen(t)
	p := newProxy(t, s.Address())
	c := dial(t, options(p.listener.Addr().String()))
	sees(t, s, "a sign of life", func(in control.Inbound) bool { return in.Alive && in.Task == gen0 })
	p.frozen.Store(true)
	select {
	case <-c.Lost():
		if c.Err() == nil {
			t.Error("the agent does not know why the hub is lost")
		}
	case <-time.After(bound):
		t.Error("the agent does not notice that the hub is gone")
	}
}

// An agent that hears nothing says that it gives the hub up, with what it had to say before, and is not let in again.
func TestGivesUp(t *testing.T) {
	s := listen(t)
	p := newProxy(t, s.Address())
	c := dial(t, options(p.listener.Addr().String()))
	sees(t, s, "a sign of life", func(in control.Inbound) bool { return in.Alive })
	p.deaf.Store(true)
	c.Send(protocol.Event{Kind: protocol.EventUnready, PID: 1})
	sees(t, s, "what it said", func(in control.Inbound) bool { return in.Event != nil })
	sees(t, s, "that it gives up", func(in control.Inbound) bool { return in.Broke && in.GaveUp })
	<-c.Lost()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "no sign of life from the hub for 400ms") {
		t.Error(err)
	}
	p.deaf.Store(false)
	again := dial(t, options(p.listener.Addr().String()))
	select {
	case <-again.Lost():
		if err := again.Err(); err == nil || !strings.Contains(err.Error(), "counts as lost") {
			t.Error(err)
		}
	case <-time.After(bound):
		t.Error("it is let in again")
	}
}

// An agent that is killed is not waited for as one that is silent: its connection is closed by its kernel.
func TestBrokenConnection(t *testing.T) {
	s := listen(t)
	p := newProxy(t, s.Address())
	dial(t, options(p.listener.Addr().String()))
	next(t, s)
	p.cut()
	sees(t, s, "the break", func(in control.Inbound) bool { return in.Broke })
	sees(t, s, "the return", func(in control.Inbound) bool { return in.Back })
}

// An agent that counts as lost does not come back; another in its place is welcome.
func TestDrop(t *testing.T) {
	s := listen(t)
	c := dial(t, options(s.Address()))
	next(t, s)
	s.Drop(gen0)
	select {
	case <-c.Lost():
	case <-time.After(bound):
		t.Error("an agent that counts as lost goes on")
	}
	o := options(s.Address())
	o.Hello.Session = "b"
	dial(t, o)
	if in := next(t, s); in.Hello == nil || in.Hello.Session != "b" {
		t.Errorf("got %+v", in)
	}
}

// A connection that breaks before the agent knows that it is welcome loses nothing: the agent is announced by the next.
func TestFirstConnectionBreaks(t *testing.T) {
	s := listen(t)
	o := options(s.Address())
	var tries atomic.Int32
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if n := tries.Add(1); err == nil && n <= 4 {
			return &breaking{Conn: conn, reads: int(n)}, nil
		}
		return conn, err
	}
	c := dial(t, o)
	c.Send(protocol.Event{Kind: protocol.EventStarted})
	if in := next(t, s); in.Hello == nil {
		t.Fatalf("first came %+v", in)
	}
	if in := next(t, s); in.Event == nil {
		t.Fatalf("then came %+v", in)
	}
}

// breaking is a connection that ends at its n-th read.
type breaking struct {
	net.Conn
	reads int
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.reads--; b.reads <= 0 {
		b.Close()
		return 0, net.ErrClosed
	}
	return b.Conn.Read(p)
}

// fragile is a listener whose first connections end at the hub's n-th write, the n-th of them.
type fragile struct {
	net.Listener
	first int32
	count atomic.Int32
}

func (f *fragile) Accept() (net.Conn, error) {
	conn, err := f.Listener.Accept()
	if n := f.count.Add(1); err == nil && n <= f.first {
		return &mute{Conn: conn, writes: int(n)}, nil
	}
	return conn, err
}

// mute is a connection that ends at its n-th write.
type mute struct {
	net.Conn
	writes int
}

func (m *mute) Write(p []byte) (int, error) {
	if m.writes--; m.writes <= 0 {
		m.Close()
		return 0, net.ErrClosed
	}
	return m.Conn.Write(p)
}

// Neither does one that breaks before the hub could tell the agent that it is welcome.
func TestFirstReplyIsLost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := listenOn(t, &fragile{Listener: l, first: 4})
	c := dial(t, options(s.Address()))
	c.Send(protocol.Event{Kind: protocol.EventStarted})
	if in := next(t, s); in.Hello == nil {
		t.Fatalf("first came %+v", in)
	}
	if in := next(t, s); in.Event == nil {
		t.Fatalf("then came %+v", in)
	}
}

// What a peer sends is checked where it comes in. An agent that sends nonsense, which it would send again over the next
// connection, is turned away and told why; nothing that it sent after it counts, and the hub loses nothing else.
// Another agent in its place is welcome.
func TestInvalidEvent(t *testing.T) {
	s := listen(t)
	bad := dial(t, options(s.Address()))
	next(t, s)
	bad.Send(protocol.Event{Kind: protocol.EventExited}) // without an outcome
	bad.Send(protocol.Event{Kind: protocol.EventReady})
	sees(t, s, "the break", func(in control.Inbound) bool {
		if in.Event != nil {
			t.Errorf("it was delivered: %+v", in.Event)
		}
		return in.Broke && strings.Contains(in.Fault, "it has no outcome")
	})
	select {
	case <-bad.Lost():
		if err := bad.Err(); err == nil || !strings.Contains(err.Error(), "it has no outcome") {
			t.Errorf("it is told %v", err)
		}
	case <-time.After(bound):
		t.Error("it is not turned away")
	}
	o := options(s.Address())
	o.Hello.Session = "b"
	dial(t, o)
	if in := next(t, s); in.Hello == nil || in.Hello.Session != "b" {
		t.Errorf("got %+v", in)
	}
}

// An agent whose hub sends nonsense takes it for lost: it is of another version, or none.
func TestInvalidCommand(t *testing.T) {
	s := listen(t)
	c := dial(t, options(s.Address()))
	next(t, s)
	s.Send(gen0, protocol.Command{Kind: "dance"})
	select {
	case <-c.Lost():
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "unknown kind") {
			t.Errorf("the hub is lost because of %v", err)
		}
	case got := <-c.Commands():
		t.Errorf("it was delivered: %+v", got)
	case <-time.After(bound):
		t.Error("it goes on")
	}
}

// What the starter of a step reports is taken from whoever has the token, about a role of this attempt.
func TestStepReports(t *testing.T) {
	s := listen(t)
	report := protocol.StepReport{Role: gen0.Role, RunID: runID, Ended: true, Code: 7, Detail: "the step never began"}
	if err := control.ReportStep(t.Context(), s.Address(), token, report); err != nil {
		t.Fatal(err)
	}
	if in := next(t, s); in.Step == nil || in.Step.Detail != report.Detail || in.Task != gen0 {
		t.Errorf("got %+v", in)
	}
	other, invalid := report, report
	other.RunID, invalid.Code = "run-1", 1000
	for name, r := range map[string]protocol.StepReport{"another attempt": other, "invalid": invalid} {
		if err := control.ReportStep(t.Context(), s.Address(), token, r); err == nil ||
			!strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := control.ReportStep(t.Context(), s.Address(), "guess", report); err == nil {
		t.Error("a stranger may report")
	}
}

// The end of the hub's process is noticed at once: nobody listens on its port any more.
func TestHubEnds(t *testing.T) {
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: token, RunID: runID, Heartbeat: beat,
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

// An agent that finds no hub knows why.
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
			stranger.Send(protocol.Event{Kind: protocol.EventReady, Detail: "of a stranger"})
			select {
			case <-stranger.Lost():
			case <-time.After(bound):
				t.Error("it is not turned away")
			}
		})
	}
	scan(t, s.Address())
	c.Send(protocol.Event{Kind: protocol.EventReady})
	if in := next(t, s); in.Event == nil || in.Event.Kind != protocol.EventReady {
		t.Errorf("the hub heard %+v", in)
	}
}

// scan does what a port scanner does, and what somebody who means harm may try.
func scan(t *testing.T, address string) {
	t.Helper()
	texts := []string{
		"", "\x16\x03\x01", "GET / HTTP/1.0\r\n\r\n", "SSH-2.0-x\r\n", "\xff\xff\xff\xff", "\x00\x00\x00\x02{}",
		"\x00\x00\x00\x04null",
	}
	for _, text := range texts {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		conn.Close()
	}
}

// The token never travels, and neither does anything about the agent to somebody who took the hub's port.
func TestNothingIsSaidToAStranger(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(lost / 4))
		_, _ = conn.Write([]byte("\x00\x00\x00\x02{}"))
		data, _ := io.ReadAll(conn)
		heard <- data
	}()
	dial(t, options(l.Addr().String()))
	if data := <-heard; bytes.Contains(data, []byte(token)) || bytes.Contains(data, []byte("GEN")) ||
		bytes.Contains(data, []byte(runID)) {
		t.Errorf("a stranger hears %q", data)
	}
}

// The hub's own agent is heard in the same way.
func TestLocal(t *testing.T) {
	s := listen(t)
	l := s.Local(protocol.Hello{Task: roles.Hub()})
	if in := next(t, s); in.Hello == nil || in.Task != roles.Hub() {
		t.Fatalf("got %+v", in)
	}
	l.Send(protocol.Event{Kind: protocol.EventStarted})
	if in := next(t, s); in.Event == nil {
		t.Errorf("got %+v", in)
	}
	s.Send(roles.Hub(), protocol.Command{Kind: protocol.CommandStop})
	if d := <-l.Commands(); d.Kind != protocol.CommandStop {
		t.Errorf("got %+v", d)
	}
	l.Close()
	if in := next(t, s); !in.Bye {
		t.Errorf("got %+v", in)
	}
}

// A report that the hub does not take is an error of its own: whoever reports need not try again.
func TestReportIsRefused(t *testing.T) {
	s, err := control.Listen(control.ServerOptions{
		Host: "127.0.0.1", Token: "secret", RunID: "r", Heartbeat: time.Second,
		Expected: func(roles.Task) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	report := protocol.StepReport{Role: roles.Hub().Role, RunID: "r"}
	if err := control.ReportStep(t.Context(), s.Address(), "secret", report); !errors.Is(err, control.ErrRefused) {
		t.Errorf("a report of no role: %v", err)
	}
	err = control.ReportStep(t.Context(), s.Address(), "other", report)
	if err == nil || errors.Is(err, control.ErrRefused) {
		t.Errorf("with another token: %v", err)
	}
}
