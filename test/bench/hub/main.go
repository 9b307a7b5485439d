// Command hub measures one hub with very many agents: `make bench-hub`. The hub is the real one, in a process of its
// own; the agents are the real ends of the connection, without children.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/bench"
)

// 158 servers, coordinator and benchmark: 160 roles, 1,024 ranks.
const (
	genServers, genRanks = 74, 7
	ctxServers, ctxRanks = 84, 6
)

// hubVar makes this program the hub; it names the run directory.
const hubVar = "BENCH_HUB"

func main() {
	minutes := flag.Int("minutes", 10, "how long agents do nothing but send heartbeats")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run := func() error { return measure(ctx, time.Duration(*minutes)*time.Minute) }
	if dir := os.Getenv(hubVar); dir != "" {
		run = func() error { return beHub(ctx, dir) }
	}
	err := run()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// makePlan makes what hub and agents share.
func makePlan(dir string) (plan.Plan, error) {
	spec := recipe.RoleSpec{
		Tasks: roles.PerGPU, Command: []recipe.Arg{{Text: "true"}}, Stop: recipe.Stop{Signal: "TERM", To: "group"},
	}
	one := spec
	one.Tasks = roles.Single
	last := one
	last.Needs.Ready = roles.Kinds()[:3]
	last.Results = &recipe.Results{Format: "trtllm", Files: filepath.Join(dir, "none.{index}")}
	return plan.Build(plan.Input{
		ID: "bench", RunDir: dir, CreatedAt: time.Now(),
		Case: roles.Case{
			Name: "bench", TestID: "bench",
			GPUsPerNode: 8, TimeLimit: roles.Duration(2 * time.Hour), Mode: "e2e", Load: roles.Load{
				Concurrency: []int{1},
			},
			Servers: map[roles.Kind]roles.Server{
				roles.Gen: {Count: genServers, GPUs: genRanks}, roles.Ctx: {Count: ctxServers, GPUs: ctxRanks},
			},
		},
		Recipe: recipe.Recipe{Name: "bench", Roles: map[roles.Kind]recipe.RoleSpec{
			roles.Gen: spec, roles.Ctx: spec, roles.Coordinator: one, roles.Benchmark: last,
		}},
		Profile: profile.Profile{
			KillWait: roles.Duration(30 * time.Second), Preflight: profile.Preflight{Off: []string{"all"}},
		},
		Upload: plan.Upload{Sinks: []plan.Sink{{URL: "sqlite://" + filepath.Join(dir, "results.db")}}},
	})
}

// pause is how long the hub stands still: less than agents wait for it.
const pause = 3 * time.Second

// measure plays all agents against a hub.
func measure(ctx context.Context, idle time.Duration) error {
	dir, err := os.MkdirTemp("", "disagg-hub-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := makePlan(dir)
	if err != nil {
		return err
	}
	h, err := startHub(ctx, dir)
	if err != nil {
		return err
	}
	defer h.end()
	agents := newAgents(p, h.address)
	defer agents.close()
	var table bench.Table
	attached, err := agents.attach(ctx)
	if err != nil {
		return err
	}
	limit := func(measure, figure, goal string, met bool) {
		table.Add(bench.Row{Measure: measure, Figure: figure, Goal: goal, Met: met})
	}
	limit(fmt.Sprintf("%d agents of %d roles: all attached and started", len(agents.all)+1, len(p.Layout.Placements)),
		bench.Short(attached), "<= 2s", attached <= 2*time.Second)
	early, late, most, err := h.watchMemory(ctx, idle)
	if err != nil {
		return err
	}
	limit("memory of the hub", fmt.Sprintf("%.0f MB", most/1e6), "<= 150 MB", most <= 150e6)
	limit(fmt.Sprintf("growth in %v of heartbeats", idle), fmt.Sprintf("%+.1f MB", (late-early)/1e6), "none (< 5 MB)",
		late-early < 5e6)
	if err := h.standStill(ctx, pause); err != nil {
		return err
	}
	told, lost, err := agents.stop(ctx)
	if err != nil {
		return err
	}
	p99 := bench.Percentile(told, 99)
	limit("one agent's child dies -> all others are told", bench.Short(bench.Median(told))+" / "+bench.Short(p99),
		"p99 <= 250ms", p99 <= 250*time.Millisecond)
	limit(fmt.Sprintf("agents lost by then (the hub stood still for %v)", pause), fmt.Sprint(lost), "0", lost == 0)
	if err := table.Print(os.Stdout); err != nil {
		return err
	}
	if !table.Met() {
		return fmt.Errorf("not every goal was met")
	}
	return nil
}
