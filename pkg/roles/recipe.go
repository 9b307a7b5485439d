package roles

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// Recipe is how an engine's roles are started. Every string in it is a template over [Facts] (text/template), rendered
// on the node just before the role starts, and once with made-up facts when the plan is made, so that a fault shows
// before a job queues.
type Recipe struct {
	Schema   int               `yaml:"schema" json:"schema"` // 1
	Name     string            `yaml:"name" json:"name"`
	About    string            `yaml:"about" json:"about"`
	Values   map[string]string `yaml:"values" json:"values,omitempty"`     // defaults of .Values; --set and a profile override them
	Checkout []string          `yaml:"checkout" json:"checkout,omitempty"` // files that must exist in the engine's checkout; none: needs no checkout
	Env      map[string]string `yaml:"env" json:"env,omitempty"`           // for every role
	Roles    map[Kind]Steps    `yaml:"roles" json:"roles"`
}

// Steps is how one kind of role is prepared, started, probed and stopped.
type Steps struct {
	Tasks   TasksPer          `yaml:"tasks" json:"tasks"`
	MPI     bool              `yaml:"mpi" json:"mpi,omitempty"`         // joins PMIx, keeps the launcher's variables
	Needs   Needs             `yaml:"needs" json:"needs,omitempty"`     // what must hold before it starts
	Dir     string            `yaml:"dir" json:"dir,omitempty"`         // working directory; "" is the rank's own
	Files   []File            `yaml:"files" json:"files,omitempty"`     // written before the start
	Wrapper []Arg             `yaml:"wrapper" json:"wrapper,omitempty"` // put before the command: a rank launcher
	Command []Arg             `yaml:"command" json:"command"`
	Env     map[string]string `yaml:"env" json:"env,omitempty"`
	Address *Address          `yaml:"address" json:"address,omitempty"` // where the service listens; leader only
	Startup *Probe            `yaml:"startup" json:"startup,omitempty"` // must have succeeded before ready is asked; leader only
	Ready   *Probe            `yaml:"ready" json:"ready,omitempty"`     // none: ready once started; leader only
	Live    *Probe            `yaml:"live" json:"live,omitempty"`       // asked once it is ready; none: it lives while its process does
	Peers   []Kind            `yaml:"peers" json:"peers,omitempty"`     // whose services its leader must be able to reach while the benchmark runs
	Stall   *Stall            `yaml:"stall" json:"stall,omitempty"`     // progress that its log must show while the benchmark runs; never on by default
	Stop    Stop              `yaml:"stop" json:"stop"`
	Release string            `yaml:"release" json:"release,omitempty"` // BENCHMARK: once this file exists the servers are no longer needed, and their exit is no failure
	Results *Results          `yaml:"results" json:"results,omitempty"` // BENCHMARK: where its measurements are
}

// Needs is what must hold of other kinds before a role is started.
type Needs struct {
	Address []Kind `yaml:"address" json:"address,omitempty"` // every role of these kinds has published its address
	Ready   []Kind `yaml:"ready" json:"ready,omitempty"`     // every role of these kinds is ready
}

// File is written on the node before the role starts.
type File struct {
	Path string `yaml:"path" json:"path"` // relative to the rank's own directory
	Text string `yaml:"text" json:"text"`
}

// Arg is one element of a command. It is either a text, which becomes one argument (or none, if it renders empty), or
// `words`, a text that is split as a shell would split it.
type Arg struct {
	Text  string `json:"text,omitempty"`
	Words string `json:"words,omitempty"`
}

// UnmarshalYAML accepts `text` and `{words: text}`.
func (a *Arg) UnmarshalYAML(n *yamlfile.Node) error {
	if n.Decode(&a.Text) == nil {
		return nil
	}
	var m map[string]string
	if err := n.Decode(&m); err != nil || len(m) != 1 || m["words"] == "" {
		return &yamlfile.Error{Line: n.Line, Problem: "want a text or {words: text}"}
	}
	a.Words = m["words"]
	return nil
}

// Address is where a service listens: a file that the service writes once it has bound, or a text known beforehand.
type Address struct {
	File string `yaml:"file" json:"file,omitempty"`
	Text string `yaml:"text" json:"text,omitempty"`
}

// Stop is how a role is asked to end.
type Stop struct {
	Signal string   `yaml:"signal" json:"signal"` // TERM or INT
	To     string   `yaml:"to" json:"to"`         // leader (the child alone), group, or command (what the wrapper runs)
	Grace  Duration `yaml:"grace" json:"grace"`   // before the next rung; the plan cuts it to the cluster's KillWait
	// Follow is how long ranks other than 0 are given to end by themselves when the work is done: MPI workers end with
	// their leader, and one that is killed instead makes PMIx kill the whole step. After a failure nobody waits.
	Follow Duration `yaml:"follow" json:"follow,omitempty"`
}

// Results tells where the benchmark leaves its measurements.
type Results struct {
	Format string `yaml:"format" json:"format"` // "trtllm": the result block of benchmark_serving
	Files  string `yaml:"files" json:"files"`   // with {index} for the index of the point
}

// Duration is a time.Duration that people write as "250ms".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration: want for example 250ms or 30s", text)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalYAML is UnmarshalText for a YAML file, so that a fault names its line.
func (d *Duration) UnmarshalYAML(n *yamlfile.Node) error {
	if err := d.UnmarshalText([]byte(n.Value)); err != nil {
		return &yamlfile.Error{Line: n.Line, Problem: err.Error()}
	}
	return nil
}

// MarshalText writes the duration as UnmarshalText reads it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

//go:embed recipes/*.yaml
var builtin embed.FS

// BuiltinRecipes lists the names of the recipes that come with the tool.
func BuiltinRecipes() []string {
	entries, _ := builtin.ReadDir("recipes")
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// LoadRecipe reads a recipe by the name of a built-in one or by the path of a file.
func LoadRecipe(nameOrFile string) (Recipe, error) {
	if slices.Contains(BuiltinRecipes(), nameOrFile) {
		data, err := builtin.ReadFile(path.Join("recipes", nameOrFile+".yaml"))
		if err != nil {
			return Recipe{}, fmt.Errorf("cannot read recipe %s: %w", nameOrFile, err)
		}
		return parseRecipe(nameOrFile+".yaml", data)
	}
	if !strings.ContainsRune(nameOrFile, filepath.Separator) && filepath.Ext(nameOrFile) == "" {
		return Recipe{}, fmt.Errorf("unknown recipe %q: want %s, or a path to a recipe file", nameOrFile, strings.Join(BuiltinRecipes(), ", "))
	}
	data, err := os.ReadFile(nameOrFile)
	if err != nil {
		return Recipe{}, fmt.Errorf("cannot read recipe: %w", err)
	}
	return parseRecipe(nameOrFile, data)
}

func parseRecipe(file string, data []byte) (Recipe, error) {
	var r Recipe
	if err := yamlfile.Decode(file, data, &r); err != nil {
		return Recipe{}, err
	}
	if err := r.validate(); err != nil {
		return Recipe{}, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

func (r Recipe) validate() error {
	var errs []error
	if r.Schema != 1 {
		errs = append(errs, fmt.Errorf("schema: %d is not supported: want 1", r.Schema))
	}
	for _, k := range Kinds() {
		s, ok := r.Roles[k]
		if !ok {
			errs = append(errs, fmt.Errorf("roles.%s: missing", k))
			continue
		}
		errs = append(errs, s.validate(k)...)
	}
	for k := range r.Roles {
		if !slices.Contains(Kinds(), k) {
			errs = append(errs, fmt.Errorf("roles.%s: unknown kind: want one of %v", k, Kinds()))
		}
	}
	return errors.Join(errs...)
}

func (s Steps) validate(k Kind) []error {
	var errs []error
	bad := func(key, problem string, args ...any) {
		errs = append(errs, fmt.Errorf("roles.%s.%s: %s", k, key, fmt.Sprintf(problem, args...)))
	}
	if len(s.Command) == 0 {
		bad("command", "missing")
	}
	if !slices.Contains([]TasksPer{PerGPU, PerNode, Single}, s.Tasks) {
		bad("tasks", "%q: want gpu, node or one", s.Tasks)
	}
	if !k.Worker() && s.Tasks != Single {
		bad("tasks", "%q: only GEN and CTX have more than one", s.Tasks)
	}
	if !slices.Contains([]string{"TERM", "INT"}, s.Stop.Signal) {
		bad("stop.signal", "%q: want TERM or INT", s.Stop.Signal)
	}
	if !slices.Contains([]string{"leader", "group", "command"}, s.Stop.To) {
		bad("stop.to", "%q: want leader, group or command", s.Stop.To)
	}
	if a := s.Address; a != nil && (a.File == "") == (a.Text == "") {
		bad("address", "want either file or text")
	}
	for key, p := range s.probes() {
		if problem := p.fault(key == "live"); problem != "" {
			bad(key, "%s", problem)
		}
	}
	for _, peer := range s.Peers {
		if !slices.Contains(Kinds(), peer) {
			bad("peers", "unknown kind %s: want one of %v", peer, Kinds())
		}
	}
	if problem := s.Stall.fault(); problem != "" {
		bad("stall", "%s", problem)
	}
	if k == Benchmark && (s.Results == nil || s.Results.Format != "trtllm") {
		bad("results", "want {format: trtllm, files: …}")
	}
	return errs
}
