package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/test/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const delay = 10 * time.Millisecond

func link() *memnet.Link {
	return &memnet.Link{
		Name: "a", Window: 100, Up: memnet.Way{Least: delay, Most: delay}, Down: memnet.Way{Least: delay, Most: delay},
	}
}

// connected makes both ends of a connection.
func connected(t *testing.T, l *memnet.Link, pauses ...memnet.Span) (client, hub net.Conn) {
	t.Helper()
	n := memnet.New(1)
	listener, err := n.Listen("hub:1", pauses...)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = n.Dial(t.Context(), l, "hub:1"); err != nil {
		t.Fatal(err)
	}
	if hub, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, hub
}

// reads reads once, and tells how long that took.
func reads(c net.Conn) (string, time.Duration, error) {
	begun, b := time.Now(), make([]byte, 1000)
	n, err := c.Read(b)
	return string(b[:n]), time.Since(begun), err
}

// within runs a test in a bubble.
func within(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// What is sent arrives in order, after its delay, and then the end.
func TestDelivery(t *testing.T) {
	within(t, "data and the end", func(t *testing.T) {
		client, hub := connected(t, link())
		_, _ = client.Write([]byte("one"))
		if data, took, err := reads(hub); data != "one" || took != delay || err != nil {
			t.Errorf("%q, %v, %v", data, took, err)
		}
		_, _ = client.Write([]byte("two"))
		client.Close()
		if data, err := io.ReadAll(hub); string(data) != "two" || err != nil {
			t.Errorf("%q, %v", data, err)
		}
	})
	within(t, "in packets and pieces", func(t *testing.T) {
		l := link()
		l.Packet, l.Piece, l.Up.Most = 3, 2, time.Second
		client, hub := connected(t, l)
		_, _ = client.Write([]byte("0123456789"))
		client.Close()
		if data, _, _ := reads(hub); data != "01" {
			t.Errorf("the first piece is %q", data)
		}
		if data, err := io.ReadAll(hub); string(data) != "23456789" || err != nil {
			t.Errorf("%q, %v", data, err)
		}
	})
	within(t, "at a rate", func(t *testing.T) {
		l := link()
		l.Up.Rate = 100
		client, hub := connected(t, l)
		_, _ = client.Write([]byte(strings.Repeat("x", 50)))
		if _, took, _ := reads(hub); took != 500*time.Millisecond+delay {
			t.Errorf("it takes %v", took)
		}
	})
}

// A write waits for room, and a deadline ends what waits.
func TestDeadlines(t *testing.T) {
	within(t, "write", func(t *testing.T) {
		client, hub := connected(t, link())
		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := client.Write(make([]byte, 150)); n != 100 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		time.AfterFunc(time.Second, func() { _, _, _ = reads(hub) })
		_ = client.SetWriteDeadline(time.Time{})
		if n, err := client.Write(make([]byte, 50)); n != 50 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	within(t, "read", func(t *testing.T) {
		client, _ := connected(t, link())
		time.AfterFunc(time.Second, func() { _ = client.SetReadDeadline(time.Now()) })
		if _, took, err := reads(client); took != time.Second || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %v: %v", took, err)
		}
		time.AfterFunc(time.Second, func() { client.Close() })
		_ = client.SetDeadline(time.Time{})
		if _, took, err := reads(client); took != time.Second || !errors.Is(err, net.ErrClosed) {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// What a cut holds up arrives after it, and nothing arrives behind one that never ends.
func TestCuts(t *testing.T) {
	within(t, "for a while", func(t *testing.T) {
		l := link()
		l.Up.Cuts = []memnet.Span{{From: time.Second, To: 5 * time.Second}}
		client, hub := connected(t, l)
		time.Sleep(time.Second)
		_, _ = client.Write([]byte("late"))
		if data, took, err := reads(hub); data != "late" || took < 3*time.Second || took > 6*time.Second || err != nil {
			t.Errorf("%q after %v: %v", data, took, err)
		}
		_, _ = hub.Write([]byte("back"))
		if _, took, _ := reads(client); took != delay {
			t.Errorf("the other way takes %v", took)
		}
	})
	within(t, "for ever", func(t *testing.T) {
		l := link()
		l.Up.Cuts = []memnet.Span{{From: time.Second, To: memnet.Forever}}
		client, hub := connected(t, l)
		time.Sleep(time.Second)
		_, _ = client.Write([]byte("never"))
		_ = hub.SetReadDeadline(time.Now().Add(time.Hour))
		if _, _, err := reads(hub); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	within(t, "while connecting", func(t *testing.T) {
		n, l := memnet.New(1), link()
		l.Down.Cuts = []memnet.Span{{To: 2 * time.Second}}
		if _, err := n.Listen("hub:1"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dial(ctx, l, "hub:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := n.Dial(t.Context(), l, "hub:1"); err != nil || n.Now() != 2*time.Second+2*delay {
			t.Errorf("after %v: %v", n.Now(), err) // its second packet gets through
		}
	})
}

// A connection can be reset at both ends or at one; the other learns of it when it sends.
func TestReset(t *testing.T) {
	within(t, "both", func(t *testing.T) {
		l := link()
		client, hub := connected(t, l)
		l.Reset(memnet.AtOnce, memnet.AtOnce)
		for _, c := range []net.Conn{client, hub} {
			if _, took, err := reads(c); took != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after %v: %v", took, err)
			}
		}
	})
	within(t, "one", func(t *testing.T) {
		l := link()
		client, hub := connected(t, l)
		l.Reset(memnet.OnWrite, memnet.AtOnce)
		if _, _, err := reads(hub); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
		time.AfterFunc(time.Minute, func() { _, _ = client.Write([]byte("anybody?")) })
		if _, took, err := reads(client); took != time.Minute+2*delay || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %v: %v", took, err)
		}
	})
	within(t, "one, and the other is never told", func(t *testing.T) {
		l := link()
		client, _ := connected(t, l)
		l.Reset(memnet.NotAtAll, memnet.AtOnce)
		_ = client.SetReadDeadline(time.Now().Add(time.Hour))
		_, _ = client.Write([]byte("anybody?"))
		if _, _, err := reads(client); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	within(t, "closed unread", func(t *testing.T) {
		client, hub := connected(t, link())
		_, _ = client.Write([]byte("for you"))
		time.Sleep(time.Second)
		hub.Close()
		if _, took, err := reads(client); took != delay || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %v: %v", took, err)
		}
	})
	within(t, "killed", func(t *testing.T) {
		l := link()
		_, hub := connected(t, l)
		l.Kill()
		if _, _, err := reads(hub); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
}

// Where nobody listens a connection is refused, and one that was not accepted is reset.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(1)
		if _, err := n.Dial(t.Context(), link(), "hub:1"); !errors.Is(err, syscall.ECONNREFUSED) || n.Now() != 2*delay {
			t.Errorf("after %v: %v", n.Now(), err)
		}
		l, err := n.Listen("hub:1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Listen("hub:1"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Error(err)
		}
		conn, err := n.Dial(t.Context(), link(), "hub:1")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if _, _, err := reads(conn); !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
}

// In a pause of its process no call of the hub returns, and a client that stalls reads nothing.
func TestPauses(t *testing.T) {
	within(t, "hub", func(t *testing.T) {
		client, hub := connected(t, link(), memnet.Span{From: time.Second, To: 3 * time.Second})
		time.Sleep(time.Second)
		_, _ = client.Write([]byte("hello"))
		if _, took, _ := reads(hub); took != 2*time.Second-2*delay {
			t.Errorf("a read returns after %v", took)
		}
	})
	within(t, "client", func(t *testing.T) {
		l := link()
		l.Stalls = []memnet.Span{{To: time.Second}}
		client, hub := connected(t, l)
		_, _ = hub.Write([]byte("hello"))
		if _, took, _ := reads(client); took != time.Second-2*delay {
			t.Errorf("a read returns after %v", took)
		}
	})
}
