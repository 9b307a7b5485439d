package roles

import (
	"fmt"
	"time"
)

// Timeouts bound every wait of a job. They form a stack in which each is smaller than the one that contains it, so that
// the innermost fires first and the cause that is reported is the true one.
type Timeouts struct {
	Job       Duration `json:"job"`       // Slurm's time limit
	Launch    Duration `json:"launch"`    // from the hub's start until every agent is attached
	Preflight Duration `json:"preflight"` // of looking at the hosts
	Ready     Duration `json:"ready"`     // from the first start until every server is ready
	Benchmark Duration `json:"benchmark"` // of the benchmark's process
	Probe     Duration `json:"probe"`     // of one question to a service
	Heartbeat Duration `json:"heartbeat"` // between two signs of life of an agent or the hub
	Lost      Duration `json:"lost"`      // without a sign of life, and it counts as lost
	Stop      Duration `json:"stop"`      // from the request to stop until a role's processes are killed
	Settle    Duration `json:"settle"`    // after that, until the hub gives up waiting for agents to say that nothing is left
	Upload    Duration `json:"upload"`    // of sending the records; when Slurm ends the job, cut to what KillWait leaves
}

// reserve is what a job keeps for starting, stopping, records and upload.
const reserve = 5 * time.Minute

// complete fills what was left open, from the job's limit and the cluster's KillWait, and refuses an inverted stack.
func (t *Timeouts) complete(job, killWait Duration) error {
	fill := func(d *Duration, v time.Duration) { fill(d, Duration(v)) }
	fill(&t.Job, time.Duration(job))
	limit := time.Duration(t.Job)
	rest := limit - min(reserve, limit/4)
	fill(&t.Launch, min(10*time.Minute, limit/6))
	fill(&t.Preflight, 3*time.Second)
	fill(&t.Ready, min(time.Hour, rest*2/5))
	fill(&t.Benchmark, rest-time.Duration(t.Ready))
	fill(&t.Probe, 5*time.Second)
	fill(&t.Heartbeat, time.Second)
	fill(&t.Lost, 5*time.Second)
	// When Slurm ends a job, everything from its SIGTERM to the verdict must fit into KillWait.
	fill(&t.Stop, time.Duration(killWait)*4/10)
	fill(&t.Settle, time.Duration(killWait)*3/10)
	fill(&t.Upload, 20*time.Second)
	return t.check(killWait)
}

func (t Timeouts) check(killWait Duration) error {
	stack := []struct {
		name string
		d    Duration
	}{
		{"job", t.Job}, {"benchmark", t.Benchmark}, {"ready", t.Ready}, {"probe", t.Probe}, {"heartbeat", t.Heartbeat},
	}
	for i := 1; i < len(stack); i++ {
		outer, inner := stack[i-1], stack[i]
		if inner.d >= outer.d {
			return fmt.Errorf("cannot plan: timeout %s (%v) must be below timeout %s (%v)",
				inner.name, time.Duration(inner.d), outer.name, time.Duration(outer.d))
		}
	}
	if t.Ready+t.Benchmark >= t.Job {
		return fmt.Errorf("cannot plan: timeouts ready (%v) and benchmark (%v) together must be below timeout job (%v)",
			time.Duration(t.Ready), time.Duration(t.Benchmark), time.Duration(t.Job))
	}
	if t.Lost < 2*t.Heartbeat {
		return fmt.Errorf("cannot plan: timeout lost (%v) must be at least two heartbeats (%v)", time.Duration(t.Lost), time.Duration(t.Heartbeat))
	}
	if t.Stop+t.Settle >= killWait {
		return fmt.Errorf("cannot plan: timeouts stop (%v) and settle (%v) together must be below the cluster's KillWait (%v)",
			time.Duration(t.Stop), time.Duration(t.Settle), time.Duration(killWait))
	}
	return nil
}

// HastyUpload is how long sending may take when Slurm is about to kill the job.
func (t Timeouts) HastyUpload(killWait Duration) time.Duration {
	return min(time.Duration(t.Upload), time.Duration(killWait-t.Stop-t.Settle)*2/3)
}
