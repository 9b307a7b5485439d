package report

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// Suite is a report for CI systems, in the form of JUnit that Jenkins, GitLab and GitHub's actions read.
type Suite struct {
	Name  string
	Cases []Case
}

// Case is a test of a suite.
type Case struct {
	Class, Name string
	Took        time.Duration
	State       CaseState
	// Type is a word for why it did not pass, Message a line, Text the rest.
	Type, Message, Text string
	Properties          []Property
}

// Property is a fact about a test.
type Property struct{ Name, Value string }

// CaseState is what JUnit can say of a test.
type CaseState int

// The states of a test.
const (
	CasePassed  CaseState = iota
	CaseFailed            // what was tested is to blame
	CaseError             // something else is, or it was not run
	CaseSkipped           // nothing can be said, which is no fault
)

// XML is the suite as junit.xml.
func (s Suite) XML() ([]byte, error) {
	out := xmlSuite{Name: s.Name, Tests: len(s.Cases)}
	whole := time.Duration(0)
	for _, c := range s.Cases {
		x := xmlCase{Class: c.Class, Name: c.Name, Time: xmlSeconds(c.Took)}
		if len(c.Properties) > 0 {
			x.Properties = &xmlProperties{}
		}
		for _, p := range c.Properties {
			x.Properties.List = append(x.Properties.List, xmlProperty(p))
		}
		m := &xmlMessage{Type: c.Type, Message: c.Message, Text: c.Text}
		switch c.State {
		case CaseFailed:
			x.Failure = m
			out.Failures++
		case CaseError:
			x.Error = m
			out.Errors++
		case CaseSkipped:
			x.Skipped = m
			out.Skipped++
		}
		whole += c.Took
		out.Cases = append(out.Cases, x)
	}
	out.Time = xmlSeconds(whole)
	data, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write JUnit: %w", err)
	}
	return append([]byte(xml.Header), append(data, '\n')...), nil
}

func xmlSeconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// The elements of JUnit's XML.
type (
	xmlSuite struct {
		XMLName  xml.Name  `xml:"testsuite"`
		Name     string    `xml:"name,attr"`
		Tests    int       `xml:"tests,attr"`
		Failures int       `xml:"failures,attr"`
		Errors   int       `xml:"errors,attr"`
		Skipped  int       `xml:"skipped,attr"`
		Time     string    `xml:"time,attr"`
		Cases    []xmlCase `xml:"testcase"`
	}
	xmlCase struct {
		Class      string         `xml:"classname,attr"`
		Name       string         `xml:"name,attr"`
		Time       string         `xml:"time,attr"`
		Properties *xmlProperties `xml:"properties"`
		Failure    *xmlMessage    `xml:"failure"`
		Error      *xmlMessage    `xml:"error"`
		Skipped    *xmlMessage    `xml:"skipped"`
	}
	xmlProperties struct {
		List []xmlProperty `xml:"property"`
	}
	xmlProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	xmlMessage struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit is the run as junit.xml: a test for the run itself, one for each point, and one for each point that a
// regression check says something of. It is true at every time: what is not known yet is an error, so that a job which
// is killed has not passed.
func JUnit(m Model) ([]byte, error) { return suiteOf(m).XML() }

func suiteOf(m Model) Suite {
	s := Suite{Name: m.Run.Title(), Cases: []Case{runCase(m)}}
	for _, p := range m.Points {
		s.Cases = append(s.Cases, pointCase(m, p))
	}
	for _, p := range m.Points {
		if c, ok := regressionCase(m, p); ok {
			s.Cases = append(s.Cases, c)
		}
	}
	return s
}

// blamesTest are the kinds of cause that speak of what was tested; the others speak of machines, people and the tool.
var blamesTest = []protocol.CauseKind{
	protocol.ChildExit, protocol.ChildSignal, protocol.OOM, protocol.ReadyTimeout, protocol.HealthLost,
	protocol.Stalled, protocol.BenchmarkFailed, protocol.ResultsInvalid, protocol.Regression, protocol.Deadline,
}

// CaseOf is what a test came to whose run did not pass for such a cause.
func CaseOf(k protocol.CauseKind) CaseState {
	if slices.Contains(blamesTest, k) {
		return CaseFailed
	}
	return CaseError
}

// runCase is the test for the run itself.
func runCase(m Model) Case {
	c := Case{
		Class: m.Run.Title(), Name: "run", Took: time.Duration(m.Run.Seconds * float64(time.Second)),
		Properties: m.Properties(),
	}
	for _, p := range m.Points {
		c.Took -= m.Timeline.took(p.Index) // which is the time of the point's own test
	}
	switch f := m.Failure; {
	case m.Run.Verdict == protocol.Passed:
	case m.Run.Verdict == "":
		c.State, c.Type, c.Message = CaseError, "not_over", "there is no verdict yet"
	case f == nil:
		c.State, c.Type, c.Message = CaseError, string(m.Run.Verdict), "it did not pass, and there is no cause"
	default:
		c.State, c.Type, c.Message, c.Text = CaseOf(f.Kind), string(f.Kind), f.Sentence(), m.text()
	}
	return c
}

// text is the failure as a terminal shows it, and what followed from it.
func (m Model) text() string {
	return strings.Join(append(Screen{}.Failure(m), m.Failure.Secondary...), "\n")
}

// Properties are the facts about a run that a test of it has: which it is, and its best point.
func (m Model) Properties() (list []Property) {
	add := func(name, value string) {
		if value != "" {
			list = append(list, Property{name, value})
		}
	}
	add("run_id", m.Run.RunID)
	add("job_id", m.Run.JobID)
	if b := m.Best; b != nil {
		add("best_concurrency", strconv.Itoa(b.Concurrency))
		add("best_"+tokPerGPU, exact(b.TokPerGPU))
		add("best_"+tokPerUser, exact(b.TokPerUser))
	}
	add("used_gpus", strconv.Itoa(m.Setup.UsedGPUs))
	add("asked_gpus", strconv.Itoa(m.Setup.AskedGPUs))
	// What the submitting side sends, it sends once the report is made.
	remote := func(u protocol.UploadReport) bool { return !u.Local }
	if u := m.Upload; u != nil && slices.ContainsFunc(u.Each(), remote) {
		add("records_pending", strconv.Itoa(u.Pending-u.LocalPending()))
	}
	if r := m.Regression; r != nil {
		add("regression", r.Status)
	}
	return list
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// pointCase is the test for a point.
func pointCase(m Model, p PointInfo) Case {
	c := Case{
		Class: m.Run.Title(), Name: "concurrency " + strconv.Itoa(p.Concurrency), Took: m.Timeline.took(p.Index),
	}
	for _, metric := range m.Metrics {
		if v, ok := p.Values[metric.Name]; ok {
			c.Properties = append(c.Properties, Property{metric.Name, exact(v)})
		}
	}
	switch p.State {
	case Invalid:
		c.State, c.Type, c.Message = CaseFailed, string(protocol.ResultsInvalid), p.Reason
	case NotRun:
		c.State, c.Type, c.Message = CaseError, string(NotRun), "not run"
		if f := m.Failure; f != nil {
			c.Message += ": " + f.Sentence()
		}
	}
	return c
}

// regressionCase is what a regression check says of a point; false if it says nothing.
func regressionCase(m Model, p PointInfo) (Case, bool) {
	c := Case{Class: m.Run.Title(), Name: fmt.Sprintf("concurrency %d: regression", p.Concurrency)}
	var failed, unknown, rest []string
	if m.Regression != nil {
		for _, f := range m.Regression.Findings {
			switch {
			case f.Concurrency != p.Concurrency || !f.Gates:
			case f.Status == statusFailed:
				failed = append(failed, f.Text)
			case f.Status == statusUnknown:
				unknown = append(unknown, f.Text)
			default:
				rest = append(rest, f.Text)
			}
		}
	}
	all := slices.Concat(failed, unknown, rest)
	c.Text = strings.Join(all, "\n")
	switch {
	case len(all) == 0:
		return c, false
	case len(failed) > 0:
		c.State, c.Type, c.Message = CaseFailed, string(protocol.Regression), failed[0]
	case len(unknown) > 0:
		c.State, c.Message = CaseSkipped, unknown[0]
	}
	return c, true
}
