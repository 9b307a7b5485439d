package runs

import (
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// State is how far a run is.
type State string

// The states.
const (
	NotSubmitted State = "not_submitted" // it was only prepared
	Pending      State = "pending"       // its job waits in the queue
	Starting     State = "starting"      // its agents arrive, or the hosts are checked
	Loading      State = "loading"       // its servers load
	Measuring    State = "measuring"     // its benchmark runs
	Ending       State = "ending"        // its roles are being stopped
	Kept         State = "kept"          // there is a verdict, or its benchmark is gone, and its servers go on
	Over         State = "over"          // there is a verdict
	NoVerdict    State = "no_verdict"    // its job, or its benchmark, is gone, and left none
	Unknown      State = "unknown"       // it cannot be found out
)

// States lists every state.
func States() []State {
	return []State{NotSubmitted, Pending, Starting, Loading, Measuring, Ending, Kept, Over, NoVerdict, Unknown}
}

// IsOver tells whether nothing more is to be expected of a run.
func (s State) IsOver() bool { return s == Over || s == NoVerdict }

// Facts are what was found out about a run. Everything but the plan may be missing.
type Facts struct {
	Dir        string
	Plan       plan.Plan
	Submission *protocol.Submission // nil: it was not submitted, or was started by hand
	Result     *protocol.Result     // nil: there is no verdict
	Hub        *protocol.State      // the hub's view; nil: there is none
	Records    []results.Record
	Job        protocol.JobState // as its scheduler tells, if it was asked
	Serving    []roles.Role      // servers that run, of a run that was started by hand
	Fault      string            // why its scheduler tells nothing
	Lost       string            // why there is no verdict, of a job, or a benchmark, that has ended
}

// List is what `status --json` and `runs --json` print.
type List struct {
	Schema int       `json:"schema"` // 1
	Runs   []Summary `json:"runs"`   // the newest first
}

// Summary is what is told of one run. What is not known is absent.
type Summary struct {
	ID        string           `json:"id"`     // by which people name the run: the beginning of run_id
	RunID     string           `json:"run_id"` // of the plan; records call an attempt by it and a number
	Job       string           `json:"job,omitempty"`
	Dir       string           `json:"dir"`
	Case      string           `json:"case"`
	TestID    string           `json:"test_id"`
	Submitted time.Time        `json:"submitted_at,omitzero"`
	Ended     time.Time        `json:"ended_at,omitzero"`
	State     State            `json:"state"`
	Text      string           `json:"text"`               // the state in words
	Never     bool             `json:"never,omitempty"`    // it waits for what cannot come; the text tells for what
	Starts    time.Time        `json:"starts_at,omitzero"` // when its scheduler expects it to start
	Verdict   protocol.Verdict `json:"verdict,omitempty"`
	// ExitCode is what `disagg-submit status` of the run ends with: 75 while it goes on.
	ExitCode int                  `json:"exit_code"`
	GPUs     int                  `json:"gpus,omitempty"`   // that servers use
	Best     *report.Best         `json:"best,omitempty"`   // of the points that count
	Engine   string               `json:"engine,omitempty"` // its version
	Tags     []string             `json:"tags,omitempty"`
	Settings []roles.Setting      `json:"settings,omitempty"` // in place of what the case's file, and the recipe, have
	Note     string               `json:"note,omitempty"`
	Roles    []protocol.RoleState `json:"roles,omitempty"`
}

// Title is what is run: the case, and the settings that make a variant of it.
func (s Summary) Title() string { return report.Printable(roles.Title(s.Case, s.Settings)) }

// Summarize puts together what is told of a run.
func Summarize(f Facts) Summary {
	known := protocol.Result{RunID: f.Plan.RunID(0)}
	if f.Result != nil {
		known = *f.Result
	}
	m := report.Build(report.Input{Plan: f.Plan, Result: known, Records: f.Records})
	s := Summary{
		ID: plan.ShortID(f.Plan.ID), RunID: f.Plan.ID, Dir: f.Dir, Case: f.Plan.Case.Name, TestID: f.Plan.Case.TestID,
		Submitted: f.Plan.CreatedAt, Ended: m.Run.EndedAt, Verdict: m.Run.Verdict, ExitCode: protocol.ExitPending,
		GPUs: m.Setup.UsedGPUs, Best: m.Best, Engine: m.Setup.Origin.Engine, Tags: f.Plan.Provenance.Tags,
		Note: report.Printable(f.Plan.Provenance.Note), Settings: f.Plan.Case.Settings,
	}
	if f.Submission != nil {
		s.Job, s.Submitted = f.Submission.JobID, f.Submission.At
	}
	if f.Hub != nil {
		s.Roles = f.Hub.Roles
	}
	s.State, s.Text = f.state(m)
	s.Text = report.Printable(s.Text)
	switch s.State {
	case Kept, Over:
		if s.Verdict != "" {
			s.ExitCode = m.Run.ExitCode
		}
	case NoVerdict:
		s.ExitCode = f.Job.ExitCode()
	case Pending:
		s.Never, s.Starts = f.Job.Never, f.Job.Starts
	}
	return s
}

// Unreadable is the summary of a run that cannot be read, and why.
func Unreadable(k protocol.KnownRun, why string) Summary {
	return Summary{
		ID: plan.ShortID(k.ID), RunID: k.ID, Job: k.Job, Dir: k.Dir, Case: k.Case, Submitted: k.At, State: Unknown,
		Text: "unknown: " + why, ExitCode: protocol.ExitPending,
	}
}
