package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

// earlier FILE RUN N FACTOR: the sqlite file gets N runs of the days before that one, whose values are FACTOR times its
// own and vary by a per cent.
func earlier(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 || neg {
		ts.Fatalf("usage: earlier FILE RUN N FACTOR")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	factor, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	var list []results.Record
	for day := range n {
		for i, r := range rundir.Dir(ts.MkAbs(args[1])).Attempt(0).RecordStore().All() {
			r.ID, r.RunID = fmt.Sprintf("%030x%02x", day+1, i), fmt.Sprintf("run-%d", day)
			r.MeasuredAt = r.MeasuredAt.AddDate(0, 0, day-n)
			metrics := map[string]float64{}
			for name, v := range r.Point.Metrics {
				if strings.HasSuffix(name, "throughput") {
					v *= factor * (1 + 0.01*float64(day%3-1))
				}
				metrics[name] = v
			}
			r.Point.Metrics = metrics
			list = append(list, r)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sink, err := sqlite.Scheme().Open(ctx, &url.URL{Scheme: "sqlite", Path: ts.MkAbs(args[0])})
	ts.Check(err)
	defer sink.Close()
	for _, o := range sink.Send(ctx, list) {
		ts.Check(o.Err)
	}
}

// holds FILE N: the sqlite file has N records.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: holds FILE N")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sink, err := sqlite.Scheme().Open(ctx, &url.URL{Scheme: "sqlite", Path: ts.MkAbs(args[0])})
	ts.Check(err)
	defer sink.Close()
	list, err := sink.History(ctx, upload.Query{})
	ts.Check(err)
	if got := strconv.Itoa(len(list)); got != args[1] {
		ts.Fatalf("%s has %s records, want %s", args[0], got, args[1])
	}
}
