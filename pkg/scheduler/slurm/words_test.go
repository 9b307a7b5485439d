package slurm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// Every word that Slurm has for a job's state, of any version, is one of the phases; a word to come is unknown.
func TestPhaseOf(t *testing.T) {
	for phase, words := range map[protocol.JobPhase]string{
		protocol.JobQueued: "PENDING REQUEUED REQUEUE_HOLD REQUEUE_FED SPECIAL_EXIT RESV_DEL_HOLD",
		protocol.JobRunning: "RUNNING CONFIGURING SUSPENDED STOPPED RESIZING SIGNALING " +
			"POWER_UP_NODE",
		protocol.JobEnding: "COMPLETING STAGE_OUT",
		protocol.JobEnded: "COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL PREEMPTED BOOT_FAIL DEADLINE OUT_OF_MEMORY " +
			"REVOKED LAUNCH_FAILED RECONFIG_FAIL",
		protocol.JobUnknown: "MOONSTRUCK pending CANCELLED+ State",
	} {
		for word := range strings.FieldsSeq(words) {
			if got := phaseOf(word); got != phase {
				t.Errorf("%s: %q, want %q", word, got, phase)
			}
		}
	}
	if got := phaseOf(""); got != protocol.JobUnknown {
		t.Errorf("nothing is %q", got)
	}
}

// What ended a job is told where Slurm knows it: by hand, by its time; a job whose output could not be
// opened never ran.
func TestStateOfWords(t *testing.T) {
	for word, cause := range map[string]protocol.CauseKind{
		"CANCELLED": protocol.CauseCancelled, "PREEMPTED": protocol.CauseCancelled, "REVOKED": protocol.CauseCancelled,
		"TIMEOUT": protocol.TimeLimit, "DEADLINE": protocol.TimeLimit, "FAILED": "", "NODE_FAIL": "", "COMPLETED": "",
	} {
		want := protocol.JobState{Phase: protocol.JobEnded, Word: word, Reason: "x", Cause: cause}
		if diff := cmp.Diff(want, state(protocol.JobEnded, word, "x")); diff != "" {
			t.Error(diff)
		}
	}
	got := state(protocol.JobQueued, "PENDING", "JobLaunchFailure")
	if !got.NeverRan || got.Reason != "JobLaunchFailure" {
		t.Errorf("%+v", got)
	}
	if got := state(protocol.JobQueued, "PENDING", "None"); got.NeverRan || got.Reason != "" {
		t.Errorf("%+v", got)
	}
}

// A reason that does not pass is told from one that does, for every word that is known, with what stands after it.
func TestInWords(t *testing.T) {
	for never, words := range map[bool]map[string]string{true: hopeless, false: reasons} {
		for word, want := range words {
			if why, got := inWords(word); why != want || got != never {
				t.Errorf("%s: %q, %v", word, why, got)
			}
			if want == "" || strings.ContainsAny(want, "%\n") {
				t.Errorf("%s: %q is no sentence", word, want)
			}
		}
	}
	for reason, want := range map[string]string{
		"Resources, n1": "waits for free nodes (n1)", "Resources,": "waits for free nodes",
		"Resources, ":                     "waits for free nodes",
		"BadConstraints, x":               "never: no node has what it asks for",
		"QOSMinCpuNotSatisfied":           "never: asks for fewer CPUs than its QOS wants",
		"AssocMaxCpuPerJobLimit":          "never: asks for more in one job than its account allows",
		"AssocMaxSubmitJobLimit":          "as many jobs are queued as its account allows",
		"QOSMaxJobsPerUserLimit":          "as many jobs run as its QOS allows",
		"QOSJobLimit":                     "as many jobs run as its QOS allows",
		"AssocGrpCpuLimit":                "its account has used what it may use at a time",
		"Nodes required for job are DOWN": "nodes that it needs are down, drained or reserved",
		"Nodes":                           "", "": "", "MyAssoc": "", "resources": "",
	} {
		why, never := inWords(reason)
		if never {
			why = "never: " + why
		}
		if why != want {
			t.Errorf("%q: %q, want %q", reason, why, want)
		}
	}
}

// A line of squeue may lack what stands after the reason, and may have more than is known.
func TestQueuedJob(t *testing.T) {
	for line, want := range map[string]queued{
		"PENDING|Priority": {word: "PENDING", reason: "Priority"},
		"PENDING|":         {word: "PENDING"},
		"A|B|C|D|E|F":      {"A", "B", "C", "D", "E", "F"},
		"A|B|C|D|E|F|G|H":  {"A", "B", "C", "D", "E", "F"},
	} {
		if got, ok := queuedJob(line); !ok || got != want {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
	for _, line := range []string{"", "PENDING", "CLUSTER: east"} {
		if got, ok := queuedJob(line); ok {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

// That there are too few nodes is certain only with numbers on both sides; as many as there are is enough.
func TestTooManyNodes(t *testing.T) {
	const unsure = "its partition has too few nodes that are up, or allows a job fewer"
	for _, tt := range []struct {
		asks  string
		has   size
		why   string
		never bool
	}{
		{"5", size{nodes: 4}, "asks for 5 nodes, partition p has 4", true},
		{"5", size{nodes: 4, most: 2}, "asks for 5 nodes, partition p has 4", true},
		{"3", size{nodes: 4, most: 2}, "asks for 3 nodes, partition p allows 2", true},
		{"4", size{nodes: 4}, unsure, false}, {"2", size{nodes: 4, most: 2}, unsure, false},
		{"5", size{}, unsure, false},
		{"4-8", size{nodes: 2}, unsure, false}, {"", size{nodes: 2}, unsure, false},
	} {
		why, never := queued{nodes: tt.asks, partition: "p"}.tooManyNodes(tt.has)
		if why != tt.why || never != tt.never {
			t.Errorf("%s of %+v: %q, %v", tt.asks, tt.has, why, never)
		}
	}
}

// A partition's size is read after the name of a cluster, with bounds in every form; what is odd is not known.
func TestPartitionSize(t *testing.T) {
	for printed, want := range map[string]size{
		"16|1-4|1:00:00": {16, 4, "1:00:00"}, "16|4|infinite": {16, 4, "infinite"}, "16|1-infinite|x": {16, 0, "x"},
		"CLUSTER: east\n8|1-2|5": {8, 2, "5"}, "16|4": {}, "": {}, "x|y|z": {0, 0, "z"},
	} {
		pretend(t, "sinfo", `case "$*" in *--partition=p*--clusters=east) printf '%s\n' '`+printed+`';; esac`)
		got := Slurm{}.partition(t.Context(), scheduler.Job{Cluster: "east"}, "p")
		if got != want {
			t.Errorf("%q: %+v, want %+v", printed, got, want)
		}
	}
	if got := (Slurm{}).partition(t.Context(), scheduler.Job{}, ""); got != (size{}) {
		t.Errorf("no partition has %+v", got)
	}
}

// That a job never starts outdoes any hour that Slurm expects.
func TestNoStartForHopelessJobs(t *testing.T) {
	for reason, known := range map[string]bool{"Priority": true, "BadConstraints": false} {
		var st protocol.JobState
		q := queued{reason: reason, start: "2026-11-27T13:40:00"}
		Slurm{}.explain(t.Context(), scheduler.Job{}, q, &st)
		if st.Starts.IsZero() == known || st.Never == known {
			t.Errorf("%s: %+v", reason, st)
		}
	}
}

// The last id in what sbatch prints counts, and only one that stands alone.
func TestJobID(t *testing.T) {
	for printed, want := range map[string]string{
		"17": "17", "17;east": "17 east", " 17 \r\n": "17", "3\n17;west\n": "17 west", "17;west\n3": "3",
		"17 18": "", "x17": "",
		"-17": "", "17;": "", "Submitted batch job 17 on cluster a": "17 a", "submitted batch job 17": "", "": "",
	} {
		id, cluster, ok := jobID(printed)
		if got := strings.TrimSpace(id + " " + cluster); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v, want %q", printed, got, ok, want)
		}
	}
}

// An id is digits and a cluster has no blanks, whatever is printed: both become arguments of commands.
func FuzzJobID(f *testing.F) {
	f.Add("17;east\n")
	f.Add("Submitted batch job 4 on cluster x y\n5;\x00")
	f.Fuzz(func(t *testing.T, printed string) {
		id, cluster, ok := jobID(printed)
		if ok != (id != "") || strings.Trim(id, "0123456789") != "" || strings.ContainsAny(cluster, " \t\r\n") {
			t.Errorf("%q: %q, %q, %v", printed, id, cluster, ok)
		}
		if again, of, _ := jobID(id + ";" + cluster); ok && cluster != "" && (again != id || of != cluster) {
			t.Errorf("%q: %q of %q is read as %q of %q", printed, id, cluster, again, of)
		}
	})
}
