package roles

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
)

// Case is what a test asks for, free of any engine: the sizes that the layout needs, the load that the benchmark
// applies, and the blocks that only the engine understands.
type Case struct {
	Name     string `json:"name"`           // the config's base name
	TestID   string `json:"test_id"`        // what stands between the brackets of test_e2e[…]
	Mode     string `json:"mode"`           // e2e, gen_only, gen_only_no_context, ctx_only
	Upload   bool   `json:"upload"`         // the test id asks for its results to be kept
	File     string `json:"file,omitempty"` // the case's YAML, copied into the run directory
	Model    string `json:"model"`          // upstream's key of the model, e.g. deepseek_r1_0528_fp4_v2
	ModelDir string `json:"model_dir,omitempty"`

	Precision     string   `json:"precision,omitempty"`
	SupportedGPUs []string `json:"supported_gpus,omitempty"`

	Load Load `json:"load"`

	GPUsPerNode int             `json:"gpus_per_node"`
	Servers     map[Kind]Server `json:"servers"` // of GEN and CTX

	WorkerConfig  map[Kind]string `json:"worker_config"`            // YAML, as the engine reads it
	ServerExtra   string          `json:"server_extra,omitempty"`   // YAML, merged into the coordinator's config
	Routers       map[Kind]string `json:"routers,omitempty"`        // YAML, the coordinator's router for a kind
	Env           map[Kind][]Var  `json:"env,omitempty"`            // in order; a later one wins
	NUMABind      bool            `json:"numa_bind,omitempty"`      // bind workers' memory to the CPU sockets
	TimeLimit     Duration        `json:"time_limit"`               // of the job
	ServerTimeout Duration        `json:"server_timeout,omitempty"` // upstream's bound on a server's life
}

// Load is what the benchmark applies.
type Load struct {
	Concurrency  []int   `json:"concurrency"` // one point each, in this order
	Rounds       int     `json:"rounds"`      // requests of a point = rounds * concurrency
	InputLength  int     `json:"input_length"`
	OutputLength int     `json:"output_length"`
	RangeRatio   float64 `json:"range_ratio"`
	Streaming    bool    `json:"streaming"`
	Dataset      string  `json:"dataset,omitempty"`
}

// Var is one environment variable.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Cluster is what agents must know of the cluster they run on.
type Cluster struct {
	Name       string            `json:"name"`
	MPI        string            `json:"mpi,omitempty"`       // srun's --mpi for roles that join MPI
	Interface  string            `json:"interface,omitempty"` // network interface that agents listen on; "": that of the host's name
	ModelsRoot string            `json:"models_root,omitempty"`
	Env        map[string]string `json:"env,omitempty"`   // templates; set for every child
	Unset      []string          `json:"unset,omitempty"` // patterns of variables that no child sees
	KillWait   Duration          `json:"kill_wait"`       // from Slurm's TERM to its KILL
}

// Preflight is what hosts must have before any model is loaded.
type Preflight struct {
	Off          []string `yaml:"off" json:"off,omitempty"`                       // checks that are left out; "all" for all of them
	MinDiskMiB   int64    `yaml:"min_disk_mib" json:"min_disk_mib,omitempty"`     // free where the run directory is; a tenth of it in the temporary folder
	MinMemoryMiB int64    `yaml:"min_memory_mib" json:"min_memory_mib,omitempty"` // free on every host
	MaxShmMiB    int64    `yaml:"max_shm_mib" json:"max_shm_mib,omitempty"`       // that may be left over in /dev/shm
	MaxSkew      Duration `yaml:"max_skew" json:"max_skew,omitempty"`             // between a host's clock and the hub's
}

// complete fills what was left open.
func (p *Preflight) complete() {
	for v, standard := range map[*int64]int64{&p.MinDiskMiB: 1024, &p.MinMemoryMiB: 512, &p.MaxShmMiB: 1024} {
		if *v == 0 {
			*v = standard
		}
	}
	fill(&p.MaxSkew, Duration(10*time.Second))
}

// Policy tells how a batch job and an engineer's session differ.
type Policy struct {
	StartAlone bool `json:"start_alone"` // roles that need nobody start before the hub is there
}

// Upload is where records go after the verdict.
type Upload struct {
	URL string `json:"url"` // sqlite:///path
}

// Plan is everything a job needs, resolved before it is submitted.
type Plan struct {
	Schema    int               `json:"schema"` // 1
	ID        string            `json:"id"`     // of the run, unique
	CreatedAt time.Time         `json:"created_at"`
	Tool      string            `json:"tool"` // version of the tool that made the plan
	RunDir    RunDir            `json:"run_dir"`
	Launcher  string            `json:"launcher"` // slurm or local
	Case      Case              `json:"case"`
	Checkout  string            `json:"checkout,omitempty"`
	Values    map[string]string `json:"values,omitempty"`
	Cluster   Cluster           `json:"cluster"`
	Recipe    Recipe            `json:"recipe"`
	Layout    Layout            `json:"layout"`
	Timeouts  Timeouts          `json:"timeouts"`
	Preflight Preflight         `json:"preflight"`
	Policy    Policy            `json:"policy"`
	Upload    Upload            `json:"upload"`
	Install   string            `json:"install,omitempty"` // command run once a node before any role
}

// Steps is how a role of the plan is run.
func (p Plan) Steps(r Role) Steps { return p.Recipe.Roles[r.Kind] }

// Needed lists the roles that a role's needs speak of, those that must have an address first.
func (p Plan) Needed(r Role) (address, ready []Role) {
	collect := func(kinds []Kind) (list []Role) {
		for _, k := range kinds {
			for _, pl := range p.Layout.OfKind(k) {
				list = append(list, pl.Role)
			}
		}
		return list
	}
	n := p.Steps(r).Needs
	return collect(n.Address), collect(n.Ready)
}

// Peers lists the roles whose services a role's leader must be able to reach while the benchmark runs.
func (p Plan) Peers(r Role) (peers []Role) {
	for _, k := range p.Steps(r).Peers {
		for _, pl := range p.Layout.OfKind(k) {
			if pl.Role != r {
				peers = append(peers, pl.Role)
			}
		}
	}
	return peers
}

// Complete fills what follows from the rest (layout, values, timeouts) and checks the whole.
func (p *Plan) Complete() error {
	var err error
	per := func(k Kind) TasksPer { return p.Recipe.Roles[k].Tasks }
	p.Layout, err = NewLayout(p.Case.GPUsPerNode, p.Case.Servers[Gen], p.Case.Servers[Ctx], per)
	if err != nil {
		return err
	}
	values := map[string]string{}
	for k, v := range p.Recipe.Values {
		values[k] = v
	}
	for k, v := range p.Values {
		if _, known := p.Recipe.Values[k]; !known {
			return fmt.Errorf("cannot set value %q: recipe %s has no such value", k, p.Recipe.Name)
		}
		values[k] = v
	}
	p.Values = values
	if err := p.Timeouts.complete(p.Case.TimeLimit, p.Cluster.KillWait); err != nil {
		return err
	}
	p.Preflight.complete()
	steps := map[Kind]Steps{}
	for k, s := range p.Recipe.Roles {
		steps[k] = s.complete(p.Timeouts.Probe)
	}
	p.Recipe.Roles = steps
	return errors.Join(p.checkCheckout(), p.rehearse())
}

func (p *Plan) checkCheckout() error {
	if len(p.Recipe.Checkout) == 0 {
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

// rehearse renders every template of the plan with made-up facts, so that a fault shows now and not on the nodes.
func (p *Plan) rehearse() error {
	for _, pl := range p.Layout.Placements {
		address, ready := p.Needed(pl.Role)
		peers := map[string]string{}
		for _, r := range slices.Concat(address, ready) {
			peers[r.String()] = "192.0.2.1:1" // TEST-NET-1: an address that is nobody's
		}
		id := Identity{Task: Task{Role: pl.Role}, Ranks: pl.Ranks, Node: "node", Host: "192.0.2.1"}
		facts := p.Facts(id, p.RunDir.Attempt(0), "run", "key")
		facts.Peers, facts.Address = peers, "192.0.2.1:1"
		if err := p.Steps(pl.Role).rehearse(facts); err != nil {
			return fmt.Errorf("recipe %s: roles.%s.%w", p.Recipe.Name, pl.Role.Kind, err)
		}
		for name, text := range p.Cluster.Env {
			if _, err := Render("env."+name, text, facts); err != nil {
				return fmt.Errorf("profile %s: env.%s: %w", p.Cluster.Name, name, err)
			}
		}
	}
	return nil
}

func (s Steps) rehearse(f Facts) error {
	texts := map[string]string{"dir": s.Dir, "release": s.Release}
	for _, file := range s.Files {
		texts["files."+file.Path] = file.Text
	}
	for k, v := range s.Env {
		texts["env."+k] = v
	}
	if s.Address != nil {
		texts["address"] = s.Address.File + s.Address.Text
	}
	commands := map[string][]Arg{"command": s.Command, "wrapper": s.Wrapper}
	for key, p := range s.probes() {
		maps.Copy(texts, p.texts(key))
		commands[key+".command"] = p.Command
	}
	if s.Results != nil {
		texts["results.files"] = s.Results.Files
	}
	for key, text := range texts {
		if _, err := Render(key, text, f); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for key, args := range commands {
		if _, err := RenderArgs(key, args, f); err != nil {
			return err
		}
	}
	return nil
}

// Facts puts together what templates can speak of, for one rank of one attempt.
func (p Plan) Facts(id Identity, a Attempt, runID, authKey string) Facts {
	return Facts{
		Case: p.Case, Values: p.Values, Checkout: p.Checkout, RunDir: string(p.RunDir), Cluster: p.Cluster,
		Role: id.Task.Role, Rank: id.Task.Rank, Ranks: id.Ranks, Node: id.Node, Host: id.Host,
		RunID: runID, AuthKey: authKey,
		Dirs: Dirs{
			Attempt: string(a), Logs: a.Logs(), Test: a.TestDir(p.Case.TestID), Output: a.Output(),
			Work: a.Work(id.Task),
		},
	}
}

// Write stores the plan in its run directory. A run directory holds one plan, for good.
func (p Plan) Write() error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode plan: %w", err)
	}
	if err := atomicfile.Create(p.RunDir.Plan(), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write plan: %w", err)
	}
	return nil
}

// ReadPlan reads a plan that was written by Write.
func ReadPlan(file string) (Plan, error) {
	var p Plan
	data, err := os.ReadFile(file)
	if err != nil {
		return p, fmt.Errorf("cannot read plan: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("cannot read plan %s: %w", file, err)
	}
	if p.Schema != 1 {
		return p, fmt.Errorf("cannot read plan %s: schema %d is not supported: want 1", file, p.Schema)
	}
	return p, nil
}
