package slurm

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// queueFormat is what squeue is asked for: state, reason, expected start, number of nodes, time limit, partition.
const queueFormat = "%T|%r|%S|%D|%l|%P"

// queued is a line of squeue in that format.
type queued struct{ word, reason, start, nodes, limit, partition string }

// queuedJob reads a line. What follows the reason may be missing.
func queuedJob(line string) (q queued, ok bool) {
	f := strings.Split(line, "|")
	if len(f) < 2 {
		return q, false
	}
	f = append(f, "", "", "", "")
	return queued{word: f[0], reason: f[1], start: f[2], nodes: f[3], limit: f[4], partition: f[5]}, true
}

// reasons says in plain words why a job waits, by Slurm's word for it; see its man page squeue(1), "JOB REASON CODES".
var reasons = map[string]string{
	"None":                 "has not been looked at yet",
	"Resources":            "waits for free nodes",
	"Priority":             "jobs of a higher priority come first",
	"Dependency":           "waits for another job",
	"BeginTime":            "is to begin later",
	"Licenses":             "waits for a licence",
	"Reservation":          "waits for its reservation to begin",
	"NodeDown":             "a node that it needs is down",
	"PartitionDown":        "its partition is down",
	"PartitionInactive":    "its partition starts no jobs",
	"JobHeldUser":          "is held by its user: scontrol release starts it",
	"JobHeldAdmin":         "is held by an administrator",
	"JobLaunchFailure":     "could not be started on its nodes, and is held",
	"JobHoldMaxRequeue":    "was requeued too often, and is held",
	"NonZeroExitCode":      "failed, and is held",
	"Prolog":               "its nodes are being prepared",
	"Cleaning":             "is being cleaned up to be queued again",
	"BurstBufferResources": "waits for room in the burst buffer",
	"BurstBufferStageIn":   "its data are being staged in",
	"FedJobLock":           "another cluster of the federation looks at it",
	"JobArrayTaskLimit":    "as many tasks of its array run as may",
	"ReqNodeNotAvail":      "a node that it needs is not available",
	"SystemFailure":        "Slurm failed, and has to be looked after",
	"WaitingForScheduling": "has not been looked at yet",
	"MaxRequeue":           "was requeued too often, and is held",
	"ReservationInactive":  "waits for its reservation to become active",
}

// hopeless are reasons that do not pass: the job asks for what it will not get.
var hopeless = map[string]string{
	"PartitionTimeLimit":            "asks for more time than its partition allows",
	"DependencyNeverSatisfied":      "waits for another job that did not end as it was to",
	"BadConstraints":                "no node has what it asks for",
	"InvalidAccount":                "its account is not valid",
	"InvalidQOS":                    "its QOS is not valid",
	"AccountNotAllowed":             "its account may not use the partition",
	"QOSNotAllowed":                 "its QOS may not be used in the partition",
	"ReservationDeleted":            "its reservation is gone",
	"AssociationTimeLimit":          "asks for more time than its account allows",
	"AssocMaxWallDurationPerJob":    "asks for more time than its account allows",
	"QOSMaxWallDurationPerJobLimit": "asks for more time than its QOS allows",
	"QOSTimeLimit":                  "asks for more time than its QOS allows",
	"DeadLine":                      "cannot end before its deadline",
}

// limits says what Slurm's words for limits of accounts and of a QOS mean; the first that is part of a word counts.
var limits = []struct {
	part, words string
	never       bool
}{
	{"MinCpu", "asks for fewer CPUs than its QOS wants", true},
	{"PerJob", "asks for more in one job than %s allows", true},
	{"MaxJobs", "as many jobs run as %s allows", false},
	{"MaxSubmit", "as many jobs are queued as %s allows", false},
	{"Job", "as many jobs run as %s allows", false},
	{"", "%s has used what it may use at a time", false},
}

// inWords says why a job waits, and whether that does not pass; "" if the word is not known.
func inWords(reason string) (why string, never bool) {
	word, detail, _ := strings.Cut(reason, ",")
	if why, ok := hopeless[word]; ok {
		return why, true
	}
	if why, ok := reasons[word]; ok {
		if detail = strings.TrimSpace(detail); detail != "" {
			why += " (" + detail + ")"
		}
		return why, false
	}
	if strings.HasPrefix(reason, "Nodes required for job are ") {
		return "nodes that it needs are down, drained or reserved", false
	}
	for prefix, whose := range map[string]string{"Assoc": "its account", "QOS": "its QOS"} {
		if !strings.HasPrefix(word, prefix) {
			continue
		}
		for _, l := range limits {
			if strings.Contains(word, l.part) {
				return strings.Replace(l.words, "%s", whose, 1), l.never
			}
		}
	}
	return "", false
}

// explain says in plain words why a job waits, whether it can ever start, and when Slurm expects that.
func (s Slurm) explain(ctx context.Context, j scheduler.Job, q queued, st *protocol.JobState) {
	st.Why, st.Never = inWords(q.reason)
	switch q.reason {
	case "PartitionNodeLimit":
		st.Why, st.Never = q.tooManyNodes(s.partition(ctx, j, q.partition))
	case "PartitionTimeLimit":
		if has := s.partition(ctx, j, q.partition); has.time != "" && q.limit != "" {
			st.Why = fmt.Sprintf("asks for %s, partition %s allows %s", q.limit, q.partition, has.time)
		}
	}
	if at, err := time.ParseInLocation("2006-01-02T15:04:05", q.start, time.Local); err == nil && !st.Never {
		st.Starts = at
	}
}

// tooManyNodes says why a job gets its nodes from no partition of that size: there are too few, or only for now.
func (q queued) tooManyNodes(has size) (why string, never bool) {
	asks, err := strconv.Atoi(q.nodes)
	switch {
	case err == nil && has.nodes > 0 && asks > has.nodes:
		return fmt.Sprintf("asks for %d nodes, partition %s has %d", asks, q.partition, has.nodes), true
	case err == nil && has.most > 0 && asks > has.most:
		return fmt.Sprintf("asks for %d nodes, partition %s allows %d", asks, q.partition, has.most), true
	}
	return "its partition has too few nodes that are up, or allows a job fewer", false
}

// size is what a partition has, and allows a job; what is not known, or has no bound, is zero.
type size struct {
	nodes, most int
	time        string
}

// partition asks for the size of a partition.
func (s Slurm) partition(ctx context.Context, j scheduler.Job, name string) (has size) {
	if name == "" || strings.Contains(name, ",") { // of several the job may yet get any
		return size{}
	}
	args := append([]string{"--noheader", "--partition=" + name, "--format=%D|%s|%l"}, clusters(j)...)
	out, err := s.run(ctx, "", "sinfo", args...)
	if err != nil {
		return size{}
	}
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 3 {
			continue // the name of a cluster
		}
		_, most, _ := strings.Cut(f[1], "-") // "1-4", "1-infinite", "4"
		has.nodes, _ = strconv.Atoi(f[0])
		has.most, _ = strconv.Atoi(cmp.Or(most, f[1]))
		has.time = f[2]
	}
	return has
}
