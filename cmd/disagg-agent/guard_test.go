package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// A guard as an agent starts it ends what has its mark, but not what is another job's.
func TestGuard(t *testing.T) {
	mark := uuid.NewString()
	nobody, err := os.Open(os.DevNull) // holds the other end of stdin
	if err != nil {
		t.Fatal(err)
	}
	defer func(before *os.File) { os.Stdin = before; _ = nobody.Close() }(os.Stdin)
	os.Stdin = nobody
	t.Setenv("JOB", "7")
	start := func(job string) (*exec.Cmd, chan error) {
		cmd, ended := exec.Command("sleep", "600"), make(chan error, 1)
		cmd.Env, cmd.SysProcAttr = []string{"DISAGG_GUARD=" + mark, "JOB=" + job}, &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { ended <- cmd.Wait() }()
		return cmd, ended
	}
	ours, oursEnded := start("7")
	others, othersEnded := start("8")
	defer func() { _ = ours.Process.Kill() }() // if it was not ended
	args := append(guardArgs("disagg-agent", "JOB"), mark, "not-kin")
	if err := app().Run(args); err != nil {
		t.Fatal(err)
	}
	select {
	case <-oursEnded:
	case <-time.After(20 * time.Second):
		t.Error("what has the mark was not ended")
	}
	if err := others.Process.Signal(syscall.SIGCONT); err != nil {
		t.Errorf("another job's process was ended: %v", err)
	}
	_ = others.Process.Kill()
	<-othersEnded
}
