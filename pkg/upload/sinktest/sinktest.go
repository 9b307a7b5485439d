// Package sinktest checks that a sink keeps the contract of package upload. Every sink runs it, against what it really
// talks to.
package sinktest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
)

// Begin is when the first record that this package makes was measured; each point of a run follows a minute later.
var Begin = time.Date(2026, 3, 1, 23, 30, 0, 123_456_000, time.UTC)

// Records makes the records of a run, one a concurrency. Runs with the same name have the same records.
func Records(run string, day int, concurrency ...int) (list []results.Record) {
	for i, c := range concurrency {
		pt := protocol.Point{
			Index: i, Concurrency: c, Successful: 4 * c,
			Metrics: map[string]float64{"token_throughput": 100.25 * float64(c), "mean_ttft": 1.5, "mean_tpot": 0.1},
		}
		from := results.Origin{
			Case: roles.Case{
				Name: `a "case" of 'ours'; -- ü ✓`, TestID: "disagg-e2e-" + run[:1], Mode: "e2e", Model: "m",
				Load: roles.Load{PointLoad: roles.PointLoad{Rounds: 4, InputLength: 1024, OutputLength: 1024}},
			},
			RunID: run, JobID: "17", Recipe: "r", Cluster: "k",
			Provenance: protocol.Provenance{
				User: "u", Hosts: []string{"h1", "h2"}, GPU: "H200", Commit: "abc", Branch: "main",
				Note: "a note\nwith \x00 and \\ and \U0001F600",
			},
			Document: map[string]any{
				"s_model_name": "m", "l_gpus": 8, "d_ratio": 0.5, "b_is_valid": true, "s_empty": "",
			},
		}
		at := Begin.AddDate(0, 0, day).Add(time.Duration(i) * time.Minute)
		list = append(list, decoded(results.NewRecord(from, pt, at)))
	}
	return list
}

// decoded is a record as it is read from its file, which is how sinks are given it.
func decoded(r results.Record) results.Record {
	data, err := r.Encode()
	if err != nil {
		panic(err)
	}
	r, err = results.DecodeRecord(r.ID, data)
	if err != nil {
		panic(err)
	}
	return r
}

// Opener opens the same sink again and again.
type Opener func(context.Context) (upload.Sink, error)

// OpenerOf opens what a URL names.
func OpenerOf(s upload.Scheme, u *url.URL) Opener {
	return func(ctx context.Context) (upload.Sink, error) { return s.Open(ctx, u) }
}

// Run checks a sink that is empty at first. fresh makes a new, empty one for each test.
func Run(t *testing.T, fresh func(*testing.T) Opener) {
	for name, check := range map[string]func(*testing.T, Opener){
		"each record is kept once":             keptOnce,
		"the first record of an id stays":      firstStays,
		"what is asked for is what is there":   stored,
		"a record comes back as it was":        comesBack,
		"history is by series, time and limit": history,
		"many send at once":                    together,
		"no time is no harm":                   noTime,
		"many records":                         many,
	} {
		t.Run(name, func(t *testing.T) { check(t, fresh(t)) })
	}
}

func open(t *testing.T, o Opener) upload.Sink {
	t.Helper()
	s, err := o(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// send sends records of which each must be kept.
func send(t *testing.T, s upload.Sink, records []results.Record) {
	t.Helper()
	got := s.Send(t.Context(), records)
	if len(got) != len(records) {
		t.Fatalf("%d outcomes of %d records", len(got), len(records))
	}
	for i, o := range got {
		if o.Fate != upload.Kept || o.Err != nil {
			t.Fatalf("record %d: %v: %v", i, o.Fate, o.Err)
		}
	}
}

// digests checks which of the records a sink has.
func digests(t *testing.T, s upload.Sink, asked, want []results.Record) {
	t.Helper()
	got, err := s.Stored(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range want {
		all[r.ID] = r.Digest()
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Error(diff)
	}
}

func all(t *testing.T, s upload.Sink, q upload.Query) []results.Record {
	t.Helper()
	got, err := s.History(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// same compares records, the history's by time and id.
func same(t *testing.T, want, got []results.Record) {
	t.Helper()
	if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
		t.Error(diff)
	}
}

func sorted(list []results.Record) []results.Record {
	return slices.SortedFunc(slices.Values(list), func(a, b results.Record) int {
		if c := a.MeasuredAt.Compare(b.MeasuredAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

func keptOnce(t *testing.T, o Opener) {
	first, second := Records("a1", 0, 4, 8), Records("b1", 1, 4, 8)
	for _, list := range [][]results.Record{first, second, first, slices.Concat(second, Records("b1", 1, 4, 8, 16))} {
		s, err := o(t.Context()) // each from another process
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, list)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	same(t, slices.Concat(first, Records("b1", 1, 4, 8, 16)), all(t, open(t, o), upload.Query{}))
}

func firstStays(t *testing.T, o Opener) {
	s := open(t, o)
	first := Records("a1", 0, 4)
	send(t, s, first)
	other := Records("a1", 0, 4)
	other[0].Point.Metrics["token_throughput"] = 1
	send(t, s, other) // that it is another record shows in its digest
	digests(t, s, first, first)
	same(t, first, all(t, s, upload.Query{}))
}

func stored(t *testing.T, o Opener) {
	s := open(t, o)
	digests(t, s, Records("a1", 0, 4), nil)
	send(t, s, Records("a1", 0, 4, 8))
	digests(t, s, Records("a1", 0, 4, 8, 16), Records("a1", 0, 4, 8))
	digests(t, s, nil, nil)
}

func comesBack(t *testing.T, o Opener) {
	s := open(t, o)
	want := Records("a1", 0, 1)
	want[0].Point.Invalid = "3 of 16 requests failed"
	want[0].Point.Metrics["d"] = 1e-300
	want[0].Point.Metrics["e"] = 0.1 + 0.2
	send(t, s, want)
	same(t, want, all(t, s, upload.Query{}))
	digests(t, s, want, want)
}

func history(t *testing.T, o Opener) {
	s := open(t, o)
	var a, b []results.Record
	for day := range 5 {
		a = append(a, Records(fmt.Sprintf("a%d", day), day, 4)...)
		b = append(b, Records(fmt.Sprintf("b%d", day), day, 4)...)
	}
	mixed := slices.Concat(a, b)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	send(t, s, mixed)
	for name, tt := range map[string]struct {
		q    upload.Query
		want []results.Record
	}{
		"everything": {upload.Query{}, mixed},
		"one series": {upload.Query{Series: []string{a[0].Series()}}, a},
		"two series": {upload.Query{Series: []string{a[0].Series(), b[0].Series()}}, mixed},
		"none":       {upload.Query{Series: []string{"nothing"}}, nil},
		"since":      {upload.Query{Series: []string{a[0].Series()}, Since: a[2].MeasuredAt}, a[2:]},
		"before":     {upload.Query{Series: []string{a[0].Series()}, Before: a[2].MeasuredAt}, a[:2]},
		"the newest": {
			upload.Query{Series: []string{a[0].Series(), b[0].Series()}, Limit: 2}, slices.Concat(a[3:], b[3:]),
		},
		"all newest":  {upload.Query{Limit: 1}, slices.Concat(a[4:], b[4:])},
		"newest then": {upload.Query{Series: []string{b[0].Series()}, Before: b[3].MeasuredAt, Limit: 2}, b[1:3]},
	} {
		t.Run(name, func(t *testing.T) {
			got := all(t, s, tt.q)
			same(t, tt.want, got)
			if !slices.IsSortedFunc(got, func(a, b results.Record) int { return a.MeasuredAt.Compare(b.MeasuredAt) }) {
				t.Error("the history is not sorted by time")
			}
		})
	}
}

// together sends the same and other records from several processes at once.
func together(t *testing.T, o Opener) {
	var wg sync.WaitGroup
	var want []results.Record
	for i := range 4 {
		run := fmt.Sprintf("a%d", i)
		want = append(want, Records(run, i, 1, 2, 3)...)
		for range 2 {
			wg.Go(func() {
				s, err := o(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				// A sink may refuse for now what another one sends at the same moment.
				for try := 0; ; try++ {
					got := s.Send(t.Context(), Records(run, i, 1, 2, 3))
					bad := slices.IndexFunc(got, func(o upload.Outcome) bool { return o.Fate != upload.Kept })
					if bad < 0 {
						break
					}
					if got[bad].Fate != upload.Later || try == 10 {
						t.Errorf("%v: %v", got[bad].Fate, got[bad].Err)
						break
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	same(t, want, all(t, open(t, o), upload.Query{}))
}

// noTime sends when the time is over: nothing is refused for ever, and it goes well the next time.
func noTime(t *testing.T, o Opener) {
	s := open(t, o)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	list := Records("a1", 0, 4, 8)
	for _, got := range s.Send(ended, list) {
		if got.Fate != upload.Later && got.Fate != upload.Kept {
			t.Errorf("%v: %v", got.Fate, got.Err)
		}
	}
	send(t, s, list)
	same(t, list, all(t, s, upload.Query{}))
}

// many sends more records than one page of an answer has, of runs of 40 points.
func many(t *testing.T, o Opener) {
	s := open(t, o)
	var list []results.Record
	for i := range 1200 {
		r := Records("a1", 0, 4)[0]
		r.ID, r.RunID = fmt.Sprintf("%032x", i), fmt.Sprintf("run-%d", i/40)
		r.MeasuredAt = r.MeasuredAt.Add(time.Duration(i) * time.Second)
		list = append(list, r)
	}
	for part := range slices.Chunk(list, 400) {
		send(t, s, part)
	}
	digests(t, s, list, list)
	if got := all(t, s, upload.Query{}); len(got) != len(list) {
		t.Errorf("the history has %d records, want %d", len(got), len(list))
	}
}
