package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/local"
	"github.com/disagg/disagg/pkg/upload"
)

// Request is what a person asks for.
type Request struct {
	Case     string // a YAML path, a config's base name, a test id, or a line of a test list
	Mode     string // "" follows the test id, then the config
	Folder   string // of configs; "": the checkout's
	Checkout string // of the engine
	Profile  string // name or file
	Recipe   string // name or file
	RunDir   string // "": a new folder below the profile's run_root, or runs/
	// Settings are values in place of what the recipe, or else the case, has.
	Settings       []roles.Setting
	Upload         []string       // URLs; none: the profile's, then the embedded default
	Gate           plan.Gate      // "": its results are compared with earlier ones, and nothing follows from that
	Tags           []string       // that the results are found by
	Note           string         // a remark that is kept with the results
	UploadRequired bool           // a passed test whose records are not sent does not end with 0
	Timeouts       roles.Timeouts // 0: derived
	Limit          roles.Duration // of the test, as a list says it; the job has it and Allowance. 0: it says none
	Allowance      roles.Duration // 0: the profile's, then a standard one
	Partition      string         // "": the profile's
	Account        string         // "": the profile's
	Pack           bool           // servers may share nodes; false: as the profile says
	Endpoints      bool           // agents answer /status and /metrics; false: as the profile says
	SampleGPUs     roles.Duration // how often GPUs are sampled; 0: as the profile says
	Exclude        []string       // nodes that the job must not get, besides the profile's
	Measurements   int            // of the case, on the same servers; 0: one
	Confirm        *bool          // a suspicious measurement; nil: if the gate fails runs
	ByHand         bool           // roles are started one by one by people
	Keep           plan.Keep      // whether servers stay for another measurement; "": they do by hand, if they can
	KeepFor        roles.Duration // how long, while nothing is measured; 0: until somebody ends it
	Version        string         // of the tool
	// Scheduler starts the job; nil: nothing will be started, so neither agent nor checkout must be there.
	Scheduler scheduler.Scheduler
	// Cache is shared by many requests; nil: there is none.
	Cache *Cache
	// Sinks check the upload's URL; nil: it is not checked here.
	Sinks upload.Registry

	nodes int            // of the allocation that it is for; 0: there is none
	grace roles.Duration // of the run that is joined; 0: the scheduler is asked
}

// Job is a plan that is ready to be started.
type Job struct {
	Plan      plan.Plan
	Kept      []byte // what the run keeps of the case: its text, with what was asked for written into it
	Scheduler scheduler.Scheduler
	// Request is what it was made from; FirstDir is the run directory of the first try, "" if this is it.
	Request  Request
	FirstDir string
	// OnBusy is told that the scheduler takes no jobs for now, and is asked again after a while; nil: nobody is.
	OnBusy func(err error, again time.Duration)
	// BusyPause is that while; 0: a standard one.
	BusyPause time.Duration
}

// Make resolves a request into a plan, and checks it. Nothing is written.
func (r Request) Make(ctx context.Context) (Job, error) {
	in, kept, err := r.input(ctx)
	if err != nil {
		return Job{}, err
	}
	p, err := r.build(ctx, in)
	return Job{Plan: p, Kept: kept, Scheduler: r.Scheduler, Request: r}, err
}

// input is what a plan is made of, and the case as it was read. The request takes in what its line of a test list says.
func (r *Request) input(ctx context.Context) (in plan.Input, kept []byte, err error) {
	note, err := r.fromLine()
	if err != nil {
		return in, nil, err
	}
	prof, err := r.profile()
	if err != nil {
		return in, nil, err
	}
	if r.Limit > 0 && r.Timeouts.Job == 0 {
		r.Timeouts.Job = r.Limit + cmp.Or(r.Allowance, prof.Allowance, defaultAllowance)
	}
	checkout, err := checkoutDir(r.Checkout)
	if err != nil {
		return in, nil, err
	}
	rec, c, kept, err := r.recipeAndCase(checkout, prof)
	if err != nil {
		return in, nil, err
	}
	in = plan.Input{
		ID: uuid.NewString(), CreatedAt: time.Now().UTC(), Tool: r.Version, Case: c, Checkout: checkout,
		Recipe: rec, Profile: prof.For(c.SupportedGPUs), Values: valuesOf(rec, c.Settings), Timeouts: r.Timeouts,
		Policy: plan.Policy{Interactive: r.ByHand, Measurements: r.Measurements, Keep: r.Keep, KeepFor: r.KeepFor},
	}
	if r.ByHand && r.Keep == "" {
		in.Policy.Keep = plan.KeepAlways
	}
	if err := r.resolve(ctx, &in); err != nil {
		return in, nil, err
	}
	if in.Gate, err = r.gate(); err != nil {
		return in, nil, err
	}
	in.Case.Notes = append(in.Case.Notes, unmounted(in)...)
	if note != "" {
		in.Case.Notes = append(in.Case.Notes, note)
	}
	return in, kept, nil
}

// build makes the plan, and sees that it can be run here.
func (r *Request) build(ctx context.Context, in plan.Input) (plan.Plan, error) {
	p, err := plan.Build(in)
	if err != nil {
		return p, err
	}
	if need := p.Layout.TotalNodes; r.nodes > 0 && need > r.nodes {
		return p, fmt.Errorf("cannot run in this allocation: the case needs %d nodes, and it has %d: ask for more, or "+
			"name another --launcher", need, r.nodes)
	}
	p.Provenance = r.provenance(ctx, p)
	p.Case.Document = document(p)
	hideSecrets(&p.Case)
	if err := checkCheckout(p, r.Scheduler == nil); err != nil {
		return p, err
	}
	if r.Scheduler != nil { // what the batch script refuses is said before anything is submitted
		_, err = r.Scheduler.Script(p)
	}
	return p, err
}

// profile is the profile with what was asked for.
func (r Request) profile() (profile.Profile, error) {
	prof, err := r.Cache.profile(r.Profile)
	if err != nil {
		return prof, err
	}
	prof.Partition, prof.Account = cmp.Or(r.Partition, prof.Partition), cmp.Or(r.Account, prof.Account)
	prof.Pack, prof.Endpoints = prof.Pack || r.Pack, prof.Endpoints || r.Endpoints
	prof.SampleGPUs = cmp.Or(r.SampleGPUs, prof.SampleGPUs)
	if len(r.Exclude) > 0 {
		prof.Exclude = strings.Join(slices.DeleteFunc(append([]string{prof.Exclude}, r.Exclude...), isEmpty), ",")
	}
	return prof, nil
}

func isEmpty(text string) bool { return text == "" }

// unmounted names paths that a container would not see where the host has them.
func unmounted(in plan.Input) (notes []string) {
	for _, f := range doctor.Mounts(in.Profile, in.Agent, in.RunDir, in.Checkout) {
		if f.Level != doctor.OK {
			notes = append(notes, f.Text+": "+f.Do)
		}
	}
	return notes
}

// resolve fills in what depends on this machine: the run directory, the grace period, the agent and the sink.
func (r Request) resolve(ctx context.Context, in *plan.Input) (err error) {
	if in.RunDir, err = r.runDir(runRoot(in.Profile), folderName(in.Case.Name, in.CreatedAt, in.ID)); err != nil {
		return err
	}
	in.Case.File = filepath.Join(in.RunDir, "case", in.Case.Name+".yaml")
	if r.Scheduler != nil {
		in.Launcher = r.Scheduler.Name()
		if in.OneMachine = in.Launcher == local.Name; in.OneMachine {
			in.Profile.Interface, in.Profile.MPI = "lo", ""
		}
		if in.Agent, err = agentPath(in.Profile); err != nil {
			return err
		}
		if in.Profile.KillWait == 0 {
			in.Profile.KillWait = r.grace
		}
		if in.Profile.KillWait == 0 {
			grace, _ := r.Scheduler.Grace(ctx) // where it cannot be found out the usual one stands in
			in.Profile.KillWait = roles.Duration(grace)
		}
	}
	if in.Profile.KillWait == 0 {
		in.Profile.KillWait = roles.Duration(defaultGrace)
	}
	return r.sinks(in)
}

// sinks chooses where records go.
func (r Request) sinks(in *plan.Input) error {
	urls := r.Upload
	if len(urls) == 0 {
		urls = in.Profile.Upload
	}
	if len(urls) == 0 {
		u, err := upload.DefaultURL()
		if err != nil {
			return err
		}
		urls = []string{u}
	}
	in.Upload.Required = r.UploadRequired
	for _, u := range urls {
		if slices.ContainsFunc(in.Upload.Sinks, func(s plan.Sink) bool { return s.URL == u }) {
			return fmt.Errorf("cannot upload to %s twice: leave one out", u)
		}
		if r.Sinks != nil {
			if err := r.Sinks.Check(u); err != nil {
				return err
			}
		}
		in.Upload.Sinks = append(in.Upload.Sinks, plan.Sink{URL: u, Local: r.Sinks.Local(u)})
	}
	return nil
}

// defaultAllowance is for what a job does besides its test: loading an image, installing and ending.
const defaultAllowance = roles.Duration(30 * time.Minute)

// defaultGrace is Slurm's own default.
const defaultGrace = 30 * time.Second

func checkoutDir(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot use checkout %s: %w", dir, err)
	}
	if info, err := os.Stat(abs); err != nil || !info.IsDir() {
		return "", fmt.Errorf("cannot use checkout %s: no such folder: check --trtllm-dir", dir)
	}
	return abs, nil
}

// checkCheckout makes sure that the checkout has what the recipe needs. Where nothing is started a checkout may be
// left out.
func checkCheckout(p plan.Plan, optional bool) error {
	if len(p.Recipe.Checkout) == 0 || p.Checkout == "" && optional {
		return nil
	}
	if p.Checkout == "" {
		return fmt.Errorf("cannot plan: recipe %s needs the engine's checkout: pass --trtllm-dir DIR", p.Recipe.Name)
	}
	for _, f := range p.Recipe.Checkout {
		if _, err := os.Stat(filepath.Join(p.Checkout, f)); err != nil {
			return fmt.Errorf("cannot use checkout %s: it has no %s: check --trtllm-dir", p.Checkout, f)
		}
	}
	return nil
}

// RunRoot is the folder that run directories are made in, unless they are named: the profile's, or runs/ where this
// process is.
func (r Request) RunRoot() (string, error) {
	prof, err := r.Cache.profile(r.Profile)
	return runRoot(prof), err
}

func runRoot(prof profile.Profile) string { return cmp.Or(prof.RunRoot, "runs") }

// folderName is the name of a run's folder where none was asked for: what is run, when, and the run's short id.
func folderName(caseName string, at time.Time, id string) string {
	name := regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(caseName, "_")
	return name + "-" + at.Local().Format("20060102-150405") + "-" + plan.ShortID(id)
}

// runDir is the run directory that was asked for, else the folder of that name below a root.
func (r Request) runDir(root, name string) (string, error) {
	dir := r.RunDir
	if dir == "" {
		dir = filepath.Join(root, name)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot use run directory %s: %w", dir, err)
	}
	if strings.Contains(abs, `\`) || profile.HasControl(abs) {
		return "", fmt.Errorf("cannot use run directory %q: its path has a backslash or a control character, "+
			"which schedulers do not take: name another with --run-dir", abs)
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		return "", fmt.Errorf("cannot use run directory %s: it is a file: name another with --run-dir", dir)
	}
	return abs, nil
}

// agentPath finds disagg-agent: as the profile says, else beside this program.
func agentPath(prof profile.Profile) (string, error) {
	if prof.Agent != "" {
		return prof.Agent, nil
	}
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", fmt.Errorf("cannot find disagg-agent: %w", err)
	}
	agent := filepath.Join(filepath.Dir(self), "disagg-agent")
	if prof.Arch != "" && prof.Arch != runtime.GOARCH {
		agent += "-" + prof.Arch
	}
	if _, err := os.Stat(agent); err != nil {
		return "", fmt.Errorf("cannot find %s beside %s: install both together, or name it in the profile (agent)",
			filepath.Base(agent), self)
	}
	return agent, nil
}

// errNoScheduler is a job that was made without one.
var errNoScheduler = errors.New("cannot start: no scheduler was chosen")
