package hub_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// sampleStep is between two samples, less than a point takes.
const sampleStep = 20 * time.Millisecond

// sampling lets GPUs be sampled.
func sampling(j *job) { j.input.Profile.SampleGPUs = roles.Duration(100 * time.Millisecond) }

// samples leaves samples of two GPUs of a host in a span, as its agent does.
func (j *job) samples(host string, from, to time.Time, watts float64) {
	j.t.Helper()
	file := j.opts.Attempt.GPULog(host)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		j.t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString("not a sample\n")
	for at := from; !at.After(to); at = at.Add(sampleStep) {
		for i := range 2 {
			fmt.Fprintf(&text, "%s, %d, 50, 1024, %g\n", at.UTC().Format("2006/01/02 15:04:05.000"), i, watts)
		}
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		j.t.Fatal(err)
	}
}

// Every point, and the run, has how GPUs were used meanwhile, by the samples of all hosts: in the verdict, in the
// records, and in the journal. What is sampled outside of the run is none of its.
func TestGPUUse(t *testing.T) {
	j := newJob(t, sampling)
	begun := time.Now()
	j.serving()
	j.measure(0, point(4, 10)+"\n")
	j.await("a point", func() bool { return len(j.entries(protocol.EntryPoint)) == 1 })
	first := j.entries(protocol.EntryPoint)[0].At
	j.measure(1, point(8, 10)+"\n")
	j.await("two points", func() bool { return len(j.entries(protocol.EntryPoint)) == 2 })
	j.exit(benchmark, protocol.Outcome{})
	told := j.told(all...)
	// The hosts' GPUs draw 100 W each until the first point is complete, and much more after the run.
	j.samples("n1", begun.Add(-5*time.Second), first.Add(-5*time.Millisecond), 100)
	j.samples("n2", begun.Add(time.Hour), begun.Add(time.Hour+time.Minute), 9000)
	j.stopped(told, all...)
	r := j.over()
	if r.Verdict != protocol.Passed || len(r.GPUUse) != 2 || r.GPUUse[1].Host != "n1" || r.GPUUse[1].Index != 1 ||
		r.GPUUse[1].Power.Mean != 100 || r.GPUUse[1].Seconds > time.Since(begun).Seconds() {
		t.Fatalf("%s %+v", r.Verdict, r.GPUUse)
	}
	for _, pt := range append(r.Points[:1:1], j.stored().Points[0]) {
		if pt.Metrics["mean_gpu_power"] != 100 || pt.Metrics["mean_gpu_utilization"] != 50 ||
			pt.Metrics["token_throughput"] != 10 {
			t.Errorf("%v", pt.Metrics)
		}
	}
	for _, rec := range j.opts.Attempt.RecordStore().All() {
		use, measured := rec.GPUUse, rec.Point.Metrics["mean_gpu_power"]
		if of := rec.Point.Index; len(use) != 2*(1-of) || (measured > 0) != (of == 0) || len(rec.RunGPUUse) != 2 {
			t.Errorf("point %d: %+v, of the run %+v, %v", of, use, rec.RunGPUUse, rec.Point.Metrics)
		}
	}
	e := j.entries(protocol.EntryGPUUse)
	if len(e) != 1 || !strings.HasPrefix(e[0].Detail, "2 of 3 GPUs: 50 % in use, 100 W each (at most 100 W), ") {
		t.Errorf("journal %+v", e)
	}
}

// Without samples the journal says so, and everything else is as ever; nobody speaks of them who has not asked.
func TestNoGPUUse(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*job)
		said   string
	}{
		"not asked for":     {nil, ""},
		"there are none":    {sampling, "not known: there are no samples: see logs/agents"},
		"none is of a time": {sampling, "not known: there are no samples: see logs/agents"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, tt.change)
			if name == "none is of a time" {
				j.samples("n1", time.Now().Add(-time.Hour), time.Now().Add(-time.Minute), 100)
			}
			j.serving()
			for i, c := range []int{4, 8} {
				j.measure(i, point(c, 10)+"\n")
			}
			j.exit(benchmark, protocol.Outcome{})
			j.leave(all...)
			r := j.over()
			said := ""
			for _, e := range j.entries(protocol.EntryGPUUse) {
				said += e.Detail
			}
			if r.Verdict != protocol.Passed || r.GPUUse != nil || said != tt.said {
				t.Errorf("%s %+v, the journal says %q, want %q", r.Verdict, r.GPUUse, said, tt.said)
			}
		})
	}
}
