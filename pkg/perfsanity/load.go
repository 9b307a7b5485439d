package perfsanity

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Source tells which case to load, and from where.
type Source struct {
	Name       string            // a YAML path, a config's base name, or a test id
	Mode       string            // "" follows the test id, then the config
	Checkout   string            // upstream's checkout; "" if there is none
	ModelsRoot string            // folder of models; speculative models are looked up in it
	Models     map[string]string // folders of models below it, by name; they win over those that the checkout names
	Folder     string            // in which base names are looked up; "": the checkout's
	// Settings are what was asked for in place of what the file has.
	Settings []roles.Setting
	// Test is what the checkout's test can do; nil where it takes no part.
	Test *Test
	// Read reads a file; a file that does not exist is an error that wraps fs.ErrNotExist.
	Read func(file string) ([]byte, error)
}

// Load finds a case, reads it and checks it. The second result is what the run keeps of it, and the test reads: what
// was found, with what was asked for written into it.
func Load(src Source) (roles.Case, []byte, error) {
	at, err := src.find()
	if err != nil {
		return roles.Case{}, nil, err
	}
	if src.Settings, err = at.settle(src.Settings); err != nil {
		return roles.Case{}, nil, err
	}
	load := src.loadDisaggregated
	if at.id.OfServers() {
		load = src.loadAggregated
	}
	c, kept, err := load(at)
	c.Settings = src.Settings
	return c, kept, err
}

// loadDisaggregated makes a case of a disaggregated config.
func (src Source) loadDisaggregated(at found) (roles.Case, []byte, error) {
	var cfg config
	if err := yamlfile.Decode(at.file, at.data, &cfg); err != nil {
		return roles.Case{}, nil, err
	}
	whole, err := yamlfile.ParseBlock(at.file, string(at.data))
	if err == nil {
		err = cfg.check(at.file, whole)
	}
	if err != nil {
		return roles.Case{}, nil, err
	}
	f, err := cfg.form(at.id, at.isID, src.Mode, src.Test)
	if err != nil {
		return roles.Case{}, nil, err
	}
	c, err := cfg.toCase(at, f, src)
	if err != nil || f.inConfig == "" {
		return c, at.data, err
	}
	mode, err := yamlfile.ParseBlock(at.file, string(f.inConfig))
	if err != nil {
		return c, nil, err
	}
	kept, err := yamlfile.Set(at.file, at.data, mode, "benchmark", "mode")
	return c, kept, err
}

// check tells what is wrong with a config. The file and its whole serve errors.
func (c config) check(file string, whole yamlfile.Block) error {
	var errs []error
	bad := func(key, problem string) {
		errs = append(errs, &yamlfile.Error{File: file, Line: whole.KeyLine(key), Key: key, Problem: problem})
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
		bad("benchmark.multi_round", fmt.Sprintf("%d: want 0 to %d", n, maxRounds))
	}
	if n := c.Benchmark.InputLength; n < 0 {
		bad("benchmark.input_length", fmt.Sprintf("%d: want at least 0", n))
	}
	if n := c.Benchmark.OutputLength; n < 0 {
		bad("benchmark.output_length", fmt.Sprintf("%d: want at least 0", n))
	}
	if r := c.Benchmark.Ratio; !isRatio(r) {
		bad("benchmark.benchmark_ratio", fmt.Sprintf("%v: want a number, at least 0", r))
	}
	if problem := c.Slurm.fault(); problem != "" {
		bad("slurm.timeout", problem)
	}
	if !c.WorkerConfig.Gen.IsMapping() {
		bad("worker_config.gen", "missing, or not a mapping")
	}
	if n := c.Hardware.NumCtxServers; n != nil && *n > 0 && !c.WorkerConfig.Ctx.IsMapping() {
		bad("worker_config.ctx", "missing, or not a mapping")
	}
	for _, f := range c.refused() {
		bad(f.key, f.problem)
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

func (c config) toCase(at found, f form, src Source) (roles.Case, error) {
	sizes, err := c.sizes(at.file)
	if err != nil {
		return roles.Case{}, err
	}
	load := f.load(c.Benchmark, src.Test)
	load.AccuracyOnly = c.Benchmark.OnlyAccuracy && c.Accuracy.Enabled
	out := roles.Case{
		Name: f.id.Config, TestID: f.id.String(), Mode: string(f.Mode), Upload: f.id.Upload, Origin: at.origin(),
		Model: c.Metadata.ModelName, ModelDirs: src.modelDirs(c.Metadata), Precision: c.Metadata.Precision,
		SupportedGPUs: c.Metadata.SupportedGPUs, Load: load, GPUsPerNode: *c.Hardware.GPUsPerNode,
		Servers: f.servers(c, sizes, src.Test),
		Env:     c.env(f, load, src.Test), NUMABind: c.Slurm.NUMABind, TimeLimit: roles.Duration(c.Slurm.JobTime),
		ServerTimeout: c.Slurm.serverTimeout(),
		Traits:        c.traits(f, load, sizes, src.Test), Notes: append(c.ignored(src.Test), at.notes()...),
	}
	if out.TimeLimit == 0 {
		out.TimeLimit = usualLimit
	}
	if err := c.documents(&out, f, at.file); err != nil {
		return out, err
	}
	return out, c.blocks(&out, src)
}

// usualLimit is a job's limit where the config does not say it.
const usualLimit = roles.Duration(2 * time.Hour)

// traits lists what not every recipe can do.
func (c config) traits(f form, l roles.Load, sizes map[roles.Kind]parallel, t *Test) (list []roles.Trait) {
	for _, has := range []struct {
		trait roles.Trait
		is    bool
	}{
		{roles.Aggregated, f.id.Aggregated},
		{roles.IDWithoutMode, t != nil && !t.ModeInID},
		{roles.AddressFiles, t != nil && t.ModeInID && !t.ReportsAddress},
		{roles.TimeBreakdown, f.id.Modifier == TimeBreakdown},
		{roles.Frontends, max(sizes[roles.Gen].Frontends, sizes[roles.Ctx].Frontends) > 1},
		{roles.AccuracyOnly, l.AccuracyOnly},
		{roles.SAClient, l.Client == saClient},
	} {
		if has.is {
			list = append(list, has.trait)
		}
	}
	return list
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
	for _, size := range []struct {
		name string
		n    int
	}{
		{"tensor_parallel_size", p.Tensor}, {"pipeline_parallel_size", p.Pipeline},
		{"context_parallel_size", p.Context},
	} {
		if size.n == 0 && !b.Get(size.name).Absent() {
			return p, &yamlfile.Error{
				File: file, Line: b.Line(), Key: key + "." + size.name, Problem: "0: want at least 1",
			}
		}
	}
	p.explicit = explicit
	if problem := p.fault(); problem != "" {
		return p, &yamlfile.Error{File: file, Line: b.Line(), Key: key, Problem: problem}
	}
	return p, nil
}

// blocks copies the parts that the engine reads.
func (c config) blocks(out *roles.Case, src Source) error {
	var errs []error
	text := func(b yamlfile.Block) string {
		s, err := b.Text()
		errs = append(errs, err)
		return s
	}
	out.WorkerConfig, out.Backends = map[roles.Kind]string{}, map[roles.Kind]string{}
	for kind, b := range map[roles.Kind]yamlfile.Block{roles.Gen: c.WorkerConfig.Gen, roles.Ctx: c.WorkerConfig.Ctx} {
		if name, ok := b.Get("backend").Scalar(); ok && name != "" {
			out.Backends[kind] = name
		}
		whole, err := engineBlock(b, src)
		errs = append(errs, err)
		out.WorkerConfig[kind] = text(whole)
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

// engineBlock is what the engine reads of a worker's block, as upstream's test hands it over: without the test's own
// keys, with a file of defaults that it may name, and with two paths resolved: the speculative model's, relative to the
// models, and the load balancer's, relative to the checkout.
func engineBlock(b yamlfile.Block, src Source) (yamlfile.Block, error) {
	file, named := b.Get("extra_llm_api_config_path").Scalar()
	b = b.Without(ownKeys[:]...)
	if named && file != "" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(src.Checkout, file)
		}
		data, err := src.Read(file)
		if err != nil {
			return b, fmt.Errorf("cannot read the engine's defaults (extra_llm_api_config_path): %w", err)
		}
		defaults, err := yamlfile.ParseBlock(file, string(data))
		switch {
		case err != nil:
		case !defaults.Absent() && !defaults.IsMapping():
			err = &yamlfile.Error{File: file, Line: defaults.Line(), Problem: "want keys and values"}
		default:
			b, err = yamlfile.Over(defaults, b)
		}
		if err != nil {
			return b, err
		}
	}
	if src.ModelsRoot != "" {
		b = b.JoinPath(src.ModelsRoot, "speculative_config", "speculative_model")
	}
	if src.Checkout != "" {
		b = b.JoinPath(src.Checkout, "moe_config", "load_balancer")
	}
	return b, nil
}
