package door

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

// waits is an open door on loopback behind which every connection says a letter and waits for another, or for its end.
func waits(t *testing.T, most int) *Door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := Open(l, most, func(c net.Conn, _ func()) {
		_, _ = io.WriteString(c, "a")
		_, _ = c.Read(make([]byte, 1))
	})
	t.Cleanup(d.Close)
	return d
}

// knock connects, and waits until it is let in.
func knock(t *testing.T, d *Door) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(bound))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return c
}

// gone tells whether a connection was closed by the other side; one that is open is not waited for long.
func gone(c net.Conn, patience time.Duration) bool {
	_ = c.SetDeadline(time.Now().Add(patience))
	_, err := c.Read(make([]byte, 1))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// Of too many strangers the oldest has to go, and no other.
func TestTheOldestGoes(t *testing.T) {
	d := waits(t, 3)
	var all []net.Conn
	for range 5 {
		all = append(all, knock(t, d))
	}
	for i, c := range all[:2] {
		if !gone(c, bound) {
			t.Errorf("stranger %d is still there", i)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.strangers) != 3 {
		t.Errorf("%d strangers are there, want 3", len(d.strangers))
	}
}

// One that was let through stays, however many strangers come, until its server lets it go.
func TestLetThrough(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	d := Open(l, 1, func(c net.Conn, letThrough func()) {
		who := make([]byte, 1)
		if _, err := io.ReadFull(c, who); err == nil && string(who) == "f" {
			letThrough()
			_, _ = io.WriteString(c, "welcome")
			<-over
		}
	})
	defer d.Close()
	defer close(over)
	friend, err := net.Dial("tcp", d.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	_ = friend.SetDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(friend, "f"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(friend, make([]byte, len("welcome"))); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.Dial("tcp", d.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if gone(friend, 50*time.Millisecond) {
		t.Error("the friend was turned away")
	}
}

// Closing turns every stranger away, and waits for nobody; it may be said again.
func TestClose(t *testing.T) {
	d := waits(t, 8)
	c := knock(t, d)
	d.Close()
	d.Close()
	if !gone(c, bound) {
		t.Error("the stranger is still there")
	}
	if c, err := net.Dial("tcp", d.Address()); err == nil {
		_ = c.Close()
		t.Error("the port is still open")
	}
}

// A port that cannot let anybody in for a while, because files have run out, is not given up.
func TestAcceptGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusals := make(chan error, 3)
		for range cap(refusals) {
			refusals <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		close(refusals)
		begun := time.Now()
		d := Open(&refusing{refusals: refusals}, 1, func(net.Conn, func()) {})
		d.wg.Wait()
		if took := time.Since(begun); took != 3*acceptPause {
			t.Errorf("it ended after %v", took)
		}
		d.Close()
	})
}

// refusing is a port that cannot accept, and is closed after its last refusal.
type refusing struct {
	net.Listener
	refusals chan error
}

func (r *refusing) Accept() (net.Conn, error) {
	if err, ok := <-r.refusals; ok {
		return nil, err
	}
	return nil, net.ErrClosed
}

func (*refusing) Close() error { return nil }
