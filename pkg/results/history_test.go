package results_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// A condition is a key that is known and a value, which may have any characters; what is none is told with the keys.
func TestConditions(t *testing.T) {
	for text, good := range map[string]bool{
		"branch=main": true, "tag=a=b": true, "run= x": true, "branch=": false, "branch": false, "=main": false,
		"":           false,
		"colour=red": false, "Branch=main": false,
	} {
		err := results.CheckCondition(text)
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && !strings.Contains(err.Error(), "KEY of branch, commit, engine, image, run, tag, user") {
			t.Error(err)
		}
	}
}

// A record of a history counts if it is of the series, was measured first on servers that had served nobody, counts by
// itself, and meets every condition; the order stays.
func TestWhatOfAHistoryCounts(t *testing.T) {
	good := record("a", 1, 8, 100)
	good.Provenance = protocol.Provenance{
		Branch: "main", Commit: "abc", User: "u", Engine: "1.2", Image: "i", Tags: []string{"x", "nightly"},
	}
	variants := map[string]func(*results.Record){
		"good": func(*results.Record) {}, "other": func(r *results.Record) { r.Point.Concurrency = 16 },
		"again":   func(r *results.Record) { r.Point.Measurement = 1 },
		"warm":    func(r *results.Record) { r.Provenance.Warm = true },
		"invalid": func(r *results.Record) { r.Point.Invalid = "x" },
	}
	var h results.History
	for name, change := range variants {
		r := good
		r.RunID = name
		change(&r)
		h.Records = append(h.Records, r)
	}
	last := good
	last.RunID = "last"
	h.Records = append(h.Records, last)
	of := func(conditions ...string) (runs []string) {
		list, _ := h.Of(good, conditions)
		for _, r := range list {
			runs = append(runs, r.RunID)
		}
		return runs
	}
	if got := of(); !slices.Equal(got, []string{"good", "last"}) {
		t.Errorf("%q", got)
	}
	for condition, want := range map[string]int{
		"branch=main": 2, "branch=dev": 0, "commit=abc": 2, "user=u": 2, "user=v": 0, "engine=1.2": 2, "image=i": 2,
		"tag=nightly": 2, "tag=x": 2, "tag=night": 0, "run=last": 1, "colour=red": 0, "commit=ab": 0,
	} {
		if got := of("branch=main", condition); len(got) != want {
			t.Errorf("%s: %q, want %d", condition, got, want)
		}
	}
}

// What is kept under an id is read if it is a record of it, of a schema that is known.
func TestDecodeRecord(t *testing.T) {
	for text, good := range map[string]bool{
		`{"schema": 1, "id": "x"}`: true, `{"schema": 2, "id": "x"}`: true, `{"schema": 3, "id": "x"}`: false,
		`{"schema": 0, "id": "x"}`: false, `{"id": "x"}`: false, `{"schema": 2, "id": "y"}`: false,
		`{"schema": 2`: false,
		`[]`:           false, ``: false, `null`: false, `{"schema": "2", "id": "x"}`: false,
	} {
		_, err := results.DecodeRecord("x", []byte(text))
		if (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), "cannot read record x: ") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A record's id does not change with versions: records that were sent are found by it. It is the beginning of the
// SHA-256 of run, test, place and concurrency, and of which measurement it is, if it is not the first.
func TestIDsStay(t *testing.T) {
	pt := protocol.Point{Index: 1, Concurrency: 8}
	for measurement, want := range []string{"b3ad92cce11a2fae29b0f730b3cd075a", "44c9272def8e306df2e9aaa06ac8f58e"} {
		pt.Measurement = measurement
		o := results.Origin{RunID: "r-0", Case: roles.Case{TestID: "disagg-e2e-c"}}
		if r := results.NewRecord(o, pt, time.Time{}); r.ID != want || r.Schema != 2 {
			t.Errorf("measurement %d: schema %d, id %s", measurement, r.Schema, r.ID)
		}
	}
}

// FuzzDecodeRecord makes sure that whatever is read as a record is written as one that is read as the same.
func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(`{"schema": 2, "id": "x", "point": {"concurrency": 4, "metrics": {"a": 1e300}}}`))
	f.Add([]byte(`{"schema": 1, "id": "x", "measured_at": "2026-01-02T03:04:05.6+02:00", "document": {"s_a": null}}`))
	f.Add([]byte(`{"schema": 2, "id": "x", "settings": [{"key": "a,b", "value": "\"="}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := results.DecodeRecord("x", data)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			return // a time of a year that no text has
		}
		same, err := results.DecodeRecord("x", again)
		if err != nil || same.Digest() != r.Digest() || same.Series() != r.Series() {
			t.Errorf("%v: %+v became %+v", err, r, same)
		}
	})
}

// What a run measured twice under one concurrency counts once, with the point that stands where the judged one does.
func TestOncePerRun(t *testing.T) {
	at := func(run string, index int) results.Record {
		r := record(run, 1, 8, float64(index))
		r.RunID, r.Point.Index = run, index
		return r
	}
	list := []results.Record{at("a", 0), at("a", 1), at("b", 0), at("c", 1), at("c", 0), at("a", 2)}
	for index, want := range [][]int{{0, 0, 0}, {1, 0, 1}, {2, 0, 1}} {
		var got []int
		for _, r := range results.OncePerRun(list, at("new", index)) {
			got = append(got, r.Point.Index)
		}
		if !slices.Equal(got, want) {
			t.Errorf("point %d: %v, want %v", index, got, want)
		}
	}
}

// Points that ask for other work are not compared, though their case has kept its name: they are counted. What a record
// does not say is no difference.
func TestOtherWork(t *testing.T) {
	point := record("a", 1, 8, 100)
	point.Load = roles.PointLoad{Rounds: 4, InputLength: 1024, OutputLength: 64, RangeRatio: 0.8, Dataset: "d"}
	point.Model, point.GPUs, point.CtxServers, point.GenServers = "m", 8, 2, 1
	for name, tt := range map[string]struct {
		change func(*results.Record)
		same   bool
	}{
		"the same":                  {func(*results.Record) {}, true},
		"rounds":                    {func(r *results.Record) { r.Load.Rounds = 8 }, false},
		"input":                     {func(r *results.Record) { r.Load.InputLength = 8192 }, false},
		"output":                    {func(r *results.Record) { r.Load.OutputLength = 1024 }, false},
		"ratio":                     {func(r *results.Record) { r.Load.RangeRatio = 0 }, false},
		"dataset":                   {func(r *results.Record) { r.Load.Dataset = "" }, false},
		"model":                     {func(r *results.Record) { r.Model = "n" }, false},
		"GPUs":                      {func(r *results.Record) { r.GPUs = 16 }, false},
		"prefill servers":           {func(r *results.Record) { r.CtxServers = 1 }, false},
		"decode servers":            {func(r *results.Record) { r.GenServers = 2 }, false},
		"imported, nothing is said": {imported(roles.PointLoad{}), true},
		"imported, the same":        {imported(roles.PointLoad{InputLength: 1024}), true},
		"imported, another":         {imported(roles.PointLoad{InputLength: 512}), false},
	} {
		old := point
		tt.change(&old)
		list, others := results.History{Records: []results.Record{old}}.Of(point, nil)
		if (len(list) == 1) != tt.same || len(list)+others != 1 || old.SameWork(point) != point.SameWork(old) {
			t.Errorf("%s: %d to compare with, %d others", name, len(list), others)
		}
	}
}

// imported makes a record one that was imported, of which this is known.
func imported(load roles.PointLoad) func(*results.Record) {
	return func(r *results.Record) {
		r.Load, r.Model, r.GPUs, r.CtxServers, r.GenServers = load, "", 0, 0, 0
		r.Provenance.Imported = &protocol.Import{}
	}
}
