package slurm

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Why a job waits is said in plain words; that it can never start is said only where that is certain.
func TestReasons(t *testing.T) {
	const four = "echo '4|1-infinite|1:00:00'"
	for name, tt := range map[string]struct {
		squeue, sinfo string
		why           string
		never         bool
	}{
		"no node is free":   {"Resources|N/A|2|1:00:00|batch", "exit 1", "waits for free nodes", false},
		"not looked at yet": {"None|N/A|2|1:00:00|batch", "exit 1", "has not been looked at yet", false},
		"a node is away": {
			"ReqNodeNotAvail, UnavailableNodes:n[1-2]|N/A|2|1:00:00|batch", "exit 1",
			"a node that it needs is not available (UnavailableNodes:n[1-2])", false,
		},
		"a sentence": {
			"Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions|N/A|2|1|batch",
			"exit 1", "nodes that it needs are down, drained or reserved", false,
		},
		"too many nodes": {
			"PartitionNodeLimit|N/A|9|1:00:00|batch", four, "asks for 9 nodes, partition batch has 4", true,
		},
		"more nodes than are allowed": {
			"PartitionNodeLimit|N/A|9|1:00:00|batch", "echo '16|1-4|1:00:00'",
			"asks for 9 nodes, partition batch allows 4", true,
		},
		"too few nodes are up": {
			"PartitionNodeLimit|N/A|3|1:00:00|batch", four,
			"its partition has too few nodes that are up, or allows a job fewer", false,
		},
		"too many nodes of a partition that is not known": {
			"PartitionNodeLimit|N/A|9|1:00:00|batch", "exit 1",
			"its partition has too few nodes that are up, or allows a job fewer", false,
		},
		"any of several partitions": {
			"PartitionNodeLimit|N/A|9|1:00:00|batch,large", four,
			"its partition has too few nodes that are up, or allows a job fewer", false,
		},
		"too much time": {
			"PartitionTimeLimit|N/A|2|1-00:00:00|batch", four,
			"asks for 1-00:00:00, partition batch allows 1:00:00", true,
		},
		"too much time of a partition that is not known": {
			"PartitionTimeLimit|N/A|2|1-00:00:00|batch", "exit 1", "asks for more time than its partition allows", true,
		},
		"the account's jobs": {
			"AssocMaxJobsLimit|N/A|2|1|b", "exit 1", "as many jobs run as its account allows", false,
		},
		"the QOS in a job": {
			"QOSMaxNodePerJobLimit|N/A|2|1|b", "exit 1", "asks for more in one job than its QOS allows", true,
		},
		"the group's GPUs": {
			"QOSGrpGRES|N/A|2|1|b", "exit 1", "its QOS has used what it may use at a time", false,
		},
		"a word of a Slurm to come": {"Moonphase|N/A|2|1|b", "exit 1", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			pretend(t, "squeue", "echo 'PENDING|"+tt.squeue+"'")
			pretend(t, "sinfo", tt.sinfo)
			got, err := Slurm{}.State(t.Context(), scheduler.Job{ID: "17"})
			if err != nil || got.Why != tt.why || got.Never != tt.never || !got.Starts.IsZero() {
				t.Errorf("%+v, %v; want %q, %v", got, err, tt.why, tt.never)
			}
		})
	}
}

// When a job is expected to start is told while it waits.
func TestExpectedStart(t *testing.T) {
	pretend(t, "squeue", "echo 'PENDING|Priority|2026-11-27T13:40:00|2|1:00:00|batch'")
	got, err := Slurm{}.State(t.Context(), scheduler.Job{ID: "17"})
	want := protocol.JobState{
		Phase: protocol.JobQueued, Word: "PENDING", Reason: "Priority", Why: "jobs of a higher priority come first",
		Starts: time.Date(2026, 11, 27, 13, 40, 0, 0, time.Local),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
