package slurm

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/plan"
)

// visitMinutes is the limit of a visit's job: it takes one, and may have to load an image.
const visitMinutes = 15

// ofBatch are options of a job that only sbatch understands.
var ofBatch = [...]string{
	"--output", "--open-mode", "--signal", "--job-name", "--nodes", "--time", "--requeue", "--no-requeue", "--parsable",
	"--wait", "--array", "--export-file", "--ignore-pbs", "--get-user-env", "--test-only", "--wrap",
}

// Visit implements scheduler.Examiner: srun makes a job of its own, or a step in the allocation that this shell has. A
// container has no name: it must not outlive the visit.
func (s Slurm) Visit(p plan.Plan, nodes int, args ...string) *exec.Cmd {
	if c := p.Cluster.Container; c != nil {
		unnamed := *c
		unnamed.Name = ""
		p.Cluster.Container = &unnamed
	}
	p.Layout.TotalNodes, p.Series = nodes, nil
	n := strconv.Itoa(nodes)
	argv := []string{
		"--job-name=doctor", "--nodes=" + n, "--ntasks=" + n, "--ntasks-per-node=1", "--input=none",
		"--kill-on-bad-exit=0", "--mpi=none",
	}
	env := jobEnv(s.environ(), p)
	if _, _, err := s.Job(); err == nil {
		argv = append(argv, "--overlap")
	} else {
		env = cleanEnv(s.environ())
		argv = append(argv, "--time="+strconv.Itoa(visitMinutes))
		for _, o := range batchOptions(p) {
			if !slices.Contains(ofBatch[:], o.name) {
				argv = append(argv, o.argument())
			}
		}
	}
	command := append(append(p.Cluster.Container.Exec(), p.Agent), args...)
	cmd := exec.Command("srun", slices.Concat(argv, commonArgs(p, ""), command)...)
	cmd.Env = env
	return cmd
}

// argument is an option as it stands on a command line.
func (o option) argument() string {
	if o.value == "" {
		return o.name
	}
	return o.name + "=" + o.value
}

// startsAt finds in what sbatch says of a test when the job would start, and where.
var startsAt = lazyregexp.New(`to start at (\S+) .*on nodes (\S+) in partition`)

// wouldTake asks whether the controller would take the job, and when it would start.
func (s Slurm) wouldTake(ctx context.Context, p plan.Plan) []doctor.Finding {
	const check = "job"
	args := []string{"--test-only", "--wrap=true"}
	for _, o := range batchOptions(p) {
		if o.name != "--output" && o.name != "--open-mode" {
			args = append(args, o.argument())
		}
	}
	_, said, err := s.runBoth(ctx, "", "sbatch", args...)
	if errors.Is(err, errNoAnswer) || err != nil && (!unreached(err) || busy(err)) {
		return unanswered(check, err)
	}
	if err != nil {
		f := doctor.Bad(check, s.remedy(ctx, err.Error()), "Slurm would not take the job: %s", refusal(err))
		f.Refused = true
		return []doctor.Finding{f}
	}
	text := strconv.Itoa(p.JobNodes()) + " nodes for " + clock(p.JobTime())
	if m := startsAt().FindStringSubmatch(said); m != nil {
		if at, err := time.ParseInLocation("2006-01-02T15:04:05", m[1], time.Local); err == nil {
			return []doctor.Finding{doctor.Good(check, "%s would start about %s, on %s", text, at.Format("Jan 2 15:04"),
				m[2])}
		}
	}
	return []doctor.Finding{doctor.Good(check, "Slurm would take the job: %s", text)}
}

// refusal is why sbatch refuses, without what it says around that.
func refusal(err error) string {
	var failed *commandError
	if !errors.As(err, &failed) || failed.said == "" {
		return err.Error()
	}
	const mark = "allocation failure: "
	if at := strings.LastIndex(failed.said, mark); at >= 0 {
		return failed.said[at+len(mark):]
	}
	return failed.said
}

// remedies say what to do about a refusal, by a word of it.
var remedies = [...]struct{ word, do string }{
	{"account", "correct account in the profile, or pass --account"},
	{"qos", "correct qos in the profile"},
	{"reservation", "correct reservation in the profile"},
	{"license", "correct licenses in the profile"},
	{"feature", "correct constraint in the profile"},
	{"gres", "correct gpus in the profile: gpus-per-node, gres or none"},
	{"time limit", "pass a lower --time"},
	{"partition", "correct partition in the profile, or pass --partition"},
	{"node configuration", "ask for what the partition's nodes have: GPUs (gpus), constraint, fewer nodes"},
	{"option", "correct sbatch_args in the profile"},
}

// remedy is what to do about a refusal. Of accounts the user's own are named, if that can be found out.
func (s Slurm) remedy(ctx context.Context, said string) string {
	said = strings.ToLower(said)
	for _, r := range remedies {
		if !strings.Contains(said, r.word) {
			continue
		}
		if r.word == "account" {
			if list, err := s.ownAccounts(ctx); err == nil && len(list) > 0 {
				return r.do + " (yours: " + strings.Join(list, ", ") + ")"
			}
		}
		return r.do
	}
	return ""
}
