package perfsanity

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Source tells which case to load, and from where.
type Source struct {
	Name       string   // a YAML path, a config's base name, or a test id
	Mode       string   // "" follows the test id, then the config
	Checkout   string   // upstream's checkout; "" if there is none
	ModelsRoot string   // folder of models; speculative models are looked up in it
	Folders    []string // in which a base name is looked up first
	// Read reads a file; a file that does not exist is an error that wraps fs.ErrNotExist.
	Read func(file string) ([]byte, error)
}

// configFolders are where upstream keeps its configs, newest first.
var configFolders = [...]string{
	"tests/scripts/perf-sanity/disaggregated",
	"tests/scripts/perf/disaggregated",
	"tests/integration/defs/perf/disagg/test_configs/disagg/perf-sanity",
	"tests/integration/defs/perf/disagg/test_configs/disagg/perf",
	"tests/integration/defs/perf/disagg/test_configs/wideep/perf",
}

// Load finds a case, reads it and checks it. The File of the result is where it was found; the second result is what it
// holds.
func Load(src Source) (roles.Case, []byte, error) {
	id, file, data, err := src.find()
	if err != nil {
		return roles.Case{}, nil, err
	}
	var cfg config
	if err := yamlfile.Decode(file, data, &cfg); err != nil {
		return roles.Case{}, nil, err
	}
	if err := cfg.check(file); err != nil {
		return roles.Case{}, nil, err
	}
	if id.Mode, err = cfg.mode(id.Mode, src.Mode); err != nil {
		return roles.Case{}, nil, err
	}
	c, err := cfg.toCase(file, id, src)
	c.File = file
	return c, data, err
}

// find resolves the name to a file, what it holds and the parts of its test id.
func (s Source) find() (id TestID, file string, data []byte, err error) {
	id, isID, err := ParseTestID(s.Name)
	if err != nil {
		return id, "", nil, err
	}
	if !isID {
		ext := filepath.Ext(s.Name)
		if ext == ".yaml" || ext == ".yml" {
			if data, err = s.Read(s.Name); err != nil {
				return id, "", nil, fmt.Errorf("cannot read case: %w", err)
			}
			return TestID{Config: strings.TrimSuffix(filepath.Base(s.Name), ext)}, s.Name, data, nil
		}
		id.Config = s.Name
	}
	if id.Config != filepath.Base(id.Config) {
		return id, "", nil, fmt.Errorf("cannot find case %q: a config's name has no folders", s.Name)
	}
	folders := append(slices.Clone(s.Folders), ".")
	if s.Checkout != "" {
		for _, f := range configFolders {
			folders = append(folders, filepath.Join(s.Checkout, f))
		}
	}
	for _, f := range folders {
		file := filepath.Join(f, id.Config+".yaml")
		data, err := s.Read(file)
		if err == nil {
			return id, file, data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return id, "", nil, fmt.Errorf("cannot read case: %w", err)
		}
	}
	return id, "", nil, fmt.Errorf("cannot find case %q: no %s.yaml in %s: pass its path, or --trtllm-dir DIR",
		s.Name, id.Config, strings.Join(folders, ", "))
}

// mode decides the mode: what was asked for, then the test id, then the config. A gen_only id of a config that says
// gen_only_no_context means the latter, as upstream has it.
func (c config) mode(fromID Mode, asked string) (Mode, error) {
	if asked != "" {
		return ParseMode(asked)
	}
	own := c.Benchmark.Mode
	if own == "" {
		own = E2E
	}
	if fromID == "" || (fromID == GenOnly && own == GenOnlyNoContext) {
		return own, nil
	}
	return fromID, nil
}

func (c config) check(file string) error {
	var errs []error
	bad := func(key, problem string) {
		errs = append(errs, &yamlfile.Error{File: file, Key: key, Problem: problem})
	}
	if c.Metadata.ModelName == "" {
		bad("metadata.model_name", "missing")
	}
	if c.Hardware.GPUsPerNode == nil || *c.Hardware.GPUsPerNode < 1 {
		bad("hardware.gpus_per_node", "missing or below 1")
	}
	if n := c.Hardware.NumGenServers; n == nil || *n < 1 {
		bad("hardware.num_gen_servers", "missing or below 1")
	}
	if n := c.Hardware.NumCtxServers; n == nil || *n < 0 {
		bad("hardware.num_ctx_servers", "missing or below 0")
	}
	if len(c.Benchmark.Concurrency) == 0 {
		bad("benchmark.concurrency_list", "missing")
	}
	if n := c.Benchmark.MultiRound; n < 0 || n > maxRounds {
		bad("benchmark.multi_round", fmt.Sprintf("%d: want at most %d", n, maxRounds))
	}
	if !c.WorkerConfig.Gen.IsMapping() {
		bad("worker_config.gen", "missing, or not a mapping")
	}
	if n := c.Hardware.NumCtxServers; n != nil && *n > 0 && !c.WorkerConfig.Ctx.IsMapping() {
		bad("worker_config.ctx", "missing, or not a mapping")
	}
	reserved := func(group string, b yamlfile.Block, keys ...string) {
		for _, key := range keys {
			if own := b.Get(key); !own.Absent() {
				errs = append(errs, &yamlfile.Error{
					File: file, Line: own.Line(), Key: group + "." + key,
					Problem: "is set by the tool and may not be given here",
				})
			}
		}
	}
	reserved("server_config_extra", c.ServerExtra, reservedServerKeys[:]...)
	reserved("worker_config.gen", c.WorkerConfig.Gen, authKey)
	reserved("worker_config.ctx", c.WorkerConfig.Ctx, authKey)
	return oneLine(errs)
}

// reservedServerKeys may not stand in server_config_extra.
var reservedServerKeys = [...]string{"port", "hostname", authKey, "context_servers", "generation_servers"}

// authKey is the secret that the tool gives to every role of an attempt.
const authKey = "internal_request_auth_key"

// oneLine keeps the first of several faults and says how many more there are.
func oneLine(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return fmt.Errorf("%w (and %d more)", errs[0], len(errs)-1)
}

func (c config) toCase(file string, id TestID, src Source) (roles.Case, error) {
	sizes, err := c.sizes(file)
	if err != nil {
		return roles.Case{}, err
	}
	out := roles.Case{
		Name: id.Config, TestID: id.withMode().String(), Mode: string(id.Mode), Upload: id.Upload,
		Model: c.Metadata.ModelName, ModelDir: c.Metadata.ModelDirName,
		Precision: c.Metadata.Precision, SupportedGPUs: c.Metadata.SupportedGPUs,
		Load:        c.load(id.Mode),
		GPUsPerNode: *c.Hardware.GPUsPerNode, Servers: c.servers(id.Mode, sizes),
		Env: c.env(id.Mode, sizes[roles.Gen]), NUMABind: c.Slurm.NUMABind,
		TimeLimit:     roles.Duration(c.Slurm.JobTime),
		ServerTimeout: roles.Duration(time.Duration(c.Slurm.Timeout) * time.Second),
	}
	if out.TimeLimit == 0 {
		out.TimeLimit = roles.Duration(2 * time.Hour)
	}
	return out, c.blocks(&out, src)
}

// withMode is the id that pytest is asked for: test_e2e wants the mode in it. gen_only_no_context is upstream's
// gen_only of a config that says so.
func (t TestID) withMode() TestID {
	if t.Mode == GenOnlyNoContext {
		t.Mode = GenOnly
	}
	return t
}

func (c config) load(m Mode) roles.Load {
	b := c.Benchmark
	l := roles.Load{
		Concurrency: b.Concurrency, Rounds: max(b.MultiRound, 1), RangeRatio: b.Ratio,
		InputLength: b.InputLength, OutputLength: b.OutputLength, Streaming: b.Streaming == nil || *b.Streaming,
	}
	if !strings.HasPrefix(b.DatasetFile, "<") {
		l.Dataset = b.DatasetFile
	}
	if c.Sequence != nil && l.InputLength == 0 {
		l.InputLength, l.OutputLength = c.Sequence.InputLength, c.Sequence.OutputLength
	}
	if m != E2E { // upstream measures one point, in one round
		l.Concurrency, l.Rounds = b.Concurrency[:1], 1
	}
	return l
}

// sizes reads the part of the workers' blocks that the tool acts on.
func (c config) sizes(file string) (map[roles.Kind]parallel, error) {
	gen, err := size(c.WorkerConfig.Gen, c.Hardware.GPUsPerGenServer, file, "worker_config.gen")
	if err != nil {
		return nil, err
	}
	ctx, err := size(c.WorkerConfig.Ctx, c.Hardware.GPUsPerCtxServer, file, "worker_config.ctx")
	if err != nil {
		return nil, err
	}
	return map[roles.Kind]parallel{roles.Gen: gen, roles.Ctx: ctx}, nil
}

// size reads a worker's size from its block. The file and the key serve errors.
func size(b yamlfile.Block, explicit int, file, key string) (p parallel, err error) {
	if err := b.Decode(file, key, &p); err != nil {
		return p, err
	}
	p.explicit = explicit
	if problem := p.fault(); problem != "" {
		return p, &yamlfile.Error{File: file, Line: b.Line(), Key: key, Problem: problem}
	}
	return p, nil
}

func (c config) servers(m Mode, sizes map[roles.Kind]parallel) map[roles.Kind]roles.Server {
	servers := map[roles.Kind]roles.Server{
		roles.Gen: {Count: *c.Hardware.NumGenServers, GPUs: sizes[roles.Gen].gpus()},
		roles.Ctx: {},
	}
	if n := *c.Hardware.NumCtxServers; m != GenOnlyNoContext && n > 0 {
		servers[roles.Ctx] = roles.Server{Count: n, GPUs: sizes[roles.Ctx].gpus()}
	}
	return servers
}

// blocks copies the parts that the engine reads.
func (c config) blocks(out *roles.Case, src Source) error {
	var errs []error
	text := func(b yamlfile.Block) string {
		s, err := b.Text()
		errs = append(errs, err)
		return s
	}
	out.WorkerConfig = map[roles.Kind]string{
		roles.Gen: text(engineBlock(c.WorkerConfig.Gen, src)),
		roles.Ctx: text(engineBlock(c.WorkerConfig.Ctx, src)),
	}
	out.ServerExtra = text(c.ServerExtra)
	out.Routers = map[roles.Kind]string{}
	for kind, own := range map[roles.Kind]yamlfile.Block{roles.Gen: c.GenRouter, roles.Ctx: c.CtxRouter} {
		if own.Absent() {
			own = c.Router
		}
		out.Routers[kind] = text(own)
	}
	return errors.Join(errs...)
}

// engineBlock resolves the two paths in a worker's block that upstream's test resolves before it hands the block to the
// engine: the speculative model's, relative to the models, and the load balancer's, relative to the checkout.
func engineBlock(b yamlfile.Block, src Source) yamlfile.Block {
	if src.ModelsRoot != "" {
		b = b.JoinPath(src.ModelsRoot, "speculative_config", "speculative_model")
	}
	if src.Checkout != "" {
		b = b.JoinPath(src.Checkout, "moe_config", "load_balancer")
	}
	return b
}
