package perfsanity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// NotOurs says that a test is none that this tool runs, and of which class it is.
type NotOurs struct {
	Class string // one word or two, for lists of tests
	Test  string
	Why   string
}

// Error implements error.
func (e *NotOurs) Error() string { return fmt.Sprintf("cannot run %s: %s", e.Test, e.Why) }

// The classes.
const (
	otherTest     = "another test"
	oneNode       = "aggregated, one node"
	unknownToTest = "unknown to the checkout's test"
)

// aggregatedFolders are where upstream keeps its aggregated configs, newest first.
var aggregatedFolders = [...]string{"tests/scripts/perf-sanity/aggregated", "tests/scripts/perf/aggregated"}

// aggregated is an aggregated config: servers, and the clients of each.
type aggregated struct {
	Metadata    metadata       `yaml:"metadata"`
	Hardware    aggHardware    `yaml:"hardware"`
	Slurm       slurm          `yaml:"slurm"`
	Environment environment    `yaml:"environment"`
	Servers     []aggServer    `yaml:"server_configs"`
	Others      map[string]any `yaml:",inline"`
}

type aggHardware struct {
	GPUsPerNode int            `yaml:"gpus_per_node"`
	Others      map[string]any `yaml:",inline"`
}

// aggServer is one server: what the tool acts on, beside the engine's own keys.
type aggServer struct {
	Name      string         `yaml:"name"`
	Model     string         `yaml:"model_name"`
	World     int            `yaml:"world_size"`
	Tensor    int            `yaml:"tensor_parallel_size"`
	Pipeline  int            `yaml:"pipeline_parallel_size"`
	Context   int            `yaml:"context_parallel_size"`
	Frontends int            `yaml:"num_serve_frontends"`
	Env       vars           `yaml:"server_env_var"`
	Clients   []aggClient    `yaml:"client_configs"`
	Engine    map[string]any `yaml:",inline"`
}

type aggClient struct {
	Name        string         `yaml:"name"`
	Concurrency int            `yaml:"concurrency"`
	Iterations  int            `yaml:"iterations"`
	Input       int            `yaml:"isl"`
	Output      int            `yaml:"osl"`
	Dataset     string         `yaml:"dataset_file"`
	Ratio       float64        `yaml:"random_range_ratio"`
	SAClient    bool           `yaml:"use_nv_sa_benchmark"`
	Others      map[string]any `yaml:",inline"`
}

// gpus is the size of the server.
func (s aggServer) gpus() int {
	if s.World > 0 {
		return min(s.World, maxServerGPUs+1)
	}
	return parallel{Tensor: s.Tensor, Pipeline: s.Pipeline, Context: s.Context}.world()
}

// loadAggregated makes a case of one server of an aggregated config. Its test finds servers and clients in the config
// by itself; what is read here is the size, and what the points must be.
func (src Source) loadAggregated(at found) (roles.Case, []byte, error) {
	var cfg aggregated
	if err := yamlfile.Decode(at.file, at.data, &cfg); err != nil {
		return roles.Case{}, nil, err
	}
	server, err := cfg.server(at)
	if err != nil {
		return roles.Case{}, nil, err
	}
	load, err := server.load(at.file)
	if err != nil {
		return roles.Case{}, nil, err
	}
	gpus, perNode := server.gpus(), cfg.Hardware.GPUsPerNode
	switch problem := cfg.Slurm.fault(); {
	case problem != "":
		return roles.Case{}, nil, &yamlfile.Error{File: at.file, Key: "slurm.timeout", Problem: problem}
	case perNode < 1:
		return roles.Case{}, nil, &yamlfile.Error{
			File: at.file, Key: "hardware.gpus_per_node", Problem: "missing or below 1",
		}
	case gpus > maxServerGPUs:
		return roles.Case{}, nil, &yamlfile.Error{
			File: at.file, Key: "server_configs",
			Problem: fmt.Sprintf("one server has more than %d GPUs", maxServerGPUs),
		}
	case gpus <= perNode:
		return roles.Case{}, nil, &NotOurs{oneNode, at.id.String(), "it is an aggregated test on one node, in which " +
			"there is nothing to supervise across nodes: run it with pytest"}
	}
	c := roles.Case{
		Name: at.id.Config, TestID: at.id.String(), Upload: at.id.Upload, Origin: at.origin(), Load: load,
		Model: cfg.Metadata.ModelName, Precision: cfg.Metadata.Precision, SupportedGPUs: cfg.Metadata.SupportedGPUs,
		GPUsPerNode: perNode, TimeLimit: cmp.Or(roles.Duration(cfg.Slurm.JobTime), usualLimit),
		ServerTimeout: cfg.Slurm.serverTimeout(),
		Servers:       map[roles.Kind]roles.Server{roles.Gen: {Count: 1, GPUs: gpus}, roles.Ctx: {}},
		Env:           map[roles.Kind][]roles.Var{roles.Gen: slices.Concat(cfg.Environment.Server, server.Env)},
		Traits:        []roles.Trait{roles.Aggregated},
		Notes:         append(at.notes(), ofCluster(cfg.Slurm, cfg.Environment)...),
	}
	if server.Model != "" {
		c.Model = server.Model
	}
	server.documents(&c, server.Env)
	c.ModelDirs = src.modelDirs(metadata{ModelName: c.Model, ModelDirName: cfg.Metadata.ModelDirName})
	return c, at.data, nil
}

// server is the entry that the id names.
func (a aggregated) server(at found) (aggServer, error) {
	var names []string
	for _, s := range a.Servers {
		if s.Name == at.id.Server && s.Name != "" {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if at.id.Server == "" {
		return aggServer{}, fmt.Errorf("cannot run %s: name one of its servers after the config: %s", at.id,
			strings.Join(names, ", "))
	}
	return aggServer{}, fmt.Errorf("cannot run %s: %s has no server %q: it has %s", at.id, at.file, at.id.Server,
		strings.Join(names, ", "))
}

// load is what the server's clients apply, one point each.
func (s aggServer) load(file string) (l roles.Load, err error) {
	bad := func(problem string) error {
		return &yamlfile.Error{File: file, Key: "server_configs." + s.Name + ".client_configs", Problem: problem}
	}
	if len(s.Clients) == 0 || len(s.Clients) > maxPoints {
		return l, bad(fmt.Sprintf("%d clients: want 1 to %d", len(s.Clients), maxPoints))
	}
	l.Streaming = true
	for i, c := range s.Clients {
		concurrency := max(c.Concurrency, 1)
		if c.Concurrency < 0 || concurrency > maxConcurrency || c.Iterations < 0 || c.Iterations > maxRounds {
			return l, bad(fmt.Sprintf("a client with concurrency %d and %d iterations", c.Concurrency, c.Iterations))
		}
		if c.Input < 0 || c.Output < 0 || !isRatio(c.Ratio) {
			return l, bad(fmt.Sprintf("a client with isl %d, osl %d and random_range_ratio %v", c.Input, c.Output,
				c.Ratio))
		}
		if c.SAClient != s.Clients[0].SAClient {
			return l, bad("clients of two kinds (use_nv_sa_benchmark): make a server entry of each")
		}
		p := roles.PointLoad{
			Rounds: max(c.Iterations, 1), InputLength: length(c.Input), OutputLength: length(c.Output),
			RangeRatio: c.Ratio, Dataset: c.Dataset,
		}
		if i == 0 {
			l.PointLoad = p
		}
		l.Concurrency, l.Each = append(l.Concurrency, concurrency), append(l.Each, p)
	}
	if s.Clients[0].SAClient {
		l.Client = saClient
	}
	return l, nil
}
