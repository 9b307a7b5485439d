package slurm

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Profile is what a cluster needs.
type Profile struct {
	Schema     int               `yaml:"schema"` // 1
	Name       string            `yaml:"name"`
	Partition  string            `yaml:"partition"`   // "": the cluster's default
	Account    string            `yaml:"account"`     // "": the user's default
	Time       roles.Duration    `yaml:"time"`        // job limit; 0: the case's
	GPUs       string            `yaml:"gpus"`        // how GPUs are asked for: gpus-per-node (default), gres or none
	Segment    bool              `yaml:"segment"`     // ask for one NVLink segment, where Slurm knows them
	Exclusive  *bool             `yaml:"exclusive"`   // whole nodes; true unless said otherwise
	MPI        string            `yaml:"mpi"`         // srun's --mpi for workers; "pmix" by default, "none" for none
	KillWait   roles.Duration    `yaml:"kill_wait"`   // 0: asked of the cluster
	Interface  string            `yaml:"interface"`   // network interface that agents listen on; "": that of the host's name
	ModelsRoot string            `yaml:"models_root"` // folder of models, as the nodes see it
	SbatchArgs []string          `yaml:"sbatch_args"` // more #SBATCH lines, e.g. "--comment=x"
	SrunArgs   []string          `yaml:"srun_args"`   // more arguments of every srun
	Container  *Container        `yaml:"container"`   // none: on the bare host
	Env        map[string]string `yaml:"env"`         // of every child; templates over roles.Facts
	Unset      []string          `yaml:"unset"`       // patterns of variables that no child sees
	Values     map[string]string `yaml:"values"`      // of the recipe
	Install    string            `yaml:"install"`     // command run once a node before any role; "": nothing
	Preflight  roles.Preflight   `yaml:"preflight"`   // what hosts must have before any model is loaded
	Upload     string            `yaml:"upload"`      // URL; "": the embedded default
	Agent      string            `yaml:"agent"`       // path of disagg-agent on the nodes; "": as on this host
	Bash       string            `yaml:"bash"`        // interpreter of the batch script
}

// Container is how roles are put into a container by pyxis.
type Container struct {
	Image  string   `yaml:"image"`
	Name   string   `yaml:"name"` // shared by the steps of a job; "" for none
	Mounts []string `yaml:"mounts"`
	Dir    string   `yaml:"dir"`
}

//go:embed profiles/*.yaml
var builtin embed.FS

// BuiltinProfiles lists the names of the profiles that come with the tool.
func BuiltinProfiles() []string {
	entries, _ := builtin.ReadDir("profiles")
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// LoadProfile reads a profile by the name of a built-in one or by the path of a file.
func LoadProfile(nameOrFile string) (Profile, error) {
	file, read := nameOrFile, os.ReadFile
	if slices.Contains(BuiltinProfiles(), nameOrFile) {
		file, read = path.Join("profiles", nameOrFile+".yaml"), builtin.ReadFile
	} else if filepath.Ext(nameOrFile) == "" && !strings.ContainsRune(nameOrFile, filepath.Separator) {
		return Profile{}, fmt.Errorf("unknown profile %q: want %s, or a path to a profile file", nameOrFile, strings.Join(BuiltinProfiles(), ", "))
	}
	data, err := read(file)
	if err != nil {
		return Profile{}, fmt.Errorf("cannot read profile: %w", err)
	}
	p := Profile{GPUs: "gpus-per-node", MPI: "pmix", Bash: "/bin/bash"}
	if err := yamlfile.Decode(file, data, &p); err != nil {
		return Profile{}, err
	}
	if err := p.validate(); err != nil {
		return Profile{}, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (p Profile) validate() error {
	var errs []error
	if p.Schema != 1 {
		errs = append(errs, fmt.Errorf("schema: %d is not supported: want 1", p.Schema))
	}
	if p.Name == "" {
		errs = append(errs, errors.New("name: missing"))
	}
	if !slices.Contains([]string{"gpus-per-node", "gres", "none"}, p.GPUs) {
		errs = append(errs, fmt.Errorf("gpus: %q: want gpus-per-node, gres or none", p.GPUs))
	}
	if p.Container != nil && p.Container.Image == "" {
		errs = append(errs, errors.New("container.image: missing"))
	}
	for _, name := range p.Preflight.Off {
		if name != "all" && !slices.Contains(preflight.Names(), name) {
			errs = append(errs, fmt.Errorf("preflight.off: no check %q: want all, or some of %s", name, strings.Join(preflight.Names(), ", ")))
		}
	}
	for _, a := range slices.Concat(p.SbatchArgs, p.SrunArgs) {
		if !strings.HasPrefix(a, "-") || strings.ContainsAny(a, "\n\r") {
			errs = append(errs, fmt.Errorf("sbatch_args, srun_args: %q: want one option an item, such as --comment=x", a))
		}
	}
	return errors.Join(errs...)
}

// Cluster is the part of the profile that agents need.
func (p Profile) Cluster() roles.Cluster {
	mpi := p.MPI
	if mpi == "none" {
		mpi = ""
	}
	return roles.Cluster{
		Name: p.Name, MPI: mpi, Interface: p.Interface, ModelsRoot: p.ModelsRoot,
		Env: p.Env, Unset: p.Unset, KillWait: p.KillWait,
	}
}
