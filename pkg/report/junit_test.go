package report

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
)

// suite reads JUnit.
func suite(t *testing.T, data []byte) (s xmlSuite) {
	t.Helper()
	if err := xml.Unmarshal(data, &s); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return s
}

// lines are the tests of a model in short: state, type, name and message.
func lines(t *testing.T, in Input) (list []string) {
	t.Helper()
	data, err := JUnit(Build(in))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range suite(t, data).Cases {
		text, m := "passed", (*xmlMessage)(nil)
		switch {
		case c.Failure != nil:
			text, m = "failure", c.Failure
		case c.Error != nil:
			text, m = "error", c.Error
		case c.Skipped != nil:
			text, m = "skipped", c.Skipped
		}
		text += " " + c.Name
		if m != nil {
			text += strings.TrimRight(": "+m.Type+": "+m.Message, ": ")
		}
		list = append(list, text)
	}
	return list
}

// JUnit is true from the first second: what has not run is an error, so that a job which is killed has not passed; what
// was measured until then has.
func TestJUnitGrows(t *testing.T) {
	in := Input{Plan: planOf(4, 16)}
	want := []string{
		"error run: not_over: there is no verdict yet", "error concurrency 4: not_run: not run",
		"error concurrency 16: not_run: not run",
	}
	if diff := cmp.Diff(want, lines(t, in)); diff != "" {
		t.Error(diff)
	}
	in.Result.Points = []protocol.Point{pointOf(0, 4, 32, 1)}
	want[1] = "passed concurrency 4"
	if diff := cmp.Diff(want, lines(t, in)); diff != "" {
		t.Error(diff)
	}
	want = []string{"passed run", "passed concurrency 4", "passed concurrency 16"}
	if diff := cmp.Diff(want, lines(t, passed(4, 16))); diff != "" {
		t.Error(diff)
	}
}

// A failure of what was tested is a failure, with its kind; what was not measured because of it is an error that says
// so. A point that does not count has failed.
func TestJUnitOfFailures(t *testing.T) {
	cause := "GEN_0.1 on n2 ran out of device memory; it exited with code 1: torch.OutOfMemoryError: " +
		"CUDA out of memory. Tried to allocate 10.50 GiB"
	want := []string{
		"failure run: child_exit: " + cause + ".", "passed concurrency 4",
		"error concurrency 16: not_run: not run: " + cause + ".",
		"error concurrency 64: not_run: not run: " + cause + ".",
	}
	if diff := cmp.Diff(want, lines(t, failed())); diff != "" {
		t.Error(diff)
	}
	want = []string{
		"failure run: results_invalid: BENCHMARK.0 on n1 has results that do not count: " +
			"concurrency 64: 11 of 512 requests failed",
		"passed concurrency 4", "passed concurrency 16",
		"failure concurrency 64: results_invalid: 11 of 512 requests failed",
	}
	if diff := cmp.Diff(want, lines(t, invalid())); diff != "" {
		t.Error(diff)
	}
	data, err := JUnit(Build(failed()))
	if err != nil {
		t.Fatal(err)
	}
	s := suite(t, data)
	if text := s.Cases[0].Failure.Text; !strings.Contains(text, "\n    > 11 | torch.OutOfMemoryError") ||
		!strings.Contains(text, "\n  log    logs/ranks/GEN_0.1.log:11\n") {
		t.Error(text)
	}
	in := failed()
	in.Result.FirstCause.Kind, in.Result.FirstCause.Subject = protocol.HostLost, "host n2"
	if got := lines(t, in)[0]; !strings.HasPrefix(got, "error run: host_lost: host n2") {
		t.Error(got)
	}
}

// Of every kind of cause it is decided whether it speaks of what was tested.
func TestEveryKindOfCauseIsDecided(t *testing.T) {
	others := []protocol.CauseKind{
		protocol.NeverStarted, protocol.StepFailed, protocol.InstallFailed, protocol.PreflightFailed,
		protocol.AgentLost, protocol.HostLost, protocol.HubLost, protocol.TimeLimit, protocol.CauseCancelled,
		protocol.DiskStuck,
		protocol.AgentError,
	}
	for _, k := range protocol.CauseKinds() {
		if slices.Contains(others, k) != (CaseOf(k) == CaseError) {
			t.Errorf("%s is %v", k, CaseOf(k))
		}
	}
}

// A regression is a failure of its own beside the point that was measured; where there is no baseline the test is
// skipped, never green. Findings that decide nothing are no tests.
func TestJUnitOfRegressions(t *testing.T) {
	got := lines(t, besideEarlier())
	want := []string{
		"passed concurrency 4: regression", "skipped concurrency 64: regression: : concurrency 64: no baseline",
		"failure concurrency 256: regression: regression: concurrency 256: worse",
	}
	if diff := cmp.Diff(want, got[5:]); diff != "" {
		t.Error(diff)
	}
}

// A point has its metrics as properties, with all digits.
func TestJUnitProperties(t *testing.T) {
	in := passed(4)
	in.Result.Points[0].Metrics["token_throughput"] = 1234.5678
	data, err := JUnit(Build(in))
	if err != nil {
		t.Fatal(err)
	}
	s := suite(t, data)
	list := s.Cases[1].Properties.List
	if !slices.Contains(list, xmlProperty{"token_throughput", "1234.5678"}) ||
		!slices.Contains(list, xmlProperty{tokPerGPU, "154.320975"}) {
		t.Errorf("%+v", list)
	}
	if s.Cases[1].Time != "40.000" || s.Time != "102.000" {
		t.Errorf("the point took %s of %s", s.Cases[1].Time, s.Time)
	}
}
