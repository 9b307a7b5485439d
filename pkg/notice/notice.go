package notice

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
)

// Notice is what is told of a run that has ended, or of a list of tests, once to each target.
type Notice struct {
	Schema int `json:"schema"` // 1
	// ID is the same however often the notice is sent to a target; it is the header Idempotency-Key, too.
	ID     string    `json:"id"`
	At     time.Time `json:"at"` // when the run ended, or was found to have ended
	RunID  string    `json:"run_id"`
	JobID  string    `json:"job_id,omitempty"` // the scheduler's
	Case   string    `json:"case"`
	TestID string    `json:"test_id"`
	// Settings are what the run has in place of what the case's file, and the recipe, have.
	Settings []roles.Setting `json:"settings,omitempty"`
	// Verdict is passed, failed, cancelled or error; none: there is no verdict, because the job ended without one or
	// was never submitted, or because jobs of the list go on.
	Verdict  string `json:"verdict"`
	ExitCode int    `json:"exit_code"`
	// Why says in a line why the run did not pass; absent if it did.
	Why        string  `json:"why,omitempty"`
	FirstCause *Cause  `json:"first_cause,omitempty"` // absent if it passed, or left no verdict
	Text       string  `json:"text"`                  // all of it for people, in a few lines
	Seconds    float64 `json:"seconds"`               // that it took, without its time in the queue
	// Points are all that the case asks for, in its order, as they were measured first: the verdict is about these.
	Points []Point `json:"points"`
	// Regression is what the comparison with earlier runs says; absent if there was none.
	Regression string `json:"regression,omitempty"`
	// List is what became of the tests of a list; absent in the notice of a run. The notice of a list has its name as
	// case and test, and no points.
	List  *List `json:"list,omitempty"`
	Links Links `json:"links"`
}

// Cause is why a run did not pass.
type Cause struct {
	Kind   protocol.CauseKind `json:"kind"`
	Who    string             `json:"who"` // the rank and its host, or what else is to blame
	Detail string             `json:"detail"`
	At     time.Time          `json:"at,omitzero"`
	// Excerpt is the lines of the rank's output around the one that explains.
	Excerpt []string `json:"excerpt,omitempty"`
}

// Point is one point of the case.
type Point struct {
	Index       int               `json:"index"`
	Concurrency int               `json:"concurrency"`
	State       report.PointState `json:"state"`
	Reason      string            `json:"reason,omitempty"` // why it does not count although it was measured
	// Metrics carry upstream's names: times in milliseconds, throughputs per second. A point that does not count has
	// none.
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// Links are where the rest is: absolute paths. What a run has not left is absent.
type Links struct {
	RunDir string `json:"run_dir"`
	Report string `json:"report,omitempty"`
	Logs   string `json:"logs,omitempty"`
	JUnit  string `json:"junit,omitempty"`
}

// Ended is how a run ended, besides what it has left behind.
type Ended struct {
	At   time.Time // when that was found; the verdict knows better
	Code int       // the exit code, of a run without a verdict
	Why  string    // of a run without a verdict: what is known of its end
	// Attempt is the folder of the attempt; "": it is not known.
	Attempt string
}

// New is the notice of a run, without an id.
func New(in report.Input, end Ended) Notice {
	m := report.Build(in)
	n := Notice{
		Schema: 1, At: cmp.Or(m.Run.EndedAt, end.At).UTC(), RunID: m.Run.RunID, JobID: m.Run.JobID, Case: m.Run.Case,
		TestID: m.Run.TestID, Settings: m.Run.Settings, Verdict: m.Run.Word(), ExitCode: m.Run.ExitCode,
		Seconds: m.Run.Seconds, Points: points(m), Links: links(in.Plan.RunDir, end.Attempt),
	}
	if n.Verdict == report.NoVerdict {
		n.Links.Report = "" // there is none without a verdict
		n.ExitCode, n.Why = end.Code, report.Printable(cmp.Or(end.Why, "there is no verdict"))
	}
	if f := m.Failure; f != nil {
		n.Why, n.FirstCause = f.String(), CauseOf(f)
	}
	if m.Regression != nil {
		n.Regression = m.Regression.Status + ": " + m.Regression.Reason
	}
	n.Text = strings.Join(n.lines(m.Best), "\n")
	return n
}

// CauseOf is why a run did not pass, as a notice tells it; nil if it did.
func CauseOf(f *report.Failure) *Cause {
	if f == nil {
		return nil
	}
	c := &Cause{Kind: f.Kind, Who: f.Who, Detail: f.Detail, At: f.At}
	for _, l := range f.Excerpt {
		c.Excerpt = append(c.Excerpt, l.Text)
	}
	return c
}

func points(m report.Model) []Point {
	list := []Point{}
	for _, p := range m.Points {
		one := Point{Index: p.Index, Concurrency: p.Concurrency, State: p.State, Reason: p.Reason}
		if p.State == report.Counts {
			one.Metrics = p.Values
		}
		list = append(list, one)
	}
	return list
}

func links(runDir, attempt string) Links {
	l := Links{RunDir: runDir}
	if attempt != "" {
		l.Report, l.Logs = filepath.Join(attempt, "report", "index.html"), filepath.Join(attempt, "logs")
		l.JUnit = filepath.Join(runDir, "junit.xml")
	}
	return l
}

// lines are the notice for people.
func (n Notice) lines(best *report.Best) []string {
	list := []string{n.heading()}
	if n.Why != "" {
		list = append(list, n.Why)
	}
	count := 0
	for _, p := range n.Points {
		if p.State == report.Counts {
			count++
		}
	}
	measured := fmt.Sprintf("%d of %d points count", count, len(n.Points))
	if best != nil {
		measured += fmt.Sprintf("; best: %.1f output tok/s/GPU at concurrency %d", best.TokPerGPU, best.Concurrency)
	}
	if list = append(list, measured); n.Regression != "" {
		list = append(list, "against earlier runs: "+n.Regression)
	}
	return append(list, cmp.Or(n.Links.Report, n.Links.RunDir))
}

func (n Notice) heading() string {
	if n.Verdict == report.NoVerdict {
		return "no verdict: " + roles.Title(n.TestID, n.Settings)
	}
	return n.Verdict + ": " + roles.Title(n.TestID, n.Settings)
}

// For is the notice for one target.
func (n Notice) For(target string) Notice {
	sum := sha256.Sum256([]byte(n.RunID + "\x00" + target))
	n.ID = hex.EncodeToString(sum[:16])
	return n
}
