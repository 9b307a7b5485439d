package supervisor_test

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"
)

// A helper is run to its end; its code and the beginning of its output are told, and nothing of it is left.
func TestHelper(t *testing.T) {
	s := check.Supervise(t)
	tests := map[string]struct {
		argv   []string
		output string
		code   int
	}{
		"good":      {[]string{"sh", "-c", "echo out; echo err >&2"}, "out\nerr\n", 0},
		"bad":       {[]string{"sh", "-c", "exit 7"}, "", 7},
		"killed":    {[]string{"sh", "-c", "kill -9 $$"}, "", 137},
		"left some": {[]string{"sh", "-c", "sleep 600 & echo ok"}, "ok\n", 0},
	}
	for name, tt := range tests {
		begun := time.Now()
		out, code, err := s.Run(t.Context(), tt.argv, os.Environ())
		if string(out) != tt.output || code != tt.code || err != nil || time.Since(begun) > bound {
			t.Errorf("%s: %q, code %d, %v", name, out, code, err)
		}
	}
	answer := []string{"sh", "-c", "yes | head -c 1000000; echo err >&2; exit 3"}
	if out, code, err := s.Output(t.Context(), answer, os.Environ()); len(out) != 1000000 || code != 3 || err != nil {
		t.Errorf("an answer of %d bytes, code %d, %v", len(out), code, err)
	}
	if _, _, err := s.Run(t.Context(), []string{"no-such-program"}, os.Environ()); err == nil {
		t.Error("a command that does not exist was run")
	}
	if _, _, err := s.Run(t.Context(), nil, nil); err == nil {
		t.Error("no command was run")
	}
	out, _, err := s.Run(t.Context(), []string{"sh", "-c", "yes | head -c 1000000"}, os.Environ())
	if len(out) != 64<<10 || err != nil || !strings.HasPrefix(string(out), "y\n") {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	check.Eventually(t, "what a helper left has gone", func() bool { return len(check.ChildrenOf(os.Getpid())) == 0 })
}

// The end of the context ends the helper with its group, also beside a child, which is left alone.
func TestHelperIsKilled(t *testing.T) {
	s := check.Supervise(t)
	c := run(t, s, nil, "wait")
	c.awaitReady()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, code, err := s.Run(ctx, []string{"sh", "-c", "sleep 600 & sleep 600"}, os.Environ())
	if code != 137 || err != nil || time.Since(begun) > bound {
		t.Errorf("code %d, %v, after %v", code, err, time.Since(begun))
	}
	select {
	case <-c.Exited():
		t.Error("the child was ended too")
	default:
	}
	c.Stop("enough")
	c.outcome()
}

// What a helper prints is handed on while it runs; the end of the context ends it, with its group.
func TestHelperThatGoesOn(t *testing.T) {
	s := check.Supervise(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code, err := s.RunTo(ctx, w, []string{"sh", "-c", "echo one; sleep 600 & echo two; sleep 600"}, os.Environ())
		if err != nil {
			t.Error(err)
		}
		_ = w.Close()
		ended <- code
	}()
	said := make([]byte, len("one\ntwo\n"))
	if _, err := io.ReadFull(r, said); err != nil || string(said) != "one\ntwo\n" {
		t.Errorf("%q %v", said, err)
	}
	cancel()
	select {
	case code := <-ended:
		if code != 137 {
			t.Errorf("code %d", code)
		}
	case <-time.After(bound):
		t.Fatal("it goes on")
	}
	check.Eventually(t, "nothing of it is left", func() bool { return len(check.ChildrenOf(os.Getpid())) == 0 })
}
