package slurm

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
)

// submitBound is how long a submission may take: sbatch itself tries for a while when the controller is busy.
const submitBound = 2 * time.Minute

// Submit submits the batch script from the run directory, which is where Slurm puts the job's output. When sbatch does
// not say clearly how it went, the job is looked for by its own unique name.
func (s Slurm) Submit(ctx context.Context, p plan.Plan) (scheduler.Job, error) {
	job := scheduler.Job{Name: p.JobName()}
	submit := s
	if submit.Bound == 0 {
		submit.Bound = submitBound
	}
	out, err := submit.run(ctx, p.RunDir, "sbatch", "--parsable", rundir.Dir(p.RunDir).Script())
	id, cluster, printed := jobID(out)
	job.Cluster = cluster
	if printed && err == nil {
		job.ID = id
		return job, nil
	}
	refused := !printed && unreached(err)
	if err == nil {
		err = fmt.Errorf("sbatch printed no job id but %q", strings.TrimSpace(out))
	}
	tries := findTries
	if refused { // to be sure: sbatch itself may have tried twice, and a site's wrapper may fail after sbatch did not
		tries = 1
	}
	found, ferr := s.findByName(ctx, job, tries)
	if ferr == nil && found != "" {
		job.ID = found
		return job, nil
	}
	if refused {
		return job, unavailable(err)
	}
	if ferr != nil {
		err = fmt.Errorf("%w; %w", err, ferr)
	}
	look, cancel := hints(job.Name)
	return job, fmt.Errorf("the job may run, although nobody knows whether it was queued: %w: look for it with %s, "+
		"end it with %s", err, look, cancel)
}

// unavailable says that no job was queued, and whether that may pass.
func unavailable(err error) error {
	if busy(err) {
		return fmt.Errorf("%w: %w: %w", scheduler.ErrUnavailable, scheduler.ErrBusy, err)
	}
	return fmt.Errorf("%w: %w", scheduler.ErrUnavailable, err)
}

// A job id stands alone in a line of what sbatch --parsable prints, with a cluster after a semicolon if there are
// several; a site's wrapper may print lines around it, or sbatch's usual sentence.
var (
	plainID    = lazyregexp.New(`^(\d+)(?:;(\S+))?$`)
	sentenceID = lazyregexp.New(`^Submitted batch job (\d+)(?: on cluster (\S+))?$`)
)

// jobID finds the job's id, and its cluster, in what sbatch printed.
func jobID(out string) (id, cluster string, ok bool) {
	for line := range strings.Lines(out) {
		for _, pattern := range []*regexp.Regexp{plainID(), sentenceID()} {
			if m := pattern.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				id, cluster, ok = m[1], m[2], true // the last one: a wrapper may print numbers of its own before it
			}
		}
	}
	return id, cluster, ok
}

// How long a job whose submission was unclear is looked for: the controller may be about to queue it.
const (
	findTries = 4
	findPause = 2 * time.Second
)

// findByName looks for a job of ours in the queue, some times; "" if it is not there. What a site prints around the id
// is none.
func (s Slurm) findByName(ctx context.Context, j scheduler.Job, tries int) (id string, err error) {
	args := append([]string{"--noheader", "--states=all", "--name=" + j.Name, "--format=%i"}, clusters(j)...)
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return "", context.Cause(ctx)
			case <-time.After(findPause):
			}
		}
		var out string
		if out, err = s.run(ctx, "", "squeue", args...); err != nil {
			continue
		}
		for line := range strings.Lines(out) {
			if m := plainID().FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				id = m[1]
			}
		}
		if id != "" {
			return id, nil
		}
	}
	return "", err
}

// clusters is the option that names the job's cluster.
func clusters(j scheduler.Job) []string {
	if j.Cluster == "" {
		return nil
	}
	return []string{"--clusters=" + j.Cluster}
}

// State asks the queue for a job. That it is not there is told as ended, which needs a second witness; an answer that
// says nothing is Unknown.
func (s Slurm) State(ctx context.Context, j scheduler.Job) (protocol.JobState, error) {
	args := append([]string{"--noheader", "--states=all", "--jobs=" + j.ID, "--format=" + queueFormat}, clusters(j)...)
	out, err := s.run(ctx, "", "squeue", args...)
	if err != nil {
		if strings.Contains(err.Error(), "Invalid job id") {
			return protocol.JobState{Phase: protocol.JobEnded}, nil // long gone, or never there
		}
		return protocol.JobState{}, err
	}
	for line := range strings.Lines(out) {
		q, ok := queuedJob(strings.TrimSpace(line))
		if !ok {
			continue // the name of a cluster, or what a site prints
		}
		phase := phaseOf(q.word)
		if phase == protocol.JobUnknown {
			return protocol.JobState{}, nil // the queue has it, in a state that another version has a word for
		}
		st := state(phase, q.word, q.reason)
		if phase == protocol.JobQueued {
			s.explain(ctx, j, q, &st)
		}
		return st, nil
	}
	return protocol.JobState{Phase: protocol.JobEnded}, nil // an empty answer: gone, or the controller is busy
}

func state(phase protocol.JobPhase, word, reason string) protocol.JobState {
	if reason == "None" {
		reason = ""
	}
	// The node could not even open the job's output: it does not see the run directory, or is broken.
	s := protocol.JobState{Phase: phase, Word: word, Reason: reason, NeverRan: reason == "JobLaunchFailure"}
	switch word {
	case "CANCELLED", "PREEMPTED", "REVOKED":
		s.Cause = protocol.CauseCancelled
	case "TIMEOUT", "DEADLINE":
		s.Cause = protocol.TimeLimit
	}
	return s
}

// phaseOf reads one of Slurm's words for a job's state.
func phaseOf(word string) protocol.JobPhase {
	switch word {
	case "PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD":
		return protocol.JobQueued
	case "RUNNING", "CONFIGURING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "POWER_UP_NODE":
		return protocol.JobRunning
	case "COMPLETING", "STAGE_OUT":
		return protocol.JobEnding
	case "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE",
		"OUT_OF_MEMORY", "REVOKED",
		"LAUNCH_FAILED", "RECONFIG_FAIL":
		return protocol.JobEnded
	}
	return protocol.JobUnknown
}

// History asks accounting for a job, and the controller for the note that was left with it.
func (s Slurm) History(ctx context.Context, j scheduler.Job) (protocol.JobState, error) {
	args := append([]string{
		"--allocations", "--noheader", "--parsable2", "--jobs=" + j.ID, "--format=State",
	}, clusters(j)...)
	out, err := s.run(ctx, "", "sacct", args...)
	st := protocol.JobState{}
	for line := range strings.Lines(out) {
		// "CANCELLED by 1000"; of a requeued job the last line counts
		if words := strings.Fields(line); len(words) > 0 {
			if phase := phaseOf(words[0]); phase != protocol.JobUnknown {
				st = state(phase, words[0], "")
			}
		}
	}
	st.Note = s.note(ctx, j)
	return st, err
}

// note is the text that the job left with itself.
func (s Slurm) note(ctx context.Context, j scheduler.Job) string {
	out, err := s.run(ctx, "", "scontrol", append(clusters(j), "show", "job", j.ID)...)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "Comment="); ok {
			return text
		}
	}
	return ""
}

// Cancel asks Slurm to end a job.
func (s Slurm) Cancel(ctx context.Context, j scheduler.Job) error {
	if _, err := s.run(ctx, "", "scancel", append(clusters(j), j.ID)...); err != nil {
		return fmt.Errorf("cannot cancel job %s: %w", j.ID, err)
	}
	return nil
}

// hints are the commands by which people look for a job that may be in the queue under its name, and end it.
func hints(name string) (look, cancel string) { return "squeue -n " + name, "scancel -n " + name }
