package telemetry

import (
	"slices"
	"strconv"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
)

// Gauge is a number that a run leaves, or one for each of several labels.
type Gauge struct {
	Name    string // with dots: disagg.phase.duration
	Unit    string // by UCUM: s, {token}/s; "": it is a fact, whose value is 1 if it holds and 0 if not
	Help    string // in a sentence
	Samples []Sample
}

// Sample is one number of a gauge.
type Sample struct {
	Labels []Label // each sample of a gauge has the same names, in the same order
	Value  float64
}

// Label tells a sample from others.
type Label struct{ Name, Value string }

// Units, by UCUM.
const (
	seconds           = "s"
	tokens            = "{token}"
	tokensPerSecond   = "{token}/s"
	requestsPerSecond = "{request}/s"
	ofGPUs            = "{gpu}"
	ofPoints          = "{point}"
	part              = "1"
	bytes             = "By"
	watts             = "W"
	joules            = "J"
)

// gauges are all of a run.
func gauges(m report.Model, verdict string) []Gauge {
	return slices.Concat(facts(m, verdict), times(m), counts(m), pointGauges(m))
}

// base are the labels that every sample has: they name a series of runs, never a run.
func base(m report.Model) []Label {
	return []Label{
		{"case", m.Run.Case}, {"test", m.Run.Title()}, {"cluster", m.Setup.Cluster}, {"gpu", m.Setup.Origin.GPU},
	}
}

// with are the base labels and others.
func with(m report.Model, more ...Label) []Label { return append(base(m), more...) }

// facts are the verdict and what explains it.
func facts(m report.Model, verdict string) []Gauge {
	o := m.Setup.Origin
	list := []Gauge{
		{
			Name: "disagg.run.info", Help: "What is known of the newest run; always 1.",
			Samples: []Sample{{with(m, Label{"run_id", m.Run.RunID}, Label{"job_id", m.Run.JobID},
				Label{"mode", m.Setup.Mode}, Label{"model", m.Setup.Model}, Label{"recipe", m.Setup.Recipe},
				Label{"engine", o.Engine}, Label{"commit", o.Commit}, Label{"branch", o.Branch},
				Label{"tool", o.Tool}), 1}},
		},
		states(m, "disagg.run.verdict", "Whether the newest run ended so; none: it has no verdict.", "verdict", verdict,
			append(textsOf(protocol.Verdicts()), report.NoVerdict)...),
	}
	if f := m.Failure; f != nil {
		list = append(list, Gauge{
			Name: "disagg.run.first_cause", Help: "Why the newest run did not pass; always 1.",
			Samples: []Sample{{with(m, Label{"kind", string(f.Kind)}), 1}},
		})
	}
	if j := m.Regression; j != nil {
		list = append(list, states(m, "disagg.run.regression",
			"What the comparison of the newest run with earlier ones says.", "status", j.Status,
			string(protocol.RegressionPassed), string(protocol.RegressionSuspect), string(protocol.RegressionFailed),
			string(protocol.RegressionUnknown)))
	}
	return list
}

// states is a gauge that says which one of several words holds.
func states(m report.Model, name, help, label, holds string, words ...string) Gauge {
	g := Gauge{Name: name, Help: help}
	for _, w := range words {
		v := 0.0
		if w == holds {
			v = 1
		}
		g.Samples = append(g.Samples, Sample{with(m, Label{label, w}), v})
	}
	return g
}

func textsOf[T ~string](list []T) (texts []string) {
	for _, v := range list {
		texts = append(texts, string(v))
	}
	return texts
}

// times are when a run was, and how long each part of it took. A part that was not reached has none.
func times(m report.Model) (list []Gauge) {
	if t := m.Timeline; !t.Begin.IsZero() {
		list = append(list,
			one(m, "disagg.run.start_timestamp", seconds, "When the newest run began, since 1970.",
				float64(t.Begin.UnixMilli())/1000),
			one(m, "disagg.run.end_timestamp", seconds, "When the newest run ended, since 1970.",
				float64(t.End.UnixMilli())/1000),
			one(m, "disagg.run.duration", seconds, "How long the newest run took, without its time in the queue.",
				m.Run.Seconds))
	}
	p := m.Run.Phases
	g := Gauge{
		Name: "disagg.phase.duration", Unit: seconds, Help: "How long each part of the newest run took.",
	}
	for _, part := range []struct {
		name  string
		value float64
	}{
		{"queue", p.Queue}, {"install", p.Install}, {"launch", p.Launch}, {"preflight", p.Preflight},
		{"ready", p.Ready}, {"benchmark", p.Benchmark}, {"stop", p.Stop}, {"upload", p.Upload},
	} {
		if part.value > 0 {
			g.Samples = append(g.Samples, Sample{with(m, Label{"phase", part.name}), part.value})
		}
	}
	if len(g.Samples) > 0 {
		list = append(list, g)
	}
	return list
}

func one(m report.Model, name, unit, help string, v float64) Gauge {
	return Gauge{Name: name, Unit: unit, Help: help, Samples: []Sample{{base(m), v}}}
}

// counts are how many points there are of each state, and how many GPUs.
func counts(m report.Model) []Gauge {
	n := map[report.PointState]int{}
	for _, p := range m.Points {
		n[p.State]++
	}
	points := Gauge{
		Name: "disagg.run.points", Unit: ofPoints,
		Help: "Points of the newest run: those that count, that were measured and do not count, that were not run.",
	}
	for _, s := range []report.PointState{report.Counts, report.Invalid, report.NotRun} {
		points.Samples = append(points.Samples, Sample{with(m, Label{"state", string(s)}), float64(n[s])})
	}
	return []Gauge{points, {
		Name: "disagg.run.gpus", Unit: ofGPUs,
		Help: "GPUs that the servers of the newest run used, and that it asked for.",
		Samples: []Sample{
			{with(m, Label{"state", "asked"}), float64(m.Setup.AskedGPUs)},
			{with(m, Label{"state", "used"}), float64(m.Setup.UsedGPUs)},
		},
	}}
}

// pointLabels are those of a point. Two points may have the same concurrency.
func pointLabels(m report.Model, p report.PointInfo, more ...Label) []Label {
	return with(m, append([]Label{
		{"point", strconv.Itoa(p.Index)}, {"concurrency", strconv.Itoa(p.Concurrency)},
	}, more...)...)
}
