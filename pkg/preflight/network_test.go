package preflight

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// serve answers every connection to a new port in a way of its own, and returns the port's address.
func serve(t *testing.T, talk func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talk(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// A peer counts as reached when it proves to be one.
func TestReach(t *testing.T) {
	l, err := Listen("127.0.0.1", "token")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	other := serve(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		fmt.Fprint(c, "SSH\n")
	})
	got := Reach(t.Context(), "token", map[string]string{"peer": l.Address(), "nobody": "127.0.0.1:1", "other": other})
	if got["peer"] != "" || got["nobody"] != refused || got["other"] != stranger || len(got) != 3 {
		t.Errorf("got %q", got)
	}
	if got := Reach(t.Context(), "guess", map[string]string{"peer": l.Address()}); got["peer"] == "" {
		t.Error("a peer with another token is answered")
	}
}

// Strangers who say nothing, however many, keep nobody from being answered: the oldest has to go.
func TestStrangersDoNotBlock(t *testing.T) {
	l, err := Listen("127.0.0.1", "token")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var strangers []net.Conn
	for range maxOpen + 8 {
		c, err := net.Dial("tcp", l.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		strangers = append(strangers, c)
	}
	if got := Reach(t.Context(), "token", map[string]string{"peer": l.Address()}); got["peer"] != "" {
		t.Errorf("got %q", got)
	}
	_ = strangers[0].SetReadDeadline(time.Now().Add(listenBound / 2))
	if _, err := strangers[0].Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the oldest stranger is still there")
	}
}

// A try that gets no answer is followed by others until one is answered or the time is over; an answer ends them, and
// so do two refusals.
func TestReachTriesAgain(t *testing.T) {
	refuse := func(context.Context) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	silence := func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}
	cut := talk(func(c net.Conn) { _, _ = bufio.NewReader(c).ReadString('\n') })
	peer := talk(func(c net.Conn) { prove(c, "token") })
	wrong := talk(func(c net.Conn) { prove(c, "another token") })
	mute := talk(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	tests := map[string]struct {
		dials []dialFunc // the last one again and again
		want  string
		tries int
		took  time.Duration
	}{
		"it answers":                {dials(peer), "", 1, 0},
		"it answers the third time": {dials(cut, cut, peer), "", 3, 2 * tryPause},
		"it is cut off for ever":    {dials(cut), "the connection was closed", 14, reachBound - tryPause},
		"it is a stranger":          {dials(cut, wrong), stranger, 2, tryPause},
		"it refuses":                {dials(refuse), refused, 2, tryPause},
		"it refuses at first":       {dials(refuse, peer), "", 2, tryPause},
		"packets are lost":          {dials(silence), "timeout", 1, reachBound},
		"it says nothing":           {dials(mute), "timeout", 1, reachBound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, begun := 0, time.Now()
				dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
					tries++
					return tt.dials[min(tries, len(tt.dials))-1](ctx)
				}
				got := reacher{dial, "token"}.reachAll(t.Context(), map[string]string{"peer": "x:1"})["peer"]
				if took := time.Since(begun); got != tt.want || tries != tt.tries || took != tt.took {
					t.Errorf("%q after %d tries and %v, want %+v", got, tries, took, tt)
				}
			})
		})
	}
}

// dialFunc makes a connection.
type dialFunc func(context.Context) (net.Conn, error)

func dials(list ...dialFunc) []dialFunc { return list }

// talk makes connections in memory, whose other end answers in a way of its own.
func talk(answer func(net.Conn)) dialFunc {
	return func(context.Context) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			answer(there)
		}()
		return here, nil
	}
}

// Whoever took the port of a peer that is gone does not learn the token.
func TestTokenIsNotSent(t *testing.T) {
	got := make(chan string, 1)
	address := serve(t, func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Fprintln(c, "no peer of yours")
		select {
		case got <- line:
		default:
		}
	})
	Reach(t.Context(), "SECRET-TOKEN", map[string]string{"x": address})
	if s := <-got; s == "" || strings.Contains(s, "SECRET") {
		t.Errorf("it reads %q", s)
	}
}
