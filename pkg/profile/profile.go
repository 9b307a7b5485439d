// Package profile reads cluster profiles: what a cluster needs so that a job can run on it.
//
// Rules:
//   - A profile is data. It is resolved into the plan when that is made; a job reads the plan alone.
//   - Nothing here does I/O: whoever has the file hands over its bytes.
//
// Terms: the grace period (kill_wait) is the time between the scheduler's request to end and its kill.
package profile

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Profile is what a cluster needs.
type Profile struct {
	Schema int    `yaml:"schema" json:"schema"` // 1
	Name   string `yaml:"name" json:"name"`
	// Extends names another profile, built in or a file beside this one: what this one does not say is that one's, key
	// by key; a list is taken as a whole.
	Extends string `yaml:"extends" json:"extends,omitempty"`

	// Partition, Account: "" leaves the choice to the scheduler.
	Partition string `yaml:"partition" json:"partition,omitempty"`
	Account   string `yaml:"account" json:"account,omitempty"`
	// Time is the job's limit; 0: the case's.
	Time roles.Duration `yaml:"time" json:"time,omitempty"`
	// GPUs says how GPUs are asked for: gpus-per-node (default), gres or none.
	GPUs string `yaml:"gpus" json:"gpus"`
	// Segment asks for one NVLink segment, where the scheduler knows them.
	Segment bool `yaml:"segment" json:"segment,omitempty"`
	// Exclusive asks for whole nodes; true unless said otherwise.
	Exclusive *bool `yaml:"exclusive" json:"exclusive,omitempty"`
	// Pack lets servers that are smaller than a node share one, each with GPUs of its own; otherwise each has whole
	// nodes, as upstream has it.
	Pack bool `yaml:"pack" json:"pack,omitempty"`
	// QOS, Constraint, Reservation, Licenses, Comment and Exclude (nodes) are options of the job; "": none.
	QOS         string `yaml:"qos" json:"qos,omitempty"`
	Constraint  string `yaml:"constraint" json:"constraint,omitempty"`
	Reservation string `yaml:"reservation" json:"reservation,omitempty"`
	Licenses    string `yaml:"licenses" json:"licenses,omitempty"`
	Comment     string `yaml:"comment" json:"comment,omitempty"`
	Exclude     string `yaml:"exclude" json:"exclude,omitempty"`
	// SbatchArgs are more options of the job, SrunArgs of every step; one option per item.
	SbatchArgs []string `yaml:"sbatch_args" json:"sbatch_args,omitempty"`
	SrunArgs   []string `yaml:"srun_args" json:"srun_args,omitempty"`
	// Container is how roles are put into a container; nil: they run on the bare host.
	Container *Container `yaml:"container" json:"container,omitempty"`
	// MPI is how workers join MPI ("pmix" by default); "none": not at all.
	MPI string `yaml:"mpi" json:"mpi"`
	// KillWait is the grace period; 0: asked of the cluster.
	KillWait roles.Duration `yaml:"kill_wait" json:"kill_wait"`
	// Interface is the network interface that agents listen on; "": that of the host's name.
	Interface string `yaml:"interface" json:"interface,omitempty"`
	// RunRoot is the folder, on a file system that all nodes share, in which run directories are made unless --run-dir
	// names one; "": runs/ in the folder that the submission comes from.
	RunRoot string `yaml:"run_root" json:"run_root,omitempty"`
	// ModelsRoot is the folder of models, as the nodes see it. A job ends if they do not.
	ModelsRoot string `yaml:"models_root" json:"models_root,omitempty"`
	// Models are folders of models below ModelsRoot, by the names that cases give them. They win over the dictionary of
	// the checkout.
	Models map[string]string `yaml:"models" json:"models,omitempty"`
	// GPU is what the cluster's nodes have, such as GB200; "": what the case names first of those in ByGPU.
	GPU string `yaml:"gpu" json:"gpu,omitempty"`
	// ByGPU is what differs with the GPU.
	ByGPU map[string]Variables `yaml:"by_gpu" json:"by_gpu,omitempty"`
	// Env is set for every child; the values are templates over the recipe's data.
	Env map[string]string `yaml:"env" json:"env,omitempty"`
	// Unset are patterns of variables that no child sees.
	Unset []string `yaml:"unset" json:"unset,omitempty"`
	// Values are values of the recipe; those of other recipes are passed over.
	Values map[string]string `yaml:"values" json:"values,omitempty"`
	// Install is a command that is run once per node before any role; "": nothing.
	Install string `yaml:"install" json:"install,omitempty"`
	// Preflight is what hosts must have before any model is loaded.
	Preflight Preflight `yaml:"preflight" json:"preflight"`
	// Endpoints lets every agent answer /status and /metrics to those who know the run's status key.
	Endpoints bool `yaml:"endpoints" json:"endpoints,omitempty"`
	// SampleGPUs is how often the GPUs that are planned for are sampled, by nvidia-smi; 0: never.
	SampleGPUs roles.Duration `yaml:"sample_gpus" json:"sample_gpus,omitempty"`
	// Upload is the URLs of the sinks that records go to, or the one URL; none: the embedded default.
	Upload URLs `yaml:"upload" json:"upload,omitempty"`
	// Agent is the path of disagg-agent on the nodes; "": as on the submitting host.
	Agent string `yaml:"agent" json:"agent,omitempty"`
	// Arch is the nodes' architecture, amd64 or arm64, if it is not the submitting host's: the agent that is looked for
	// beside disagg-submit is then disagg-agent-ARCH.
	Arch string `yaml:"arch" json:"arch,omitempty"`
	// Allowance is what a job gets on top of the limit that a list of tests says; 0: a standard one.
	Allowance roles.Duration `yaml:"allowance" json:"allowance,omitempty"`
	// Bash is the interpreter of the batch script.
	Bash string `yaml:"bash" json:"bash,omitempty"`
}

// URLs are one or more.
type URLs []string

// UnmarshalYAML accepts a text and a list of texts.
func (u *URLs) UnmarshalYAML(n *yamlfile.Node) error {
	var one string
	if yamlfile.DecodeNode(n, &one) == nil {
		*u = URLs{one}
		return nil
	}
	return yamlfile.DecodeNode(n, (*[]string)(u))
}

// The ways in which a job asks for GPUs.
const (
	GPUsPerNode = "gpus-per-node"
	GPUsGRES    = "gres"
	GPUsNone    = "none" // it does not: whole nodes have what they have
)

// Preflight is what hosts must have before any model is loaded.
type Preflight struct {
	// Off lists checks that are left out; "all" for all of them.
	Off []string `yaml:"off" json:"off,omitempty"`
	// MinDiskMiB must be free where the run directory is; a tenth of it in the temporary folder.
	MinDiskMiB int64 `yaml:"min_disk_mib" json:"min_disk_mib,omitempty"`
	// MinMemoryMiB must be free on every host.
	MinMemoryMiB int64 `yaml:"min_memory_mib" json:"min_memory_mib,omitempty"`
	// MaxShmMiB may be left over in /dev/shm.
	MaxShmMiB int64 `yaml:"max_shm_mib" json:"max_shm_mib,omitempty"`
	// MinShmMiB should be the size of /dev/shm. Less is told; it is fatal where several GPUs are planned on a host and
	// there is less than NCCL and UCX need for them.
	MinShmMiB int64 `yaml:"min_shm_mib" json:"min_shm_mib,omitempty"`
	// RequireModel says that the model's folder must be below ModelsRoot. Otherwise a folder that is missing is only
	// told, and the model's bare name is used: upstream's test knows folders of other names, and an engine may download
	// a model.
	RequireModel bool `yaml:"require_model" json:"require_model,omitempty"`
	// MaxSkew may lie between a host's clock and the hub's.
	MaxSkew roles.Duration `yaml:"max_skew" json:"max_skew,omitempty"`
}

// IsOff tells whether a check is switched off.
func (p Preflight) IsOff(check string) bool {
	return slices.Contains(p.Off, check) || slices.Contains(p.Off, "all")
}

// complete returns the preflight limits with what was left open filled in.
func (p Preflight) complete() Preflight {
	for _, limit := range []struct {
		v        *int64
		standard int64
	}{{&p.MinDiskMiB, 1024}, {&p.MinMemoryMiB, 512}, {&p.MaxShmMiB, 1024}, {&p.MinShmMiB, 1024}} {
		if *limit.v == 0 {
			*limit.v = limit.standard
		}
	}
	if p.MaxSkew == 0 {
		p.MaxSkew = roles.Duration(10 * time.Second)
	}
	return p
}

//go:embed builtin/*.yaml
var builtin embed.FS

// Builtin lists the names of the profiles that come with the tool.
func Builtin() []string {
	entries, _ := builtin.ReadDir("builtin")
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}

// Load returns a profile that comes with the tool; ok tells whether there is one of that name.
func Load(name string) (p Profile, ok bool, err error) {
	if !slices.Contains(Builtin(), name) {
		return Profile{}, false, nil
	}
	data, _ := Text(name)
	p, err = Parse(name+".yaml", data)
	return p, true, err
}

// Text is the file of a profile that comes with the tool; ok tells whether there is one of that name.
func Text(name string) (text []byte, ok bool) {
	text, err := builtin.ReadFile(path.Join("builtin", name+".yaml"))
	return text, err == nil
}

// Parse reads a profile that extends none. The name of the file serves errors.
func Parse(file string, data []byte) (Profile, error) { return ParseExtending(file, data, nil) }

// ParseExtending reads a profile with what it extends.
func ParseExtending(file string, data []byte, read Reader) (Profile, error) {
	p := Profile{GPUs: GPUsPerNode, MPI: "pmix", Bash: "/bin/bash"}
	own, err := yamlfile.ParseBlock(file, string(data))
	if err != nil {
		return Profile{}, err
	}
	if name, ok := own.Get("extends").Scalar(); ok && name != "" {
		whole, err := extended(file, own, name, read, mostBases)
		if err == nil {
			err = whole.DecodeStrict(file+" (with what it extends)", &p)
		}
		if err != nil {
			return Profile{}, err
		}
	} else if err := yamlfile.Decode(file, data, &p); err != nil {
		return Profile{}, err
	}
	if err := yamlfile.In(file, data, p.faults()); err != nil {
		return Profile{}, err
	}
	if p.MPI == "none" {
		p.MPI = ""
	}
	p.Preflight = p.Preflight.complete()
	return p, nil
}

// faults lists what is wrong with a profile.
func (p Profile) faults() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if fault := yamlfile.SchemaFault(p.Schema); fault != "" {
		bad("%s", fault)
	}
	if p.Name == "" {
		bad("name: missing")
	}
	if !slices.Contains([]string{GPUsPerNode, GPUsGRES, GPUsNone}, p.GPUs) {
		bad("gpus: %q: want gpus-per-node, gres or none", p.GPUs)
	}
	if c := p.Container; c != nil {
		if c.Image == "" {
			bad("container.image: missing")
		}
		if !slices.Contains([]string{"", Pyxis, Apptainer, Singularity}, c.Kind) {
			bad("container.kind: %q: want pyxis, apptainer or singularity", c.Kind)
		}
		if c.Exec() == nil && len(c.Args) > 0 || c.Exec() != nil && c.Name != "" {
			bad("container: args are for apptainer, and name is for pyxis")
		}
	}
	if !slices.Contains([]string{"", "amd64", "arm64"}, p.Arch) {
		bad("arch: %q: want amd64 or arm64", p.Arch)
	}
	if p.RunRoot != "" && !path.IsAbs(p.RunRoot) {
		bad("run_root: %q: want an absolute path", p.RunRoot)
	}
	for _, name := range p.Preflight.Off {
		if name != "all" && !slices.Contains(protocol.Checks(), name) {
			bad("preflight.off: no check %q: want all, or some of %s", name, strings.Join(protocol.Checks(), ", "))
		}
	}
	for _, a := range slices.Concat(p.SbatchArgs, p.SrunArgs) {
		if !strings.HasPrefix(a, "-") || strings.Contains(a, " -") {
			bad("sbatch_args, srun_args: %q: want one option per item, such as --comment=x", a)
		}
	}
	for _, pattern := range p.Unset {
		if _, err := path.Match(pattern, ""); err != nil {
			bad("unset: %q is not a valid pattern: want for example NCCL_*", pattern)
		}
	}
	if p.Agent != "" && !path.IsAbs(p.Agent) {
		bad("agent: %q: want an absolute path", p.Agent)
	}
	if n := p.Preflight.MinDiskMiB; n < 0 {
		bad("preflight.min_disk_mib: %d: want at least 0", n)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		if fault := protocol.VariableFault(name); fault != "" {
			bad("env: %q %s", name, fault)
		}
	}
	texts := p.texts()
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		if HasControl(texts[key]) {
			bad("%s: %q has a control character", key, texts[key])
		}
	}
	return errs
}

// texts lists what ends up in the batch script or on a command line, by key.
func (p Profile) texts() map[string]string {
	texts := map[string]string{
		"name": p.Name, "partition": p.Partition, "account": p.Account, "mpi": p.MPI, "agent": p.Agent, "bash": p.Bash,
		"interface": p.Interface, "qos": p.QOS, "constraint": p.Constraint, "reservation": p.Reservation,
		"licenses": p.Licenses, "comment": p.Comment, "exclude": p.Exclude, "sbatch_args": strings.Join(p.SbatchArgs,
			" "), "srun_args": strings.Join(p.SrunArgs, " "),
	}
	if c := p.Container; c != nil {
		texts["container"] = strings.Join(slices.Concat([]string{c.Image, c.Name, c.Dir}, c.Mounts, c.Args), " ")
	}
	return texts
}

// HasControl tells whether a text has a character that would end a line, or that a terminal would act on.
func HasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
