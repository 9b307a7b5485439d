package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/slurm"
	"github.com/disagg/disagg/pkg/upload"
)

// The launchers.
const (
	Slurm = "slurm"
	Local = "local"
)

// Request is what somebody asks for.
type Request struct {
	Case      string            // a YAML path, a config's base name, or a test id
	Mode      string            // "" follows the test id, then the config
	Checkout  string            // of the engine
	Profile   string            // name or file
	Recipe    string            // name or file
	RunDir    string            // "": a new folder below runs/
	Launcher  string            // slurm or local; "": nothing will be started, so neither agent nor checkout must be there
	Values    map[string]string // of the recipe
	Upload    string            // URL; "": the profile's, then the embedded default
	Timeouts  roles.Timeouts    // 0: derived
	Partition string            // "": the profile's
	Account   string            // "": the profile's
	ByHand    bool              // roles are started one by one by people
	Version   string            // of the tool
}

// Job is a plan with what starting it needs.
type Job struct {
	Plan    roles.Plan
	Profile slurm.Profile
	Agent   string // path of disagg-agent
}

// Make resolves a request into a plan, and checks it. Nothing is written.
func (r Request) Make(ctx context.Context) (Job, error) {
	prof, err := slurm.LoadProfile(r.Profile)
	if err != nil {
		return Job{}, err
	}
	if r.Partition != "" {
		prof.Partition = r.Partition
	}
	if r.Account != "" {
		prof.Account = r.Account
	}
	recipe, err := roles.LoadRecipe(r.Recipe)
	if err != nil {
		return Job{}, err
	}
	checkout, err := checkoutDir(r.Checkout)
	if err != nil {
		return Job{}, err
	}
	c, err := perfsanity.Load(perfsanity.Source{Name: r.Case, Mode: r.Mode, Checkout: checkout, ModelsRoot: prof.ModelsRoot})
	if err != nil {
		return Job{}, err
	}
	p := roles.Plan{
		Schema: 1, ID: uuid.NewString(), CreatedAt: time.Now().UTC(), Tool: r.Version, Launcher: r.Launcher,
		Case: c, Checkout: checkout, Recipe: recipe, Cluster: prof.Cluster(), Timeouts: r.Timeouts,
		Values: mergeValues(prof.Values, r.Values, recipe), Policy: roles.Policy{StartAlone: r.ByHand}, Install: prof.Install, Preflight: prof.Preflight,
	}
	if p.Timeouts.Job == 0 {
		p.Timeouts.Job = prof.Time
	}
	if err := r.resolve(ctx, &p, prof); err != nil {
		return Job{}, err
	}
	if r.Launcher == "" {
		if p.Checkout == "" {
			p.Recipe.Checkout = nil
		}
		return Job{Plan: p, Profile: prof}, p.Complete()
	}
	agent, err := agentPath(prof)
	return Job{Plan: p, Profile: prof, Agent: agent}, errors.Join(err, p.Complete())
}

// resolve fills what depends on this machine: the run directory, the cluster's KillWait and the default sink.
func (r Request) resolve(ctx context.Context, p *roles.Plan, prof slurm.Profile) (err error) {
	if p.RunDir, err = r.runDir(p.Case.Name, p.CreatedAt); err != nil {
		return err
	}
	if p.Launcher == Local {
		p.Cluster.Interface, p.Cluster.MPI = "lo", ""
	}
	if p.Cluster.KillWait == 0 {
		p.Cluster.KillWait = roles.Duration(defaultKillWait)
		if p.Launcher == Slurm {
			kw, err := slurm.Client{}.KillWait(ctx)
			if err != nil && !errors.Is(err, slurm.ErrAway) {
				return err
			}
			if err == nil {
				p.Cluster.KillWait = roles.Duration(kw)
			}
		}
	}
	p.Upload.URL = r.Upload
	if p.Upload.URL == "" {
		p.Upload.URL = prof.Upload
	}
	if p.Upload.URL == "" {
		p.Upload.URL, err = upload.DefaultURL()
		return err
	}
	return upload.Check(p.Upload.URL)
}

// defaultKillWait is Slurm's own default. It stands in on this machine and where the cluster cannot be asked.
const defaultKillWait = 30 * time.Second

// mergeValues lets the request win over the profile. A profile may know values of recipes other than this one.
func mergeValues(profile, request map[string]string, recipe roles.Recipe) map[string]string {
	values := map[string]string{}
	for k, v := range profile {
		if _, known := recipe.Values[k]; known {
			values[k] = v
		}
	}
	for k, v := range request {
		values[k] = v
	}
	return values
}

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

func (r Request) runDir(caseName string, at time.Time) (roles.RunDir, error) {
	dir := r.RunDir
	if dir == "" {
		name := regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(caseName, "_")
		dir = filepath.Join("runs", name+"-"+at.Local().Format("20060102-150405.000"))
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cannot use run directory %s: %w", dir, err)
	}
	if strings.ContainsAny(abs, "\n\r\\") {
		return "", fmt.Errorf("cannot use run directory %q: its path has a backslash or a line break, which Slurm does not take", abs)
	}
	return roles.RunDir(abs), nil
}

// agentPath finds disagg-agent: as the profile says, else beside this program.
func agentPath(prof slurm.Profile) (string, error) {
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
	if _, err := os.Stat(agent); err != nil {
		return "", fmt.Errorf("cannot find disagg-agent beside %s: install both together, or name it in the profile (agent)", self)
	}
	return agent, nil
}
