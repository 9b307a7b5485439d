package control_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/memnet"
)

const hubAddress = "hub:1"

// network is a network in memory, and how an agent reaches the hub over it.
type network struct {
	*memnet.Network
	link *memnet.Link
}

func newNetwork() network {
	return network{memnet.New(1), &memnet.Link{Name: "agent", Window: 64 << 10}}
}

func (n network) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := n.Listen(hubAddress)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hub is a hub that ends with the test.
func (n network) hub(t *testing.T) *control.Server {
	t.Helper()
	return listenOn(t, n.listen(t))
}

// options are those of an agent that reaches the hub over the network.
func (n network) options() control.ClientOptions {
	o := options(hubAddress)
	o.Dial = func(ctx context.Context, address string) (net.Conn, error) { return n.Dial(ctx, n.link, address) }
	return o
}

// A hub that takes another's place at once does not go on with its conversations: what was said before is unknown to
// it, and what is said now would get lost without a word.
func TestAnotherHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		first := begin(t, n.listen(t))
		c := dial(t, n.options())
		c.Send(protocol.Event{Kind: protocol.EventStarted})
		next(t, first)
		next(t, first)
		time.Sleep(beat)
		first.Close()
		second := n.hub(t)
		c.Send(protocol.Event{Kind: protocol.EventReady})
		<-c.Lost()
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "its conversation began with another hub") {
			t.Errorf("it is lost because of %v", err)
		}
		o := n.options()
		o.Hello.Session = "b"
		dial(t, o)
		if in := next(t, second); in.Hello == nil || in.Hello.Session != "b" {
			t.Errorf("the second hub hears %+v", in)
		}
	})
}

// Much that gathered while there was no connection arrives: it is not one frame, which would be larger than any may be.
func TestMuchGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		s := n.hub(t)
		o := n.options()
		found := make(chan struct{})
		o.Find = func(context.Context) (string, error) { <-found; return hubAddress, nil }
		c := dial(t, o)
		const messages, size = 150, 60 << 10 // together more than a frame may have
		for i := range messages {
			c.Send(protocol.Event{Kind: protocol.EventUnready, PID: i, Detail: strings.Repeat("x", size)})
		}
		close(found)
		next(t, s)
		for i := range messages {
			if in := next(t, s); in.Event == nil || in.Event.PID != i {
				t.Fatalf("event %d is %+v", i, in)
			}
		}
	})
}

// A network that is slow is none that hangs: a large message arrives, takes as long as it takes, and nobody is lost
// meanwhile.
func TestSlowNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		const rate = 50_000
		n.link.Up.Rate, n.link.Packet = rate, 1000
		s := n.hub(t)
		c := dial(t, n.options())
		next(t, s)
		e := protocol.Event{Kind: protocol.EventExited, Outcome: &protocol.Outcome{}}
		for range 10 {
			e.Outcome.Tail = append(e.Outcome.Tail, strings.Repeat("x", 50_000))
		}
		c.Send(e)
		begun, last := time.Now(), time.Now()
		for {
			in := <-s.Inbound()
			if quiet := time.Since(last); in.Broke || quiet > lost {
				t.Fatalf("after %v: %+v", quiet, in)
			}
			if last = time.Now(); in.Event != nil {
				break
			}
		}
		if took := time.Since(begun); took < 10*time.Second {
			t.Errorf("it takes %v: the network is not slow", took)
		}
	})
}

// An agent whose connection is broken when it ends connects once more, to say goodbye.
func TestGoodbyeAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		s := n.hub(t)
		c := dial(t, n.options())
		next(t, s)
		time.Sleep(beat)
		n.link.Reset(memnet.OnWrite, memnet.AtOnce)
		c.Close()
		sees(t, s, "the goodbye", func(in control.Inbound) bool { return in.Bye })
	})
}

// A try to connect that hangs, since whoever was in between has forgotten it, leaves time for another.
func TestTryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		s := n.hub(t)
		o := n.options()
		tries := 0
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := n.Dial(ctx, n.link, address)
			if tries++; tries == 1 {
				n.link.Reset(memnet.NotAtAll, memnet.AtOnce)
			}
			return conn, err
		}
		c := dial(t, o)
		if in := next(t, s); in.Hello == nil || tries != 2 {
			t.Errorf("after %d tries: %+v", tries, in)
		}
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
}

// deafened is a listener whose second connection ends when the hub says that the agent is welcome.
type deafened struct {
	net.Listener
	accepted int
}

func (d *deafened) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if d.accepted++; err == nil && d.accepted == 2 {
		return &mute{Conn: conn, writes: 2}, nil
	}
	return conn, err
}

// A return that failed before the agent knew of it is not told, and neither is its end: each break is told once.
func TestReturnFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		s := listenOn(t, &deafened{Listener: n.listen(t)})
		dial(t, n.options())
		next(t, s)
		n.link.Reset(memnet.AtOnce, memnet.AtOnce)
		var got []string
		for len(got) < 2 {
			switch in := <-s.Inbound(); {
			case in.Broke:
				got = append(got, "broke")
			case in.Back:
				got = append(got, "back")
			}
		}
		if strings.Join(got, " ") != "broke back" {
			t.Errorf("the hub hears %v", got)
		}
	})
}
