package report

import (
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// A number has three digits or more, and commas between thousands, whatever its sign.
func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.126: "0.13", 9.994: "9.99", 10: "10.0", 99.94: "99.9", 100: "100", 999.4: "999", 1000: "1,000",
		1234567: "1,234,567", -5: "-5.00", -999: "-999", -1234: "-1,234", -123456: "-123,456",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// A time is in the units that people use for as much; what would be 60 of a unit is one of the next.
func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0.0 s", 0.026: "0.026 s", 0.5: "0.5 s", 1: "1.0 s", 8.66: "8.7 s", 59.94: "59.9 s", 59.96: "1 min 0 s",
		60: "1 min 0 s", 761: "12 min 41 s", 3599.4: "59 min 59 s", 3599.6: "1 h 0 min", 3600: "1 h 0 min",
		7499: "2 h 5 min", 86400: "24 h 0 min",
	} {
		if got := span(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
	for seconds, want := range map[float64]string{0.026: "26 ms", 0.0999: "100 ms", 0.1: "0.1 s", 761: "12 min 41 s"} {
		if got := soon(seconds); got != want {
			t.Errorf("soon %v: %s, want %s", seconds, got, want)
		}
	}
}

// Times of day are in UTC, wherever they were noted.
func TestMoment(t *testing.T) {
	at := time.Date(2026, 11, 26, 1, 15, 7, 0, time.FixedZone("", 2*3600))
	if got := moment(at); got != "2026-11-25 23:15:07 UTC" {
		t.Error(got)
	}
}

// GPUs are said to be used, and how many were asked for only if those are more.
func TestGPUs(t *testing.T) {
	for want, s := range map[string]Setup{
		"": {AskedGPUs: 4}, "1 GPU used": {UsedGPUs: 1, AskedGPUs: 1}, "8 GPUs used": {UsedGPUs: 8},
		"8 GPUs used of 12 asked": {UsedGPUs: 8, AskedGPUs: 12},
	} {
		if got := s.gpus(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
	groups := Setup{Servers: []ServerGroup{{Kind: roles.Ctx, Count: 2, GPUs: 1}, {Kind: roles.Gen, Count: 1, GPUs: 8}}}
	if got := groups.servers(); got != "2 × prefill on 1 GPU, 1 × decode on 8 GPUs" {
		t.Error(got)
	}
}

// The load is that of all points, or said to differ.
func TestLoad(t *testing.T) {
	one := roles.PointLoad{InputLength: 1024, OutputLength: 128, Rounds: 1}
	random, data := one, one
	random.RangeRatio, random.Rounds = 0.8, 2
	data.Dataset = "d.json"
	for want, loads := range map[string][]roles.PointLoad{
		"": nil, "1024 tokens in, 128 out, 1 round": {one, one}, "differs from point to point": {one, random},
		"1024 tokens in, 128 out, 2 rounds, random range ratio 0.8": {random},
		"1024 tokens in, 128 out, 1 round, d.json":                  {data, data},
	} {
		var m Model
		for _, l := range loads {
			m.Points = append(m.Points, PointInfo{Load: l})
		}
		if got := m.load(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Of a failure it is said when it was, and how much had been measured, as far as that is known.
func TestCircumstances(t *testing.T) {
	points := []PointInfo{{State: Counts}, {State: Invalid}, {State: NotRun}}
	for want, m := range map[string]Model{
		"":                             {Failure: &Failure{}},
		"job 17":                       {Run: RunInfo{JobID: "17"}, Failure: &Failure{Phase: protocol.Measuring}},
		"after 1 min 1 s":              {Failure: &Failure{Seconds: 61}},
		"1 of 3 points":                {Failure: &Failure{}, Points: points},
		"after 5.0 s; 0 of 1 point":    {Failure: &Failure{Seconds: 5}, Points: points[2:]},
		"job 17, after 5.0 s, X":       {Run: RunInfo{JobID: "17"}, Failure: &Failure{Seconds: 5, Phase: "X"}},
		"job 17; 1 of 3 points":        {Run: RunInfo{JobID: "17"}, Failure: &Failure{}, Points: points},
		"after 5.0 s, Y; 0 of 1 point": {Failure: &Failure{Seconds: 5, Phase: "Y"}, Points: points[2:]},
	} {
		want = strings.NewReplacer("X", "during X", "Y", "during Y").Replace(want)
		if got := m.circumstances(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Each phase of a job has words that follow a time.
func TestPhaseWords(t *testing.T) {
	for p, want := range map[protocol.Phase]string{
		protocol.Launching: "while the ranks were arriving", protocol.Checking: "while the hosts were checked",
		protocol.Readying: "while the servers were loading", protocol.Measuring: "while the benchmark was running",
		protocol.Stopping: "while the roles were stopped", "other": "during other",
	} {
		if got := during(p); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
}

// What followed from a failure is a sentence; nothing is said if no rank was stopped because of it.
func TestConsequences(t *testing.T) {
	for want, f := range map[string]Failure{
		"": {StoppedAfter: 1, GoneAfter: 2},
		"Another rank was stopped because of it.":   {Stopped: 1},
		"2 other ranks were stopped because of it.": {Stopped: 2},
		"63 other ranks were stopped because of it, 26 ms later; nothing was left of the job after 0.2 s.": {
			Stopped: 63, StoppedAfter: 0.026, GoneAfter: 0.2,
		},
		"Another rank was stopped because of it; nothing was left of the job after 2.0 s.": {Stopped: 1, GoneAfter: 2},
	} {
		if got := f.consequences(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A text begins a sentence, in any script; no text stays none.
func TestUpperFirst(t *testing.T) {
	for text, want := range map[string]string{"": "", "a b": "A b", "über": "Über", "5 a": "5 a", "A": "A"} {
		if got := upperFirst(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Programs read a word where a verdict would stand.
func TestWord(t *testing.T) {
	if (RunInfo{}).Word() != "none" || (RunInfo{Verdict: protocol.Passed}).Word() != "passed" {
		t.Error("words of verdicts")
	}
	if (RunInfo{}).Ending() != "no verdict yet" || (RunInfo{Verdict: protocol.Failed}).Ending() != "failed" {
		t.Error("endings")
	}
}

// What a terminal would act upon is replaced by a sign that shows that something was there.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain ü ✓": "plain ü ✓", "a\tb": "a b", "\x1b[2J": "·[2J", "a\r\nb": "a··b", "\u202egnp": "·gnp", "\x07": "·",
		"\u009b1m": "·1m", "\u200b": "·",
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Every text of a value is made printable, at whatever depth, and the value itself is left as it is; what is nil or
// empty stays so.
func TestPrintableCopies(t *testing.T) {
	type inner struct {
		Text string
		At   time.Time
	}
	type outer struct {
		List  []inner
		Map   map[string]*inner
		Empty []string
		None  map[string]string
		Void  []string
		Nil   *inner
		N     int
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.Local)
	in := outer{
		List: []inner{{"a\x07", at}}, Map: map[string]*inner{"k\x07": {"b\x07", at}}, Void: []string{}, N: 7,
	}
	got := printable(in)
	of := got.Map["k·"]
	if got.List[0].Text != "a·" || of == nil || of.Text != "b·" || len(got.Map) != 1 || got.N != 7 {
		t.Errorf("%+v", got)
	}
	if !got.List[0].At.Equal(at) || got.Empty != nil || got.None != nil || got.Void == nil || got.Nil != nil {
		t.Errorf("%+v", got)
	}
	if in.List[0].Text != "a\x07" || in.Map["k\x07"].Text != "b\x07" {
		t.Errorf("the value was changed: %+v", in)
	}
}
