package roles_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/disagg/disagg/pkg/roles"
)

const grace = roles.Duration(30 * time.Second)

func minutes(n int) roles.Duration { return roles.Duration(time.Duration(n) * time.Minute) }

// Phases that follow each other may have any lengths that fit into the job together, and what was left open fits too.
func TestTimeoutsFit(t *testing.T) {
	for name, asked := range map[string]roles.Timeouts{
		"nothing is asked for":          {Job: minutes(120)},
		"a large model loads for long":  {Job: minutes(120), Ready: minutes(60), Benchmark: minutes(30)},
		"only the benchmark's is given": {Job: minutes(120), Benchmark: minutes(110)},
		"only the servers' is given":    {Job: minutes(120), Ready: minutes(100)},
		"a job of seconds":              {Job: roles.Duration(10 * time.Second)},
		"a job of days":                 {Job: minutes(10 * 24 * 60)},
	} {
		got := asked.Complete(minutes(60), grace)
		if err := got.Check(grace); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, pair := range [][2]roles.Duration{
			{asked.Job, got.Job}, {asked.Ready, got.Ready}, {asked.Benchmark, got.Benchmark},
		} {
			if pair[0] > 0 && pair[0] != pair[1] {
				t.Errorf("%s: %v was asked for, and is now %v", name, pair[0], pair[1])
			}
		}
	}
}

// Whatever a job's limit and the grace period: what is filled in holds together, and nothing is left open.
func TestTimeoutsAreCompleted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := roles.Duration(rapid.Int64Range(1000, int64(3650*24*time.Hour)).Draw(t, "job"))
		grace := roles.Duration(rapid.Int64Range(1000, int64(time.Hour)).Draw(t, "grace"))
		got := roles.Timeouts{}.Complete(job, grace)
		if err := got.Check(grace); err != nil {
			t.Fatal(err)
		}
		for _, d := range []roles.Duration{
			got.Job, got.Launch, got.Preflight, got.Ready, got.Benchmark, got.Probe, got.Heartbeat, got.Lost, got.Stop,
			got.Settle, got.Upload, got.Disk,
		} {
			if d <= 0 {
				t.Fatalf("something is left open: %+v", got)
			}
		}
		if up := got.UploadGrace(grace); up <= 0 || up > got.Upload.Std() || up >= (grace-got.Stop-got.Settle).Std() {
			t.Fatalf("%v is left to send in", up)
		}
	})
}

// Timeouts that cannot hold together are refused, by the names of the options that set them.
func TestTimeoutsCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*roles.Timeouts)
		want   string
	}{
		"servers as long as the job": {
			func(o *roles.Timeouts) { o.Ready = minutes(120) },
			"(--time), 2h0m0s, must be longer than the ready limit (--ready-timeout), 2h0m0s",
		},
		"the benchmark longer than the job": {
			func(o *roles.Timeouts) { o.Benchmark = minutes(121) },
			"must be longer than the benchmark's limit (--benchmark-timeout), 2h1m0s",
		},
		"both together as long as the job": {
			func(o *roles.Timeouts) { o.Ready, o.Benchmark = minutes(60), minutes(60) },
			"(--benchmark-timeout, 1h0m0s) do not fit into the job's limit (--time, 2h0m0s) together",
		},
		"both together beyond any number": {
			func(o *roles.Timeouts) { o.Job, o.Ready, o.Benchmark = 1<<63-1, 1<<62, 1<<62 },
			"do not fit into the job's limit",
		},
		"arrival as long as the job": {
			func(o *roles.Timeouts) { o.Launch = minutes(120) },
			"must be longer than timeouts.launch",
		},
		"a probe as long as loading": {
			func(o *roles.Timeouts) { o.Probe = o.Ready },
			"(--ready-timeout), 46m0s, must be longer than timeouts.probe, 46m0s",
		},
		"a probe as long as the benchmark": {
			func(o *roles.Timeouts) { o.Benchmark, o.Probe = minutes(1), minutes(1) },
			"(--benchmark-timeout), 1m0s, must be longer than timeouts.probe, 1m0s",
		},
		"silence of less than two heartbeats": {
			func(o *roles.Timeouts) { o.Heartbeat = roles.Duration(2501 * time.Millisecond) },
			"timeouts.lost, 5s, must be at least two heartbeats (timeouts.heartbeat), of 2.501s each",
		},
		"stopping as long as the grace period": {
			func(o *roles.Timeouts) { o.Stop, o.Settle = grace/2, grace/2 },
			"timeouts.stop (15s) and timeouts.settle (15s) together must be below",
		},
	} {
		timeouts := roles.Timeouts{}.Complete(minutes(120), grace)
		if err := timeouts.Check(grace); err != nil {
			t.Fatal(err)
		}
		tt.change(&timeouts)
		fails(t, name, timeouts.Check(grace), "cannot plan: ", tt.want)
	}
	enough := roles.Timeouts{}.Complete(minutes(120), grace)
	enough.Lost = 2 * enough.Heartbeat
	if err := enough.Check(grace); err != nil {
		t.Errorf("silence of two heartbeats: %v", err)
	}
}
