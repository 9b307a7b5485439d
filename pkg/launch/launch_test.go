package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/roles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bound is how long anything may take that should happen at once.
const bound = 20 * time.Second

// localJob is a job of three ranks whose agent is a shell script.
func localJob(t *testing.T, script string) Job {
	t.Helper()
	agent := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(agent, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	p := roles.Plan{RunDir: roles.RunDir(t.TempDir()), Cluster: roles.Cluster{KillWait: roles.Duration(bound)}}
	for i, r := range []roles.Role{{Kind: roles.Gen}, {Kind: roles.Benchmark}} {
		p.Layout.Placements = append(p.Layout.Placements, roles.Placement{Role: r, Nodes: 1, Ranks: 2 - i, RanksPerNode: 2 - i})
	}
	return Job{Plan: p, Agent: agent}
}

// The local launcher gives every rank what a step would, collects a log a role, and returns BENCHMARK's code.
func TestRunLocal(t *testing.T) {
	j := localJob(t, `echo "$DISAGG_SERVING_TYPE $DISAGG_RANK of $OMPI_COMM_WORLD_SIZE"; [ "$DISAGG_SERVING_TYPE" != BENCHMARK ] || exit 3`)
	code, err := j.RunLocal(t.Context())
	if code != 3 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
	a := j.Plan.RunDir.Attempt(0)
	for name, want := range map[string][]string{"gen_server_0": {"GEN_0 0 of 2", "GEN_0 1 of 2"}, "benchmark": {"BENCHMARK 0 of 1"}} {
		data, err := os.ReadFile(filepath.Join(a.Logs(), name+".log"))
		for _, line := range want {
			if !strings.Contains(string(data), line+"\n") {
				t.Errorf("%s.log: %v: %q lacks %q", name, err, data, line)
			}
		}
		if _, err := os.Stat(filepath.Join(a.Logs(), name+".done")); err != nil {
			t.Error(err)
		}
	}
	if CurrentAttempt(j.Plan.RunDir) != a {
		t.Error("the attempt is not the current one")
	}
}

// The end of the context asks every agent to stop, once and with SIGTERM.
func TestRunLocalIsCancelled(t *testing.T) {
	j := localJob(t, `trap 'echo asked; exit 1' TERM; : >"$DISAGG_PLAN.$DISAGG_SERVING_TYPE.$DISAGG_RANK"; while :; do sleep 0.02; done`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for {
			if ready, _ := filepath.Glob(j.Plan.RunDir.Plan() + ".*"); len(ready) == 3 || ctx.Err() != nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	begun := time.Now()
	code, err := j.RunLocal(ctx)
	if code != 1 || err != nil || time.Since(begun) > bound {
		t.Errorf("code %d, %v, after %v", code, err, time.Since(begun))
	}
	data, _ := os.ReadFile(j.Plan.RunDir.Attempt(0).RoleLog(roles.Role{Kind: roles.Gen}))
	if string(data) != "asked\nasked\n" {
		t.Errorf("%q", data)
	}
}

// An agent that cannot be run is told, and the others are not left waiting.
func TestRunLocalWithoutAgent(t *testing.T) {
	j := localJob(t, "")
	j.Agent = "/nowhere/agent"
	if _, err := j.RunLocal(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// A follower tells each entry once, whole, and goes on with the next attempt.
func TestFollow(t *testing.T) {
	d := roles.RunDir(t.TempDir())
	events := func(attempt int) *os.File {
		if err := os.MkdirAll(string(d.Attempt(attempt)), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(d.Attempt(attempt).Events())
		if err == nil {
			err = SetCurrent(d, attempt)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	ctx, cancel := context.WithCancel(t.Context())
	heard, done := make(chan string, 16), make(chan struct{})
	go func() {
		defer close(done)
		Follow(ctx, d, func(e hub.Entry) { heard <- fmt.Sprintf("%d %s", e.Seq, e.Kind) })
	}()
	line := func(seq int, kind string) string {
		data, err := json.Marshal(hub.Entry{Schema: 1, Seq: seq, Kind: kind})
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + "\n"
	}
	f := events(0)
	fmt.Fprint(f, line(1, "phase"), line(2, "ready")[:10])
	expect(t, heard, "1 phase")
	fmt.Fprint(f, line(2, "ready")[10:])
	expect(t, heard, "2 ready")
	fmt.Fprint(events(1), line(1, "again"))
	expect(t, heard, "1 again")
	cancel()
	<-done
	if len(heard) > 0 {
		t.Errorf("told twice: %s", <-heard)
	}
}

func expect(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	select {
	case got := <-heard:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	case <-time.After(bound):
		t.Fatalf("never told: %s", want)
	}
}
