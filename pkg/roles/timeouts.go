package roles

import (
	"fmt"
	"time"
)

// Timeouts bound every wait of a job. Those that contain each other decrease strictly (the job's limit contains each
// phase, a phase contains its probes), so that the innermost fires first and the cause that is reported is the true
// one. Phases that follow each other need only fit into the job together.
type Timeouts struct {
	// Job is the scheduler's time limit.
	Job Duration `json:"job"`
	// Launch is from the hub's start until every agent is attached.
	Launch Duration `json:"launch"`
	// Preflight is of checking the hosts before any model is loaded.
	Preflight Duration `json:"preflight"`
	// Ready is from the first start until every server is ready.
	Ready Duration `json:"ready"`
	// Benchmark is of the benchmark's process; if the case is measured several times, of all of them together.
	Benchmark Duration `json:"benchmark"`
	// Probe is of one question to a service.
	Probe Duration `json:"probe"`
	// Heartbeat is between two signs of life of an agent or the hub.
	Heartbeat Duration `json:"heartbeat"`
	// Lost is the silence after which an agent or the hub counts as lost.
	Lost Duration `json:"lost"`
	// Stop is from the request to stop until a role's processes are killed.
	Stop Duration `json:"stop"`
	// Settle is after that, until the hub gives up waiting for agents to report that nothing is left.
	Settle Duration `json:"settle"`
	// Upload is of sending the records; when the scheduler ends the job it is cut to what the grace period leaves.
	Upload Duration `json:"upload"`
	// Disk is how long the run directory may leave a write unanswered before that is reported.
	Disk Duration `json:"disk"`
}

// reserve is what a job keeps for starting, stopping, records and upload.
const reserve = 5 * time.Minute

// Complete returns the timeouts with what was left open (0) filled from the job's own limit and the grace period
// between the scheduler's request to end and its kill.
func (t Timeouts) Complete(job, grace Duration) Timeouts {
	fill := func(d *Duration, v time.Duration) {
		if *d == 0 {
			*d = Duration(v)
		}
	}
	fill(&t.Job, job.Std())
	limit := t.Job.Std()
	rest := limit - min(reserve, limit/4)
	fill(&t.Launch, min(10*time.Minute, limit/6))
	fill(&t.Preflight, 5*time.Second)
	ready := min(time.Hour, rest*2/5)
	if t.Benchmark > 0 && t.Benchmark.Std() < rest {
		ready = min(time.Hour, rest-t.Benchmark.Std())
	}
	fill(&t.Ready, ready)
	fill(&t.Benchmark, rest-t.Ready.Std())
	fill(&t.Probe, min(5*time.Second, t.Ready.Std()/2, t.Benchmark.Std()/2))
	fill(&t.Heartbeat, time.Second)
	fill(&t.Lost, 5*time.Second)
	// When the scheduler ends a job, everything from its request to the verdict must fit into the grace period.
	fill(&t.Stop, grace.Std()*4/10)
	fill(&t.Settle, grace.Std()*3/10)
	fill(&t.Upload, 20*time.Second)
	fill(&t.Disk, 5*time.Second)
	return t
}

// Check refuses timeouts that cannot hold together. A message names the option that sets a limit.
func (t Timeouts) Check(grace Duration) error {
	for _, left := range []struct {
		phase  string
		d      Duration
		option string
		takes  Duration
	}{
		{"the benchmark", t.Benchmark, "the ready limit (--ready-timeout", t.Ready},
		{"the servers' start", t.Ready, "the benchmark's limit (--benchmark-timeout", t.Benchmark},
	} {
		if left.d <= 0 {
			return fmt.Errorf("cannot plan: %s, %v) leaves no time for %s in the job's limit (--time, %v)", left.option,
				left.takes, left.phase, t.Job)
		}
	}
	contains := []struct {
		outer string
		o     Duration
		inner string
		i     Duration
	}{
		{"the job's limit (--time)", t.Job, "the ready limit (--ready-timeout)", t.Ready},
		{"the job's limit (--time)", t.Job, "the benchmark's limit (--benchmark-timeout)", t.Benchmark},
		{"the job's limit (--time)", t.Job, "timeouts.launch", t.Launch},
		{"the ready limit (--ready-timeout)", t.Ready, "timeouts.probe", t.Probe},
		{"the benchmark's limit (--benchmark-timeout)", t.Benchmark, "timeouts.probe", t.Probe},
	}
	for _, c := range contains {
		if c.i >= c.o {
			return fmt.Errorf("cannot plan: %s, %v, must be longer than %s, %v", c.outer, c.o, c.inner, c.i)
		}
	}
	if t.Ready >= t.Job-t.Benchmark {
		return fmt.Errorf("cannot plan: the ready limit (--ready-timeout, %v) and the benchmark's limit "+
			"(--benchmark-timeout, %v) do not fit into the job's limit (--time, %v) together",
			t.Ready, t.Benchmark, t.Job)
	}
	if t.Lost/2 < t.Heartbeat {
		return fmt.Errorf("cannot plan: timeouts.lost, %v, must be at least two heartbeats (timeouts.heartbeat), "+
			"of %v each", t.Lost, t.Heartbeat)
	}
	if t.Stop >= grace-t.Settle {
		return fmt.Errorf("cannot plan: timeouts.stop (%v) and timeouts.settle (%v) together must be below the time "+
			"from the scheduler's request to end until its kill (kill_wait, %v)", t.Stop, t.Settle, grace)
	}
	return nil
}

// UploadGrace is how long sending may take when the scheduler is about to kill the job.
func (t Timeouts) UploadGrace(grace Duration) time.Duration {
	return min(t.Upload.Std(), (grace-t.Stop-t.Settle).Std()*2/3)
}
