package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// show lists the lines that a progress makes of entries, without their times.
func show(p *Progress, list ...protocol.Entry) (lines []string) {
	var out bytes.Buffer
	p.Out, p.Begun, p.Now = &out, time.Now(), time.Now
	for _, e := range list {
		p.Show(e)
	}
	for line := range strings.Lines(out.String()) {
		at, text, _ := strings.Cut(line, "] ")
		if !strings.HasPrefix(at, "[") || !strings.HasSuffix(at, "s") {
			text = "without a time: " + line
		}
		lines = append(lines, strings.TrimSuffix(text, "\n"))
	}
	return lines
}

func newProgress() *Progress {
	pl := roles.Placement{Role: gen, Nodes: 1, Ranks: 2, RanksPerNode: 2}
	return &Progress{Layout: roles.Layout{Placements: []roles.Placement{pl}}, Points: 3}
}

// Each line tells how long after the beginning it was said.
func TestProgressTimes(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0: "[    0.0s] x\n", 99900 * time.Millisecond: "[   99.9s] x\n", 100 * time.Second: "[    1:40] x\n",
		662 * time.Second: "[   11:02] x\n", 7322 * time.Second: "[ 2:02:02] x\n",
	} {
		var out bytes.Buffer
		begun := time.Now()
		p := &Progress{Out: &out, Begun: begun, Now: func() time.Time { return begun.Add(after) }}
		if p.Say("x"); out.String() != want {
			t.Errorf("%v: %q, want %q", after, out.String(), want)
		}
	}
}

// What is worth a line of a journal gets one that says whom it is about; the rest is silent.
func TestProgress(t *testing.T) {
	at := func(kind protocol.EntryKind, detail string) protocol.Entry {
		return protocol.Entry{Kind: kind, Role: &gen, Rank: 1, Detail: detail}
	}
	phase := func(p protocol.Phase) protocol.Entry { return protocol.Entry{Kind: protocol.EntryPhase, Phase: p} }
	exited := protocol.EntryKind(protocol.EventExited)
	preflight, disk := protocol.EntryKind(protocol.EventPreflight), protocol.EntryKind(protocol.EventDiskStuck)
	ready := protocol.EntryKind(protocol.EventReady)
	type entries []protocol.Entry
	type lines []string
	tests := map[string]struct {
		entries entries
		want    lines
	}{
		"the ranks of a role arrive": {
			entries{at(protocol.EntryAttached, ""), at(protocol.EntryAttached, "")},
			lines{"GEN_0: 2 of 2 ranks arrived"},
		},
		"phases": {
			entries{
				phase(protocol.Launching), phase(protocol.Checking), phase(protocol.Readying),
				phase(protocol.Measuring), phase(protocol.Stopping), phase(protocol.Over),
			},
			lines{
				"all 2 ranks arrived; checking the hosts", "servers are loading",
				"all servers are ready; the benchmark runs", "stopping every role",
			},
		},
		"a server is ready":        {entries{at(ready, "")}, lines{"GEN_0 is ready"}},
		"a child ends":             {entries{at(exited, "code 3")}, lines{"GEN_0.1 ended: code 3"}},
		"because it was asked to":  {entries{at(exited, protocol.StoppedDetail+"signal SIGTERM")}, nil},
		"while all are stopped":    {entries{phase(protocol.Stopping), at(exited, "")}, lines{"stopping every role"}},
		"the benchmark ends":       {entries{{Kind: exited, Role: &bench, Detail: "x"}}, nil},
		"a host is checked":        {entries{at(preflight, "")}, nil},
		"a finding":                {entries{at(preflight, "shm: small")}, lines{"GEN_0.1: shm: small"}},
		"a step":                   {entries{at(protocol.EntryStep, "busy")}, lines{"the step of GEN_0: busy"}},
		"a disk does not answer":   {entries{at(disk, "5s")}, lines{"GEN_0.1: disk stuck: 5s"}},
		"entries are dropped":      {entries{{Kind: protocol.EntryDropped, Detail: "3 lost"}}, lines{"3 lost"}},
		"the verdict":              {entries{{Kind: protocol.EntryVerdict, Detail: "over"}}, lines{"verdict: over"}},
		"a terminal is not harmed": {entries{at(disk, "a\x1b[2J\nb")}, lines{"GEN_0.1: disk stuck: a·[2J·b"}},
		"a point that is none":     {entries{{Kind: protocol.EntryPoint}}, nil},
		"an agent that is none":    {entries{{Kind: protocol.EntryAttached}, {Kind: exited}}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff([]string(tt.want), show(newProgress(), tt.entries...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where servers may be kept it is not said that every role is stopped.
func TestProgressOfKeptServers(t *testing.T) {
	p := newProgress()
	p.Keeps = true
	want := []string{"the measurement is over; servers that are kept stay"}
	got := show(p, protocol.Entry{Kind: protocol.EntryPhase, Phase: protocol.Stopping})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of every kind of entry it is decided whether people see it.
func TestEveryKindIsDecided(t *testing.T) {
	silent := []protocol.EntryKind{
		protocol.EntryAttached, protocol.EntryBye, protocol.EntryPhase, protocol.EntryPoint,
		protocol.EntryKind(protocol.EventStarted), protocol.EntryKind(protocol.EventAddress),
		protocol.EntryKind(protocol.EventVersion), protocol.EntryKind(protocol.EventProgress),
		protocol.EntryKind(protocol.EventUnready), protocol.EntryKind(protocol.EventStopped),
		protocol.EntryKind(protocol.EventRelease), protocol.EntryKind(protocol.EventWarned),
		protocol.EntryKind(protocol.EventRecovered), protocol.EntryKind(protocol.EventChecked),
		protocol.EntryKind(protocol.EventReached),
	}
	for _, kind := range protocol.EntryKinds() {
		lines := show(newProgress(), protocol.Entry{Kind: kind, Role: &gen, Detail: "x"})
		if (len(lines) == 0) != slices.Contains(silent, kind) {
			t.Errorf("%s: %q", kind, lines)
		}
	}
}

// Points are counted, whatever order they come in; one that does not count says why, and a number that the client did
// not report is not 0.
func TestProgressOfPoints(t *testing.T) {
	point := func(i, concurrency int, invalid string, metrics map[string]float64) protocol.Entry {
		return protocol.Entry{Kind: protocol.EntryPoint, Point: &protocol.Point{
			Index: i, Concurrency: concurrency, Invalid: invalid, Metrics: metrics,
		}}
	}
	all := map[string]float64{"token_throughput": 1234.56, "mean_ttft": 7.89, "mean_tpot": 0.123}
	got := show(newProgress(), point(2, 8, "", all), point(0, 1, "", nil), point(2, 8, "2 of 20 requests failed", all))
	want := []string{
		"point 1 of 3: concurrency 8: 1234.6 output tok/s, TTFT 7.9 ms, TPOT 0.12 ms",
		"point 2 of 3: concurrency 1: – output tok/s, TTFT – ms, TPOT – ms",
		"point 2 of 3: concurrency 8 does not count: 2 of 20 requests failed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Another attempt of a requeued job starts over: ranks arrive and points are measured once more, and ends are told
// again.
func TestProgressOfRequeuedJob(t *testing.T) {
	attached := protocol.Entry{Kind: protocol.EntryAttached, Role: &gen}
	point := protocol.Entry{Kind: protocol.EntryPoint, Point: &protocol.Point{Index: 1, Invalid: "x"}}
	first := protocol.Entry{Kind: protocol.EntryPoint, Point: &protocol.Point{Invalid: "x"}}
	end := protocol.Entry{Kind: protocol.EntryKind(protocol.EventExited), Role: &gen, Detail: "x"}
	p := newProgress()
	show(p, attached, attached, first, protocol.Entry{Kind: protocol.EntryPhase, Phase: protocol.Stopping})
	got := show(p, protocol.Entry{Kind: protocol.EntryPhase, Phase: protocol.Launching}, attached, attached, point, end)
	want := []string{"GEN_0: 2 of 2 ranks arrived", "point 1 of 3: concurrency 0 does not count: x", "GEN_0.0 ended: x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The summary shows verdict, cause, points and what became of the records. A point that does not count is marked, and
// is never the best.
func TestSummary(t *testing.T) {
	full := map[string]float64{
		"token_throughput": 100, "total_token_throughput": 200.25, "mean_ttft": 1, "mean_tpot": 2, "mean_e2el": 3.456,
		"p99_e2el": 4,
	}
	r := protocol.Result{
		Verdict: protocol.Failed, TestID: "t\x1b[1m",
		FirstCause: &protocol.Cause{
			Role: gen, Rank: 3, Host: "n2", Kind: protocol.ChildSignal, Detail: "killed\x07 by SIGKILL",
		},
		Points: []protocol.Point{
			{Concurrency: 1, Successful: 10, Metrics: full},
			{
				Index: 1, Concurrency: 16, Successful: 5, Invalid: "5 requests failed\r",
				Metrics: map[string]float64{"token_throughput": 900},
			},
		},
		Lost:   "2 writes",
		Upload: &protocol.UploadReport{URL: "sqlite:///x.db", Sent: 1, Pending: 2, Error: "away\n"},
	}
	want := `
failed: t·[1m
        1 of 3 points

  GEN_0.3 on n2 was killed· by SIGKILL

  concurrency  requests  output tok/s  tok/s/GPU  tok/s/user  total tok/s  TTFT ms  TPOT ms  E2EL ms  P99 E2EL ms
            1        10         100.0       12.5       500.0        200.2     1.00     2.00     3.46         4.00
         16 *         5         900.0      112.5           –            –        –        –        –            –
* concurrency 16 does not count: 5 requests failed·
best:    12.5 output tok/s/GPU at concurrency 1 (8 GPUs used of 12 asked)
lost:    2 writes
records: sqlite:///x.db (1 sent, 2 pending)
upload:  failed, the records stay pending: away·
`
	var out bytes.Buffer
	Summary(&out, Build(Input{Plan: planOf(1, 16, 32), Result: r}))
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	u := protocol.UploadReport{URL: "u", Sent: 3}
	Summary(&out, Build(Input{Result: protocol.Result{Verdict: protocol.Passed, TestID: "t", Upload: &u}}))
	if diff := cmp.Diff("\npassed: t\nrecords: u (3 sent, 0 pending)\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

// FuzzPrintable makes sure that nothing which a terminal acts upon gets through, and that text stays what it is.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{
		"", "plain", "a\tb", "\x1b]0;title\x07", "\x9b2J", "\u202egnp.exe", "é–日本", "\xff\xfe", "a\r\nb",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		harmless := true
		for _, r := range s {
			harmless = harmless && r != unicode.ReplacementChar && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r)
		}
		if harmless && got != s {
			t.Errorf("%q became %q", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				t.Errorf("%q let %U through", s, r)
			}
		}
	})
}

// The summary says in a line how GPUs were used, if they were sampled.
func TestSummaryOfGPUUse(t *testing.T) {
	for want, in := range map[string]Input{
		"GPUs:    74 % in use, 814 W each (at most 1012 W), 166.4 Wh in all, at most 150.0 GiB of memory " +
			"(5 GPUs sampled)\n": sampled(),
		"": passed(4),
	} {
		var out bytes.Buffer
		Summary(&out, Build(in))
		got := ""
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "GPUs:") {
				got += line
			}
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
