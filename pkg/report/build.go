package report

import (
	"slices"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Input is what a report is made from. Everything but the plan may be missing.
type Input struct {
	Plan plan.Plan
	// Result is the verdict. While there is none it has what is known: the run's id, and the points measured so far.
	Result  protocol.Result
	Entries []protocol.Entry // of the journal, in order
	Records []results.Record // of this run
	// Earlier are records of other runs, in any order: from their run directories, or from a sink's history. Those of
	// another series than this run are left out.
	Earlier   []results.Record
	Judgement *Judgement // by the earlier runs; nil: that of the result
	// RankLogs has the log of each rank that has one, Logs those of roles; paths are relative to the attempt's folder.
	RankLogs map[roles.Task]string
	Logs     []Log
	// ExcerptLines are the numbers in the log of the lines of the first cause's excerpt, from 1; 0: not found.
	ExcerptLines []int
	// Client is what the benchmark's client says of a failure that is its; nil: nothing.
	Client *ClientLine
}

// modelSchema is the version of data.json.
const modelSchema = 1

// Build makes the model of a report. Texts that come from elsewhere are made printable.
func Build(in Input) Model {
	if v := in.Result.Regression; in.Judgement == nil && v != nil {
		in.Judgement = JudgementOf(*v)
	}
	setup := newSetup(in)
	m := Model{
		Schema: modelSchema, Run: newRun(in.Result, in.Plan), Setup: setup,
		Points:   pointsOf(in.Plan, in.Result.Points, setup.UsedGPUs),
		Timeline: newTimeline(in), Ranks: newRanks(in), Logs: in.Logs, Regression: in.Judgement,
		Upload: in.Result.Upload, Lost: in.Result.Lost, GPUUse: in.Result.GPUUse,
	}
	for i, points := range in.Result.Again {
		m.Again = append(m.Again, Measurement{Number: i + 2, Points: pointsOf(in.Plan, points, setup.UsedGPUs)})
	}
	m.Run.Seconds = m.Timeline.seconds(m.Timeline.End)
	m.Failure = newFailure(in, m.Timeline)
	m.Earlier, m.Notes = earlier(in)
	m.Notes = append(m.Notes, in.Plan.Case.Notes...)
	compare(m.Points, m.Earlier)
	addFlags(m.Points, m.Regression)
	m.Best, m.Metrics = best(m.Points), metricsOf(m.Points)
	return printable(m)
}

func newRun(r protocol.Result, p plan.Plan) RunInfo {
	run := RunInfo{
		RunID: r.RunID, JobID: r.JobID, Case: r.Case, TestID: r.TestID, Settings: p.Case.Settings,
		Verdict: r.Verdict, ExitCode: r.ExitCode, StartedAt: r.StartedAt,
		EndedAt: r.EndedAt, Phases: r.Phases,
	}
	if run.Case == "" {
		run.Case = p.Case.Name
	}
	if run.TestID == "" {
		run.TestID = p.Case.TestID
	}
	return run
}

// newSetup is what the plan says, with what the records know better.
func newSetup(in Input) Setup {
	p := in.Plan
	s := Setup{
		Mode: p.Case.Mode, Model: p.Case.Model, Precision: p.Case.Precision,
		Recipe: p.Recipe.Name, Cluster: p.Cluster.Name, Client: p.Case.Load.Client,
		Nodes: p.Layout.TotalNodes, AskedGPUs: p.Layout.TotalGPUs(), Source: p.Case.Origin.Path,
		SHA256: p.Case.Origin.SHA256, Origin: p.Provenance,
	}
	for _, k := range []roles.Kind{roles.Ctx, roles.Gen} {
		if server := p.Case.Servers[k]; server.Count > 0 {
			s.Servers = append(s.Servers, ServerGroup{Kind: k, Count: server.Count, GPUs: server.GPUs})
			s.UsedGPUs += server.Count * server.GPUs
		}
	}
	if len(in.Records) > 0 {
		s.Origin = in.Records[0].Provenance
		if n := s.Origin.AskedGPUs; n > 0 {
			s.AskedGPUs = n
		}
		if n := in.Records[0].GPUs; n > 0 {
			s.UsedGPUs = n
		}
	}
	if s.Origin.Tool == "" {
		s.Origin.Tool = p.Tool
	}
	if s.Origin.RunDir == "" {
		s.Origin.RunDir = p.RunDir
	}
	return s
}

// newRanks lists the ranks, those first that failed by themselves.
func newRanks(in Input) []RankInfo {
	list := []RankInfo{}
	for _, r := range in.Result.Roles {
		task := roles.Task{Role: r.Role, Rank: r.Rank}
		rank := RankInfo{
			Rank: task.String(), Host: r.Host, Cause: r.Cause,
			Log: in.RankLogs[task],
		}
		if o := r.Outcome; o != nil {
			rank.Ended, rank.Code, rank.Signal = true, o.Code, o.Signal
			rank.StopReason, rank.PeakRSS, rank.CPUSeconds = o.StopReason, o.PeakRSS, o.CPU.Seconds()
			rank.Survivors = len(o.Survivors)
		}
		list = append(list, rank)
	}
	slices.SortStableFunc(list, func(a, b RankInfo) int { return order(a) - order(b) })
	return list
}

func order(r RankInfo) int {
	if r.Cause != "" {
		return 0
	}
	return 1
}
