// Package runs has runs as jobs leave them behind, for tests: with two prefill servers and a decode server of two
// ranks, and a point for each of three concurrencies.
package runs

import (
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

var (
	gen, ctx = roles.Role{Kind: roles.Gen}, roles.Role{Kind: roles.Ctx}
	other    = roles.Role{Kind: roles.Ctx, Index: 1}
	server   = roles.Role{Kind: roles.Coordinator}
	bench    = roles.Hub().Role
)

// Begin is when the hub of every run began. Its job had been submitted at [Submitted].
var Begin = time.Date(2026, 11, 26, 11, 17, 18, 0, time.UTC)

// Submitted is when the job of every run was submitted.
var Submitted = Begin.Add(-15 * time.Second)

// At is so many seconds after a run began.
func At(seconds float64) time.Time { return Begin.Add(time.Duration(seconds * float64(time.Second))) }

func newPlan() plan.Plan {
	place := func(r roles.Role, ranks int) roles.Placement {
		return roles.Placement{Role: r, Nodes: 1, Ranks: ranks, RanksPerNode: 4}
	}
	return plan.Plan{
		ID: "a1b2c3", Tool: "1.2.3", RunDir: "/runs/tiny",
		Case: roles.Case{
			Name: "tiny_1k1k", TestID: "disagg-e2e-tiny_1k1k_con4", Mode: "e2e", Model: "tiny_1b",
			Load: roles.Load{
				Concurrency: []int{4, 16, 64},
				PointLoad:   roles.PointLoad{Rounds: 8, InputLength: 1024, OutputLength: 1024},
			},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}, roles.Ctx: {Count: 2, GPUs: 2}},
		},
		Layout: roles.Layout{GPUsPerNode: 4, TotalNodes: 3, Placements: []roles.Placement{
			place(gen, 2), place(ctx, 1), place(other, 1), place(server, 1), place(bench, 1),
		}},
	}
}

func point(index, concurrency int) protocol.Point {
	c := float64(concurrency)
	return protocol.Point{
		Index: index, Concurrency: concurrency, Successful: 8 * concurrency, Metrics: map[string]float64{
			"token_throughput": 100 * c, "total_token_throughput": 200 * c, "seq_throughput": c / 8,
			"mean_ttft": 40 + c, "p99_ttft": 90 + c, "mean_tpot": 8 + c/64, "al": 2.5,
		},
	}
}

// Passed is a run of which every point counts.
func Passed() report.Input {
	in := report.Input{
		Plan: newPlan(),
		Result: protocol.Result{
			Schema: 1, RunID: "a1b2c3-0", JobID: "4459", Case: "tiny_1k1k", TestID: "disagg-e2e-tiny_1k1k_con4",
			Verdict: protocol.Passed, StartedAt: Begin, EndedAt: At(184), Phases: protocol.PhaseTimes{
				Queue: 12, Install: 1, Launch: 3, Preflight: 2, Ready: 55, Benchmark: 122, Stop: 1.5,
			},
		},
		RankLogs: map[roles.Task]string{{Role: gen, Rank: 1}: "logs/ranks/GEN_0.1.log"},
	}
	in.Plan.Recipe.Name, in.Plan.Cluster.Name = "trtllm-serve", "lab"
	add := func(e protocol.Entry, seconds float64) {
		e.Schema, e.Seq, e.At = 1, len(in.Entries)+1, At(seconds)
		in.Entries = append(in.Entries, e)
	}
	each := func(kind protocol.EntryKind, seconds float64) {
		for _, pl := range in.Plan.Layout.Placements {
			for rank := range pl.Ranks {
				add(protocol.Entry{Kind: kind, Role: &pl.Role, Rank: rank}, seconds)
			}
		}
	}
	enter := func(p protocol.Phase, seconds float64) {
		add(protocol.Entry{Kind: protocol.EntryPhase, Phase: p}, seconds)
	}
	enter(protocol.Launching, 0)
	each(protocol.EntryAttached, 1)
	enter(protocol.Checking, 3)
	enter(protocol.Readying, 5)
	for i, pl := range in.Plan.Layout.Placements[:4] {
		add(protocol.Entry{Kind: protocol.EntryKind(protocol.EventStarted), Role: &pl.Role}, 5.5)
		add(protocol.Entry{Kind: protocol.EntryKind(protocol.EventReady), Role: &pl.Role}, 45+2*float64(i))
	}
	enter(protocol.Measuring, 60)
	for i, c := range in.Plan.Case.Load.Concurrency {
		pt, at := point(i, c), 100+40*float64(i)
		in.Result.Points = append(in.Result.Points, pt)
		add(protocol.Entry{Kind: protocol.EntryPoint, Point: &pt}, at)
		in.Records = append(in.Records, results.NewRecord(results.Origin{
			Case: in.Plan.Case, RunID: in.Result.RunID, Recipe: "trtllm-serve", Cluster: "lab",
			Provenance: protocol.Provenance{
				GPU: "GB200", Engine: "1.3.0", Commit: "0123456789abcdef", Branch: "main", Tool: "1.2.3",
				RunDir: "/runs/tiny",
			},
		}, pt, At(at)))
	}
	enter(protocol.Stopping, 182)
	each(protocol.EntryKind(protocol.EventExited), 183.5)
	for _, pl := range in.Plan.Layout.Placements {
		for rank := range pl.Ranks {
			in.Result.Roles = append(in.Result.Roles, protocol.RankOutcome{
				Role: pl.Role, Rank: rank, Host: "n1", FirstSeen: At(1), LastSeen: At(183.5),
				Outcome: &protocol.Outcome{Started: true, StopReason: "the benchmark is done"},
			})
		}
	}
	return in
}

// Died is a run in which a decode rank runs out of memory after the first point.
func Died() report.Input {
	in := Passed()
	in.Result.Verdict, in.Result.ExitCode, in.Result.EndedAt = protocol.Failed, 1, At(118)
	in.Result.Points, in.Records = in.Result.Points[:1], in.Records[:1]
	said := "torch.OutOfMemoryError: CUDA out of memory"
	in.Result.FirstCause = &protocol.Cause{
		Role: gen, Rank: 1, Host: "n2", Kind: protocol.ChildExit, Detail: "exited with code 1: " + said, At: At(115),
		Excerpt: []string{"Traceback (most recent call last):", "  pool = new_pool(size)", said},
	}
	in.Entries = before(in.Entries, At(117))
	stopping := protocol.Entry{Schema: 1, Kind: protocol.EntryPhase, Phase: protocol.Stopping, At: At(115.1)}
	ended := protocol.Entry{Schema: 1, Kind: protocol.EntryKind(protocol.EventExited), Role: &gen, Rank: 1, At: At(115)}
	in.Entries = append(in.Entries, ended, stopping)
	for i := range in.Result.Roles {
		r := &in.Result.Roles[i]
		r.LastSeen, r.Outcome.StopReason = At(117), in.Result.FirstCause.String()
		if r.Role == gen && r.Rank == 1 {
			r.Host, r.Cause = "n2", protocol.ChildExit
			r.Outcome = &protocol.Outcome{Started: true, Code: 1, Headline: said, PeakRSS: 50 << 20}
		}
	}
	return in
}

// Invalid is a run whose last point does not count: requests of it failed.
func Invalid() report.Input {
	in := Passed()
	bad := &in.Result.Points[2]
	bad.Successful, bad.Failed, bad.Invalid = 501, 11, "11 of 512 requests failed"
	for i, e := range in.Entries {
		if e.Point != nil && e.Point.Index == bad.Index {
			in.Entries[i].Point = bad
		}
	}
	in.Records[2].Point = *bad
	in.Result.Verdict, in.Result.ExitCode = protocol.Failed, 1
	in.Result.FirstCause = &protocol.Cause{
		Role: bench, Host: "n1", Kind: protocol.ResultsInvalid, Detail: "concurrency 64: 11 of 512 requests failed",
		At: At(181),
	}
	return in
}

// Lost is a run whose job ended without a verdict while it measured its second point.
func Lost() report.Input {
	in := Passed()
	in.Result = protocol.Result{
		RunID: in.Result.RunID, Case: in.Result.Case, TestID: in.Result.TestID, Points: in.Result.Points[:1],
	}
	in.Records = in.Records[:1]
	in.Entries = before(in.Entries, At(117))
	return in
}

// before are the entries before a time.
func before(entries []protocol.Entry, end time.Time) []protocol.Entry {
	return slices.DeleteFunc(entries, func(e protocol.Entry) bool { return !e.At.Before(end) })
}
