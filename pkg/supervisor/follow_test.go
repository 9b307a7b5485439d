package supervisor_test

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/supervisor"
)

// started starts a program that ends when it is signalled, and follows it.
func started(t *testing.T) (*exec.Cmd, *supervisor.Followed) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	f, err := supervisor.Follow(supervisor.MarkOf(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return cmd, f
}

// A process is followed to its end, also before its parent has asked how it ended.
func TestFollow(t *testing.T) {
	cmd, f := started(t)
	if f.Ended() {
		t.Error("it has ended before it was signalled")
	}
	if err := f.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if !f.Wait(t.Context()) || !f.Ended() || !f.Wait(t.Context()) {
		t.Error("its end was not seen")
	}
	if cmd.Wait(); cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
	if _, err := supervisor.Follow(supervisor.MarkOf(cmd.Process.Pid)); err == nil {
		t.Error("what is no more is followed")
	}
}

// A wait ends with its context, and with the following.
func TestFollowIsGivenUp(t *testing.T) {
	_, f := started(t)
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan bool)
	go func() { waits <- f.Wait(ctx) }()
	cancel()
	if <-waits {
		t.Error("an end was seen that did not come")
	}
	_, f = started(t)
	go func() { waits <- f.Wait(context.Background()) }()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if <-waits {
		t.Error("an end was seen that did not come")
	}
}

// A wait that was given up does not spoil what is asked later, nor the waits of others.
func TestFollowAfterGivingUp(t *testing.T) {
	cmd, f := started(t)
	others := make(chan bool)
	for range 2 {
		go func() { others <- f.Wait(t.Context()) }()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f.Wait(ctx) || f.Ended() {
		t.Error("an end was seen that did not come")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if first, second := <-others, <-others; !first || !second || !f.Ended() || !f.Wait(t.Context()) {
		t.Error("its end was not seen")
	}
	if err := f.Close(); err != nil || f.Ended() {
		t.Errorf("closed: %v, and it is asked still", err)
	}
}

// Neither a number alone nor a mark of another time or name space is followed.
func TestFollowOnlyByMark(t *testing.T) {
	good := supervisor.Mark()
	parts := strings.Split(good, ":")
	for _, mark := range []string{
		"", parts[0], "x:" + parts[1] + ":" + parts[2], "-1:" + parts[1] + ":" + parts[2],
		parts[0] + ":1:" + parts[2], parts[0] + "::" + parts[2], parts[0] + ":" + parts[1] + ":7",
	} {
		if _, err := supervisor.Follow(mark); err == nil {
			t.Errorf("%q was followed", mark)
		}
	}
}
