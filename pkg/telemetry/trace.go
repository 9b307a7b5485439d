package telemetry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// Kinds of span, as parts of their ids.
const (
	kindRun   = "run"
	kindPhase = "phase"
	kindLoad  = "load"
	kindPoint = "point"
	kindRole  = "role"
	kindRank  = "rank"
)

// The spans of what comes before the first phase.
const (
	queued     = "queued"
	installing = "installing"
)

// tracer makes the spans of a run.
type tracer struct {
	in        report.Input
	m         report.Model
	submitted time.Time
}

func (t tracer) id(kind, name string) [8]byte { return spanID(t.m.Run.RunID, kind, name) }

func (t tracer) span(parent [8]byte, kind, name string, begin, end time.Time, attributes ...Attribute) Span {
	return Span{
		ID: t.id(kind, name), Parent: parent, Name: name, Begin: begin, End: end, Attributes: attributes,
	}
}

// spans are all of them. The run's own holds the others. What has no place in time is left out: of a run that has not
// begun nothing is left.
func (t tracer) spans(verdict string) []Span {
	list := slices.Concat([]Span{t.run(verdict)}, t.phases(), t.loads(), t.points(), t.roles(), t.ranks())
	root := &list[0]
	for i := range list {
		s := &list[i]
		if s.End.Before(s.Begin) {
			s.End = s.Begin
		}
		if !s.Begin.IsZero() && (root.Begin.IsZero() || s.Begin.Before(root.Begin)) {
			root.Begin = s.Begin
		}
		if s.End.After(root.End) {
			root.End = s.End
		}
	}
	return slices.DeleteFunc(list, func(s Span) bool { return s.Begin.IsZero() })
}

// run is the span of the whole.
func (t tracer) run(verdict string) Span {
	r, setup := t.m.Run, t.m.Setup
	s := t.span([8]byte{}, kindRun, kindRun, t.m.Timeline.Begin, t.m.Timeline.End, texts(
		"disagg.run_id", r.RunID, "disagg.job_id", r.JobID, "disagg.case", r.Case, "disagg.test_id", r.TestID,
		"disagg.settings", roles.Label(r.Settings),
		"disagg.verdict", verdict, "disagg.mode", setup.Mode, "disagg.model", setup.Model,
		"disagg.recipe", setup.Recipe, "disagg.cluster", setup.Cluster, "disagg.gpu", setup.Origin.GPU,
		"disagg.run_dir", setup.Origin.RunDir, "disagg.commit", setup.Origin.Commit,
		"disagg.branch", setup.Origin.Branch, "disagg.engine", setup.Origin.Engine,
	)...)
	s.Attributes = append(s.Attributes, Attribute{"disagg.exit_code", r.ExitCode},
		Attribute{"disagg.used_gpus", setup.UsedGPUs}, Attribute{"disagg.asked_gpus", setup.AskedGPUs})
	switch f := t.m.Failure; {
	case f != nil:
		s.Status, s.Message, s.Events = Failed, f.String(), []Event{t.firstCause()}
	case verdict == string(protocol.Passed):
		s.Status = Good
	default:
		s.Status, s.Message = Failed, t.m.Run.Ending()
	}
	return s
}

// firstCause is the event that tells why a run did not pass. Its name and the first attributes are those under which
// tools know what went wrong.
func (t tracer) firstCause() Event {
	f := t.m.Failure
	var excerpt []string
	for _, l := range f.Excerpt {
		excerpt = append(excerpt, l.Text)
	}
	return Event{Name: "exception", At: f.At, Attributes: append(texts(
		"exception.type", string(f.Kind), "exception.message", f.Detail,
		"exception.stacktrace", strings.Join(excerpt, "\n"),
		"disagg.who", f.Who, "disagg.phase", string(f.Phase), "disagg.log", f.Log,
	), Attribute{"disagg.first_cause", true})}
}

// phases are what a job waited for, one after the other.
func (t tracer) phases() (list []Span) {
	root, begun := t.id(kindRun, kindRun), time.Time{}
	times := t.m.Run.Phases
	if !t.submitted.IsZero() && times.Queue > 0 {
		begun = t.submitted.Add(duration(times.Queue))
		list = append(list, t.span(root, kindPhase, queued, t.submitted, begun))
		if times.Install > 0 {
			installed := begun.Add(duration(times.Install))
			list = append(list, t.span(root, kindPhase, installing, begun, installed))
			begun = installed
		}
	}
	phases := t.m.Timeline.Phases
	for i, p := range phases {
		if p.Phase == protocol.Over {
			continue
		}
		begin, end := p.Begin, t.m.Timeline.End
		if p.Phase == protocol.Launching && !begun.IsZero() && begun.Before(begin) {
			begin = begun // the hub is one of those that have to be launched
		}
		if i+1 < len(phases) {
			end = phases[i+1].Begin
		}
		list = append(list, t.span(root, kindPhase, string(p.Phase), begin, end))
	}
	return list
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// endOf is when a phase ended; ok is false if it was not reached.
func (t tracer) endOf(name protocol.Phase) (end time.Time, ok bool) {
	phases := t.m.Timeline.Phases
	i := slices.IndexFunc(phases, func(p report.PhaseSpan) bool { return p.Phase == name })
	switch {
	case i < 0:
		return end, false
	case i+1 < len(phases):
		return phases[i+1].Begin, true
	}
	return t.m.Timeline.End, true
}

// loads are the servers' ways to readiness.
func (t tracer) loads() (list []Span) {
	over, reached := t.endOf(protocol.Readying)
	if !reached {
		return nil
	}
	for _, r := range t.m.Timeline.Roles {
		if r.Started.IsZero() || r.Role.Kind == roles.Benchmark {
			continue
		}
		s := t.span(t.id(kindPhase, string(protocol.Readying)), kindLoad, r.Role.String()+" loads", r.Started, r.Ready)
		if r.Ready.IsZero() {
			s.End, s.Status, s.Message = over, Failed, "it was not ready"
		}
		list = append(list, s)
	}
	return list
}

// points are those that were measured. One that does not count has no metrics.
func (t tracer) points() (list []Span) {
	parent := t.id(kindPhase, string(protocol.Measuring))
	if _, reached := t.endOf(protocol.Measuring); !reached {
		parent = t.id(kindRun, kindRun)
	}
	for _, measured := range t.m.Timeline.Points {
		p, known := t.pointOf(measured)
		if !known {
			continue // the verdict has no such point
		}
		s := t.span(parent, kindPoint, fmt.Sprintf("concurrency %d", p.Concurrency), measured.Begin, measured.End,
			Attribute{"disagg.point.index", p.Index}, Attribute{"disagg.point.concurrency", p.Concurrency},
			Attribute{"disagg.point.successful_requests", p.Successful},
			Attribute{"disagg.point.failed_requests", p.Failed},
			Attribute{"disagg.point.measurement", measured.Measurement + 1})
		s.ID = t.id(kindPoint, fmt.Sprintf("%d %d", measured.Measurement, p.Index)) // two may have one concurrency
		switch p.State {
		case report.Counts:
			for _, name := range slices.Sorted(maps.Keys(p.Values)) {
				s.Attributes = append(s.Attributes, Attribute{"disagg.point." + name, p.Values[name]})
			}
		case report.Invalid:
			s.Status, s.Message = Failed, "it does not count: "+p.Reason
		}
		list = append(list, s)
	}
	return list
}

// pointOf is what was measured of a point, the first time or when the same servers were measured again.
func (t tracer) pointOf(s report.PointSpan) (p report.PointInfo, known bool) {
	points := t.m.Points
	if again := s.Measurement - 1; again >= 0 && again < len(t.m.Again) {
		points = t.m.Again[again].Points
	} else if again >= 0 {
		return p, false
	}
	i := slices.IndexFunc(points, func(p report.PointInfo) bool { return p.Index == s.Index })
	if i < 0 {
		return p, false
	}
	return points[i], true
}

// roles are the lives of all roles.
func (t tracer) roles() (list []Span) {
	for _, r := range t.m.Timeline.Roles {
		begin := cmp.Or(r.Arrived, r.Started)
		if begin.IsZero() {
			continue // it was never seen
		}
		s := t.span(t.id(kindRun, kindRun), kindRole, r.Role.String(), begin, cmp.Or(r.Ended, t.m.Timeline.End),
			texts("disagg.role", r.Role.String())...)
		for _, e := range []Event{{Name: "started", At: r.Started}, {Name: "ready", At: r.Ready}} {
			if !e.At.IsZero() {
				s.Events = append(s.Events, e)
			}
		}
		if failed := t.failedOf(r.Role); len(failed) > 0 {
			s.Status, s.Message = Failed, message(failed[0])
		}
		list = append(list, s)
	}
	return list
}

// failedOf are the ranks of a role that failed.
func (t tracer) failedOf(r roles.Role) (list []protocol.RankOutcome) {
	for _, o := range t.in.Result.Roles {
		if o.Role == r && o.Cause != "" {
			list = append(list, o)
		}
	}
	return list
}

// message is why a rank failed.
func message(o protocol.RankOutcome) string {
	text := string(o.Cause)
	if o.Outcome != nil && o.Outcome.Headline != "" {
		text += ": " + report.Printable(o.Outcome.Headline)
	}
	return roles.Task{Role: o.Role, Rank: o.Rank}.String() + ": " + text
}

// ranks are those that failed.
func (t tracer) ranks() (list []Span) {
	for _, r := range t.m.Timeline.Roles {
		for _, o := range t.failedOf(r.Role) {
			list = append(list, t.rank(r, o))
		}
	}
	return list
}

func (t tracer) rank(r report.RoleSpan, o protocol.RankOutcome) Span {
	task := roles.Task{Role: o.Role, Rank: o.Rank}
	parent := t.id(kindRole, r.Role.String())
	if cmp.Or(r.Arrived, r.Started).IsZero() {
		parent = t.id(kindRun, kindRun) // nothing was seen of its role
	}
	begin, end := t.seen(task)
	s := t.span(parent, kindRank, task.String(), cmp.Or(begin, o.FirstSeen, t.m.Timeline.Begin),
		cmp.Or(end, o.LastSeen, t.m.Timeline.End), texts("disagg.role", o.Role.String(),
			"disagg.host", report.Printable(o.Host), "disagg.cause", string(o.Cause),
			"disagg.log", t.in.RankLogs[task])...)
	s.Attributes = append(s.Attributes, Attribute{"disagg.rank", o.Rank})
	s.Status, s.Message = Failed, message(o)
	if out := o.Outcome; out != nil {
		s.Attributes = append(s.Attributes, Attribute{"disagg.code", out.Code},
			Attribute{"disagg.peak_rss_bytes", int(out.PeakRSS)})
		s.Attributes = append(s.Attributes, texts("disagg.signal", report.Printable(out.Signal))...)
	}
	if c := t.in.Result.FirstCause; c != nil && c.Subject == "" && c.Task() == task {
		s.Message, s.Events = t.m.Failure.String(), []Event{t.firstCause()}
	}
	return s
}

// seen is when a rank's agent came, and when its process ended or its agent was lost; zero: that is not known.
func (t tracer) seen(task roles.Task) (begin, end time.Time) {
	for _, e := range t.in.Entries {
		if e.Role == nil || *e.Role != task.Role || e.Rank != task.Rank {
			continue
		}
		switch e.Kind {
		case protocol.EntryAttached:
			begin = cmp.Or(begin, e.At)
		case protocol.EntryKind(protocol.EventExited), protocol.EntryLost:
			end = e.At
		}
	}
	return begin, end
}
