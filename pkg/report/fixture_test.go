package report

import (
	"fmt"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// nasty is what a test id, a child's output or a sink's error may hold.
const nasty = `<script>alert(1)</script>" onload="x' & {{.}} ` + "`|@all](https://x)\x1b[2J\u202e"

var (
	gen, ctx = roles.Role{Kind: roles.Gen}, roles.Role{Kind: roles.Ctx}
	server   = roles.Role{Kind: roles.Coordinator}
	bench    = roles.Hub().Role
	begin    = time.Date(2026, 11, 26, 11, 17, 18, 0, time.UTC)
)

// at is so many seconds after the run began.
func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

// planOf has two prefill servers on two GPUs and a decode server on four, and a point a concurrency.
func planOf(concurrency ...int) plan.Plan {
	return plan.Plan{
		ID: "a1b2c3", Tool: "1.2.3", RunDir: "/runs/tiny",
		Case: roles.Case{
			Name: "tiny_1k1k", TestID: "disagg-e2e-tiny_1k1k_con4", Mode: "e2e", Model: "tiny_1b", Precision: "fp4",
			Origin: roles.Origin{Path: "cases/tiny_1k1k.yaml", SHA256: "e5ad583811d7f82a"},
			Load: roles.Load{
				Concurrency: concurrency, PointLoad: roles.PointLoad{Rounds: 8, InputLength: 1024, OutputLength: 1024},
			},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}, roles.Ctx: {Count: 2, GPUs: 2}},
		},
		Layout: roles.Layout{GPUsPerNode: 4, TotalNodes: 3, Placements: []roles.Placement{
			{Role: gen, Nodes: 1, Ranks: 2, RanksPerNode: 4}, {Role: ctx, Nodes: 1, Ranks: 1, RanksPerNode: 4},
			{Role: roles.Role{Kind: roles.Ctx, Index: 1}, Nodes: 1, Ranks: 1, RanksPerNode: 4},
			{Role: server, Nodes: 1, Ranks: 1, RanksPerNode: 1}, {Role: bench, Nodes: 1, Ranks: 1, RanksPerNode: 1},
		}},
	}
}

// pointOf is a point as a healthy system measures it; factor 1 is as usual, less is slower.
func pointOf(index, concurrency, requests int, factor float64) protocol.Point {
	c := float64(concurrency)
	tpot := (8 + c/40) / factor
	ttft := 40 + c/2
	return protocol.Point{
		Index: index, Concurrency: concurrency, Successful: requests, Metrics: map[string]float64{
			"token_throughput": 960 * c / tpot, "total_token_throughput": 1920 * c / tpot,
			"mean_ttft": ttft, "median_ttft": 0.9 * ttft, "p99_ttft": 2.5 * ttft,
			"mean_tpot": tpot, "median_tpot": 0.98 * tpot, "p99_tpot": 1.3 * tpot,
			"mean_e2el": 1000 * tpot, "p99_e2el": 1200 * tpot,
		},
	}
}

// passed is a run of which every point counts.
func passed(concurrency ...int) Input {
	in := Input{
		Plan: planOf(concurrency...),
		Result: protocol.Result{
			Schema: 1, RunID: "a1b2c3-0", JobID: "4459", Case: "tiny_1k1k", TestID: "disagg-e2e-tiny_1k1k_con4",
			Verdict: protocol.Passed, StartedAt: begin,
			Phases: protocol.PhaseTimes{Queue: 12, Launch: 3, Preflight: 2, Ready: 55, Benchmark: 120, Stop: 1.5},
			Upload: &protocol.UploadReport{URL: "sqlite:///data/results.db", Sent: len(concurrency)},
		},
		RankLogs: map[roles.Task]string{},
		Logs:     []Log{{Name: "gen_server_0", Path: "logs/gen_server_0.log"}},
	}
	in.loaded()
	now := 60.0
	for i, c := range concurrency {
		now += 40
		in.measured(pointOf(i, c, 8*c, 1), now)
	}
	in.ended(now + 2)
	return in
}

// loaded adds what happens until the servers are ready.
func (in *Input) loaded() {
	in.enter(protocol.Launching, 0)
	for i, pl := range in.Plan.Layout.Placements {
		for rank := range pl.Ranks {
			in.add(protocol.EntryAttached, pl.Role, rank, 1+float64(i)/10)
			in.RankLogs[roles.Task{Role: pl.Role, Rank: rank}] = fmt.Sprintf("logs/ranks/%s.%d.log", pl.Role, rank)
		}
	}
	in.enter(protocol.Checking, 3)
	in.enter(protocol.Readying, 5)
	for i, pl := range in.Plan.Layout.Placements {
		if pl.Role != bench {
			in.add(protocol.EntryKind(protocol.EventStarted), pl.Role, 0, 5+float64(i))
			in.add(protocol.EntryKind(protocol.EventReady), pl.Role, 0, 45+2*float64(i))
		}
	}
	in.enter(protocol.Measuring, 60)
}

func (in *Input) enter(p protocol.Phase, seconds float64) {
	in.Entries = append(in.Entries, protocol.Entry{Schema: 1, At: at(seconds), Kind: protocol.EntryPhase, Phase: p})
}

func (in *Input) add(kind protocol.EntryKind, r roles.Role, rank int, seconds float64) {
	in.Entries = append(in.Entries, protocol.Entry{Schema: 1, At: at(seconds), Kind: kind, Role: &r, Rank: rank})
}

// measured adds a point to the result, the journal and the records.
func (in *Input) measured(pt protocol.Point, seconds float64) {
	in.Result.Points = append(in.Result.Points, pt)
	in.Entries = append(in.Entries, protocol.Entry{
		Schema: 1, At: at(seconds), Kind: protocol.EntryPoint, Point: &pt, Detail: pt.Invalid,
	})
	in.Records = append(in.Records, in.record(in.Result.RunID, pt, at(seconds)))
}

func (in *Input) record(runID string, pt protocol.Point, when time.Time) results.Record {
	return results.NewRecord(results.Origin{
		Case: in.Plan.Case, RunID: runID, Provenance: protocol.Provenance{
			GPU: "GB200", Driver: "570.1", Engine: "1.3.0", Commit: "0123456789abcdef", Branch: "main", Dirty: true,
			Hosts: []string{"n1", "n2", "n3"}, Tags: []string{"nightly"},
		},
	}, pt, when)
}

// ended adds the ends of all ranks.
func (in *Input) ended(seconds float64) {
	in.enter(protocol.Stopping, seconds-1)
	in.Result.EndedAt = at(seconds)
	for _, pl := range in.Plan.Layout.Placements {
		for rank := range pl.Ranks {
			in.add(protocol.EntryKind(protocol.EventExited), pl.Role, rank, seconds-0.2)
			o := protocol.Outcome{
				Started: true, StopReason: "the benchmark is done", PeakRSS: 50 << 20, CPU: 1500 * time.Millisecond,
			}
			if pl.Role == bench {
				o.StopReason = ""
			}
			in.Result.Roles = append(in.Result.Roles, protocol.RankOutcome{
				Role: pl.Role, Rank: rank, Host: "n1", Outcome: &o,
			})
		}
	}
}

// failed is a run in which a decode rank runs out of device memory after its first point.
func failed() Input {
	in := passed(4, 16, 64)
	in.Result.Points, in.Records = in.Result.Points[:1], in.Records[:1]
	in.Result.Verdict, in.Result.ExitCode, in.Result.EndedAt = protocol.Failed, 1, at(118)
	kept := in.Entries[:0]
	for _, e := range in.Entries {
		if e.At.Before(at(117)) {
			kept = append(kept, e)
		}
	}
	in.Entries = kept
	said := "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 10.50 GiB."
	c := &protocol.Cause{
		Role: gen, Rank: 1, Host: "n2", Kind: protocol.ChildExit, Detail: "exited with code 1: " + said, At: at(115),
		Excerpt: []string{
			"[E] rank 1 cannot start", "Traceback (most recent call last):",
			`  File "engine/worker.py", line 362, in run`, "    executor = start(config)",
			`  File "engine/cache.py", line 288, in allocate`, "    pool = new_pool(size)", said,
			"[W] a warning that says nothing", "[W] another", "[W] a third",
		},
		LogTail: []string{"[W] another", "[W] a third"},
	}
	in.Result.FirstCause = c
	in.Result.Secondary = []protocol.Cause{
		{Role: ctx, Host: "n3", Kind: protocol.ChildExit, Detail: "exited with code 1"},
	}
	in.ExcerptLines = []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	for i := range in.Result.Roles {
		r := &in.Result.Roles[i]
		if r.Role == gen && r.Rank == 1 {
			r.Cause, r.Outcome.Code, r.Outcome.StopReason = protocol.ChildExit, 1, ""
		} else {
			r.Outcome.StopReason = c.String()
		}
	}
	return in
}

// besideEarlier is a run whose last point is slow, beside five earlier ones, with what a regression check says.
func besideEarlier() Input {
	in := passed(4, 16, 64, 256)
	in.Result.Points[3] = pointOf(3, 256, 2048, 0.7)
	for run := range 5 {
		for i, c := range []int{4, 16, 64, 256} {
			pt := pointOf(i, c, 8*c, 1+float64(run-2)/100)
			id := fmt.Sprintf("earlier-%d-0", run)
			in.Earlier = append(in.Earlier, in.record(id, pt, begin.AddDate(0, 0, run-5)))
		}
	}
	in.Judgement = &Judgement{
		Status: "failed", Reason: "concurrency 256: output tok/s: 30.0 % worse than 5 earlier runs",
		Findings: []Finding{
			{Concurrency: 4, Metric: throughput, Gates: true, Status: "passed", Text: "concurrency 4: as usual"},
			{Concurrency: 64, Metric: throughput, Gates: true, Status: "unknown", Text: "concurrency 64: no baseline"},
			{Concurrency: 256, Metric: throughput, Gates: true, Status: "failed", Text: "concurrency 256: worse"},
			{Concurrency: 256, Metric: tokPerGPU, Status: "suspect", Text: "concurrency 256: per GPU"},
		},
	}
	return in
}

// invalid is a run in which one of three points does not count, although it has the best numbers.
func invalid() Input {
	in := passed(4, 16, 64)
	bad := pointOf(2, 64, 501, 3)
	bad.Failed, bad.Invalid = 11, "11 of 512 requests failed"
	in.Result.Points[2], in.Records[2].Point = bad, bad
	in.Result.Verdict, in.Result.ExitCode = protocol.Failed, 1
	in.Result.FirstCause = &protocol.Cause{
		Role: bench, Host: "n1", Kind: protocol.ResultsInvalid, Detail: "concurrency 64: 11 of 512 requests failed",
		At: at(180),
	}
	for i, e := range in.Entries {
		if e.Point != nil && e.Point.Index == 2 {
			in.Entries[i].Point = &bad
		}
	}
	return in
}

// everywhere is a run with the same in every text.
func everywhere(text string) Input {
	cause := protocol.Cause{
		Role: gen, Host: text, Kind: protocol.CauseKind(text), Detail: text + text, Excerpt: []string{text, "plain"},
		LogTail: []string{text, "plain"}, At: at(1),
	}
	in := Input{
		Plan: plan.Plan{Case: roles.Case{
			Name: text, TestID: text, Model: text, Mode: text, Precision: text, Notes: []string{text},
			Origin: roles.Origin{Path: text, SHA256: text}, Load: roles.Load{
				Concurrency: []int{8, 16, 32}, PointLoad: roles.PointLoad{Dataset: text}, Client: text,
			},
			Servers: map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: 4}},
		}},
		Result: protocol.Result{
			RunID: text, JobID: text, TestID: text, Verdict: protocol.Verdict(text), Lost: text, StartedAt: begin,
			EndedAt:    at(9),
			FirstCause: &cause, Secondary: []protocol.Cause{cause},
			Points: []protocol.Point{
				pointOf(0, 8, 7, 1), {Index: 1, Concurrency: 16, Invalid: text}, pointOf(2, 32, 7, 1),
			},
			Roles: []protocol.RankOutcome{
				{Role: gen, Rank: 2, Host: text, Cause: protocol.CauseKind(text), Outcome: &protocol.Outcome{
					Code: 137, Signal: text, StopReason: text,
				}},
				{Role: bench},
			},
			Upload: &protocol.UploadReport{URL: text, Error: text},
		},
		Entries: []protocol.Entry{{At: at(1), Kind: protocol.EntryAttached, Role: &gen}},
		Judgement: &Judgement{Status: text, Reason: text, Findings: []Finding{
			{Concurrency: 8, Metric: throughput, Gates: true, Status: text, Text: text},
		}},
		RankLogs: map[roles.Task]string{{Role: gen, Rank: 2}: "logs/" + text, {Role: gen}: "logs/ranks/GEN_0.0.log"},
		Logs:     []Log{{Name: text, Path: text}},
	}
	in.Plan.Recipe.Name, in.Plan.Cluster.Name, in.Plan.Tool = text, text, text
	for i, run := range []string{text, "x"} {
		r := in.record(run, pointOf(0, 8, 7, 1.1), begin.AddDate(0, 0, -1-i))
		r.Cluster = text
		r.Provenance = protocol.Provenance{
			RunDir: text, User: text, Tool: text, Hosts: []string{text}, GPU: text, Driver: text, Engine: text,
			Commit: text, Branch: text, Image: text, CaseHash: text, PlanHash: text, Tags: []string{text}, Note: text,
		}
		if in.Records = append(in.Records, r); i > 0 {
			in.Earlier = append(in.Earlier, r)
		}
	}
	return in
}

// manyServers is a run of more servers than the timeline has rows for.
func manyServers() Input {
	in := passed(4, 16)
	for i := 2; i < 30; i++ {
		in.Plan.Layout.Placements = append(in.Plan.Layout.Placements, roles.Placement{
			Role: roles.Role{Kind: roles.Ctx, Index: i}, Nodes: 1, Ranks: 1, RanksPerNode: 4,
		})
	}
	in.Entries = nil
	in.loaded()
	return in
}

// sampled is a run whose GPUs were sampled; one of them tells nothing of its power.
func sampled() Input {
	in := passed(4, 16)
	spread := func(mean, most float64) *protocol.Spread { return &protocol.Spread{Mean: mean, Max: most} }
	for i := range 4 {
		in.Result.GPUUse = append(in.Result.GPUUse, protocol.GPUUse{
			Host: "n1", Index: i, Seconds: 184, Utilization: spread(0.83, 1), Memory: spread(120<<30, 150<<30),
			Power: spread(812.5+float64(i), 1012), Energy: 184 * (812.5 + float64(i)),
		})
	}
	in.Result.GPUUse = append(in.Result.GPUUse, protocol.GPUUse{
		Host: "n2", Seconds: 90, Utilization: spread(0.4, 0.9), Memory: spread(60<<30, 61<<30),
	})
	for i := range in.Result.Points {
		in.Result.Points[i] = results.WithGPUUse(in.Result.Points[i], in.Result.GPUUse)
	}
	return in
}

// scenarios are the runs that pages are looked at for.
func scenarios() map[string]Input {
	return map[string]Input{
		"passed": passed(4, 16, 64), "failed": failed(), "one-point": passed(64),
		"twelve-points": passed(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048),
		"earlier":       besideEarlier(), "invalid": invalid(), "nasty": everywhere(nasty), "empty": {},
		"sampled": sampled(),
	}
}
