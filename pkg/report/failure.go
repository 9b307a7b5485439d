package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/known"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// newFailure is the first cause of a result; nil if there is none.
func newFailure(in Input, t Timeline) *Failure {
	c := in.Result.FirstCause
	if c == nil {
		return nil
	}
	f := &Failure{
		Kind: c.Kind, Who: c.Who(), Detail: c.Detail, At: c.At, Seconds: t.seconds(c.At), Phase: t.phaseAt(c.At),
		Tail: c.LogTail, Client: in.Client,
	}
	f.explain(*c, in)
	f.quote(*c, in.ExcerptLines)
	if c.Subject == "" {
		f.Log = in.logOf(*c)
	}
	for _, s := range in.Result.Secondary {
		f.Secondary = append(f.Secondary, s.String())
	}
	f.follow(in.Result, t)
	return f
}

// logOf is the log of whoever a cause is about, from the attempt's folder; "" if there is none.
func (in Input) logOf(c protocol.Cause) string {
	if c.Kind != protocol.InstallFailed {
		return in.RankLogs[c.Task()]
	}
	for _, l := range in.Logs {
		if l.Name == installLog {
			return l.Path
		}
	}
	return ""
}

// installLog is the name of the log of preparing the nodes.
const installLog = "install"

// String is the failure in one line: see [protocol.Cause.String].
func (f Failure) String() string {
	return f.Who + ": " + protocol.Cause{Kind: f.Kind, Detail: f.Detail}.What()
}

// explain says what happened in words, and what may help.
func (f *Failure) explain(c protocol.Cause, in Input) {
	how, said := c.Detail, c.Message
	if byItself(c.Kind) {
		how, said, _ = strings.Cut(c.Detail, ": ")
		said = cmp.Or(said, c.Message)
	}
	f.What, f.Message = predicate(c.Kind, how), said
	if byPerson(c) {
		f.What = "cancelled the job"
	}
	if !byItself(c.Kind) && c.Kind != protocol.OOM {
		f.Message = strings.TrimSuffix(told(c)+"; "+said, "; ")
	}
	m, ok := find(c.Kind, how, said)
	if !ok {
		return
	}
	f.Known, f.Hint = m.ID, m.Advice(valuesOf(c, in, m.Keys))
	if by := f.What; byItself(c.Kind) && (m.Text == said || by == how && !strings.Contains(how, "SIG")) {
		f.What = m.Say() + "; it " + by
	} else if c.Kind != protocol.OOM {
		f.What = m.Say()
	}
}

// told is the detail of a cause as a person reads it.
func told(c protocol.Cause) string {
	if c.Kind == protocol.CauseCancelled && !strings.Contains(c.Detail, "asked") && !byPerson(c) {
		return "somebody asked for that: " + c.Detail
	}
	return c.Detail
}

// byPerson tells whether the subject of a cause is who asked for the end of the job: a user at a host.
func byPerson(c protocol.Cause) bool {
	return c.Kind == protocol.CauseCancelled && strings.Contains(c.Subject, "@")
}

// byItself tells whether causes of a kind are the end of a process, whose detail is how it ended and then what it said.
func byItself(k protocol.CauseKind) bool {
	return k == protocol.ChildExit || k == protocol.ChildSignal || k == protocol.BenchmarkFailed
}

// find finds what is known of a cause. Of what others have noticed nothing is: their words are not its own.
func find(k protocol.CauseKind, how, said string) (known.Match, bool) {
	if strings.HasPrefix(said, diagnose.LastLine) { // it explains nothing
		said = ""
	}
	switch k {
	case protocol.ChildExit, protocol.ChildSignal, protocol.BenchmarkFailed:
		return known.Find(said, how)
	case protocol.OOM, protocol.NeverStarted, protocol.StepFailed, protocol.InstallFailed:
		return known.Find(how)
	}
	return known.Match{}, false
}

// predicate is what happened, in words that follow who is to blame.
func predicate(k protocol.CauseKind, how string) string {
	switch k {
	case protocol.ChildExit, protocol.OOM:
		return how
	case protocol.BenchmarkFailed:
		return strings.TrimPrefix(how, "the benchmark ")
	case protocol.ChildSignal:
		return "was " + how
	}
	return cmp.Or(map[protocol.CauseKind]string{
		protocol.NeverStarted: "never started", protocol.StepFailed: "could not run its step",
		protocol.InstallFailed: "could not prepare its node", protocol.PreflightFailed: "is on a host that is not fit",
		protocol.ReadyTimeout: "was not ready in time", protocol.HealthLost: "does not answer",
		protocol.Stalled: "makes no progress", protocol.AgentLost: "vanished", protocol.HostLost: "vanished",
		protocol.HubLost: "left no verdict", protocol.ResultsInvalid: "has results that do not count",
		protocol.Regression: "are worse than before", protocol.Deadline: "took too long",
		protocol.TimeLimit: "ran out of time", protocol.CauseCancelled: "was cancelled",
		protocol.DiskStuck:  "waits for a run directory that does not answer",
		protocol.AgentError: "met a fault of disagg",
	}[k], string(k))
}

// valuesOf is what hints may name of a run.
func valuesOf(c protocol.Cause, in Input, keys []string) known.Values {
	p := in.Plan
	v := known.Values{
		"host": c.Host, "keys": settings(p.Case, c.Role.Kind, keys), "models_root": p.Cluster.ModelsRoot,
		"mpi": p.Cluster.MPI, "partition": p.Cluster.Partition, "account": p.Cluster.Account,
	}
	if p.Cluster.Container != nil {
		v["image"] = p.Cluster.Container.Image
	}
	if n := p.Case.GPUsPerNode; n > 0 {
		v["gpus_per_node"] = fmt.Sprint(n)
	}
	if limit := p.Timeouts.Job; limit > 0 {
		v["job_time"] = limit.String()
	}
	for _, r := range in.Result.Roles {
		if r.Role == c.Role && r.Rank == c.Rank && r.Outcome != nil && r.Outcome.PeakRSS > 0 {
			v["peak"] = size(r.Outcome.PeakRSS)
		}
	}
	return v
}

// settings are the values of a server's settings, by their keys in the case: "worker_config.gen.max_num_tokens is
// 8192". A role that is no server has none.
func settings(c roles.Case, k roles.Kind, keys []string) string {
	block, err := yamlfile.ParseBlock("", c.WorkerConfig[k])
	if err != nil || c.WorkerConfig[k] == "" {
		return ""
	}
	var list []string
	for i, key := range keys {
		at := block
		for part := range strings.SplitSeq(key, ".") {
			at = at.Get(part)
		}
		name := key
		if i == 0 {
			name = "worker_config." + strings.ToLower(string(k)) + "." + key
		}
		if value, ok := at.Scalar(); ok {
			list = append(list, name+" is "+value)
		} else {
			list = append(list, name+" is not set")
		}
	}
	return strings.Join(list, ", ")
}

// size is a number of bytes for people.
func size(bytes int64) string {
	const gib = 1 << 30
	if bytes >= gib {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/gib)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// follow takes in what followed from the failure: how many ranks were stopped, how soon, and when they were gone.
func (f *Failure) follow(r protocol.Result, t Timeline) {
	for _, o := range r.Roles {
		blamed := o.Role == r.FirstCause.Role && o.Rank == r.FirstCause.Rank && r.FirstCause.Subject == ""
		if o.Outcome != nil && f.stopped(o.Outcome.StopReason) && !blamed {
			f.Stopped++
		}
	}
	for _, p := range t.Phases {
		if p.Phase == protocol.Stopping && !f.At.IsZero() {
			f.StoppedAfter = max(p.Begin.Sub(f.At), 0).Round(time.Millisecond).Seconds()
		}
	}
	f.GoneAfter = r.Phases.Stop
}

// stopped tells whether a rank was stopped because of the failure: it is told the cause as it is known by then, whose
// detail may grow later.
func (f Failure) stopped(reason string) bool { return strings.HasPrefix(reason, f.Who+": ") }
