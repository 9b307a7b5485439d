package perfsanity

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/shellwords"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// config is a case's YAML: every key that any generation of upstream's files has in the groups that the tool acts on,
// whether it uses the key or not. Keys that begin with x- may stand beside them, for anchors.
type config struct {
	Metadata     metadata    `yaml:"metadata"`
	Slurm        slurm       `yaml:"slurm"`
	Benchmark    benchmark   `yaml:"benchmark"`
	Hardware     hardware    `yaml:"hardware"`
	Environment  environment `yaml:"environment"`
	WorkerConfig worker      `yaml:"worker_config"`

	Accuracy accuracy `yaml:"accuracy"`
	// ServerExtra is merged into the coordinator's configuration.
	ServerExtra yamlfile.Block `yaml:"server_config_extra"`
	// Router is the coordinator's, for prefill and decode servers.
	Router    yamlfile.Block `yaml:"router_config"`
	CtxRouter yamlfile.Block `yaml:"ctx_router_config"` // That for prefill servers; wins over router_config.
	GenRouter yamlfile.Block `yaml:"gen_router_config"` // That for decode servers; wins over router_config.
	// InternalAuthKey is read by upstream's test. Without it the tool makes a key for each attempt.
	InternalAuthKey yamlfile.Block `yaml:"internal_request_auth_key"`
	// Sequence had the lengths in the oldest files. Nobody reads it.
	Sequence yamlfile.Block `yaml:"sequence"`
	// Profiling is not carried out; the plan says so if nsys_on is true.
	Profiling yamlfile.Block `yaml:"profiling"`
	// PrecheckSettings are not carried out; the plan says so if enabled is true.
	PrecheckSettings yamlfile.Block `yaml:"cache_transceiver_precheck"`
}

// metadata says what is measured. It may have any other key.
type metadata struct {
	// ModelName is needed. The profile's models, then those of the checkout, say in which folder it is.
	ModelName string `yaml:"model_name"`
	Precision string `yaml:"precision"` // Goes into the records.
	// ModelDirName is looked for below models_root, after the folders that profile and checkout know.
	ModelDirName string `yaml:"model_dir_name"`
	// SupportedGPUs choose what the profile has by_gpu: the first that it knows.
	SupportedGPUs []string       `yaml:"supported_gpus"`
	Others        map[string]any `yaml:",inline"`
}

// slurm is about the job. What it says of a cluster is not used.
type slurm struct {
	ScriptFile string `yaml:"script_file"` // Not used.
	Partition  string `yaml:"partition"`   // Not used: --partition and the profile say it.
	Account    string `yaml:"account"`     // Not used: --account and the profile say it.
	// JobTime is the limit of the job, in any of Slurm's notations; 2:00:00 if it is absent. A flag, the profile and a
	// list's TIMEOUT win over it.
	JobTime   jobTime `yaml:"job_time"`
	JobName   string  `yaml:"job_name"`   // Not used: run and case name the job.
	ExtraArgs string  `yaml:"extra_args"` // Not used: sbatch_args of the profile are.
	// NUMABind puts numactl before every worker.
	NUMABind bool `yaml:"numa_bind"`
	// Timeout is how long the coordinator waits for workers and requests, in seconds; 10800 if it is absent.
	Timeout    int            `yaml:"timeout"`
	SetSegment yamlfile.Block `yaml:"set_segment"` // Not used.
}

// fault tells what is wrong with the timeout, "" if nothing is.
func (s slurm) fault() string {
	if s.Timeout < 0 || s.Timeout > maxSeconds {
		return fmt.Sprintf("%d: want seconds, 0 to %d", s.Timeout, maxSeconds)
	}
	return ""
}

// serverTimeout is how long the coordinator waits, as upstream's test has it.
func (s slurm) serverTimeout() roles.Duration {
	if s.Timeout > 0 {
		return roles.Duration(time.Duration(s.Timeout) * time.Second)
	}
	return roles.Duration(3 * time.Hour)
}

// benchmark is the load.
type benchmark struct {
	// Mode is e2e (if it is absent), gen_only, gen_only_no_context or ctx_only. --mode and the test id win over it.
	Mode Mode `yaml:"mode"`
	// UseSAClient takes the SemiAnalysis client of upstream's test.
	UseSAClient bool `yaml:"use_nv_sa_benchmark"`
	// MultiRound times the concurrency is the number of requests of a point; 1 if it is absent.
	MultiRound int `yaml:"multi_round"`
	// Ratio is the client's --random-range-ratio, which spreads the lengths; 0 or more.
	Ratio     float64 `yaml:"benchmark_ratio"`
	Streaming *bool   `yaml:"streaming"` // True if it is absent.
	// Concurrency is needed: one number, several with blanks between them, or a list. Each is a point; gen_only
	// measures the first.
	Concurrency concurrency `yaml:"concurrency_list"`
	// InputLength is how many tokens a prompt has; 1024 if it is absent.
	InputLength int `yaml:"input_length"`
	// OutputLength is how many tokens are asked for; 1024 if it is absent.
	OutputLength int `yaml:"output_length"`
	// DatasetFile has the prompts, below models_root. Without it, or with a placeholder in angle
	// brackets, they are random.
	DatasetFile string `yaml:"dataset_file"`
	// OnlyAccuracy measures nothing, if accuracy is enabled.
	OnlyAccuracy bool `yaml:"only_run_accuracy"`
	// Client is refused whatever it is: leave it out.
	Client string `yaml:"benchmark_client"`
	// ClientTimeout is for upstream's test, as the next three keys are.
	ClientTimeout int `yaml:"client_timeout_seconds"`

	Drain       yamlfile.Block `yaml:"post_benchmark_drain_seconds"`
	Activations yamlfile.Block `yaml:"expected_context_activations"`
	PeerReady   yamlfile.Block `yaml:"expected_peer_ready_mode"`
	// ABArms are refused: make a case of each arm.
	ABArms  yamlfile.Block `yaml:"agreement_ab_arms"`
	Metrics yamlfile.Block `yaml:"metrics"` // Not used.
}

// accuracy is what upstream's test evaluates once its clients are done. It may have other keys, which the test reads.
type accuracy struct {
	Enabled bool           `yaml:"enable_accuracy_test"`
	Others  map[string]any `yaml:",inline"`
}

// dataset is the file that prompts come from, "" for random ones.
func (b benchmark) dataset() string {
	if strings.HasPrefix(b.DatasetFile, "<") { // a placeholder
		return ""
	}
	return b.DatasetFile
}

// hardware says how many servers there are.
type hardware struct {
	GPUsPerNode   *int `yaml:"gpus_per_node"`   // Needed.
	NumCtxServers *int `yaml:"num_ctx_servers"` // Needed; 0: decode alone.
	NumGenServers *int `yaml:"num_gen_servers"` // Needed, at least 1.
	// GPUsPerCtxServer counts where worker_config.ctx has no sizes.
	GPUsPerCtxServer int `yaml:"gpus_per_ctx_server"`
	// GPUsPerGenServer counts where worker_config.gen has no sizes.
	GPUsPerGenServer int `yaml:"gpus_per_gen_server"`
}

// environment has the variables of each role. Any other key is about a cluster and not used: the profile says it. The
// plan names such a key, unless its value is a placeholder in angle brackets.
type environment struct {
	Worker    vars           `yaml:"worker_env_var"`     // For prefill and decode servers.
	CtxWorker vars           `yaml:"ctx_worker_env_var"` // For prefill servers; wins over the common ones.
	GenWorker vars           `yaml:"gen_worker_env_var"` // For decode servers; wins over the common ones.
	Server    vars           `yaml:"server_env_var"`     // For the coordinator.
	Benchmark vars           `yaml:"benchmark_env_var"`  // For the benchmark.
	Client    vars           `yaml:"client_env_var"`     // For the benchmark too; wins.
	Others    map[string]any `yaml:",inline"`
}

// worker has the engine's own settings, which are handed over as they stand, but for what follows.
type worker struct {
	Gen       yamlfile.Block `yaml:"gen"`            // Of decode servers; needed.
	Ctx       yamlfile.Block `yaml:"ctx"`            // Of prefill servers; needed if there are any.
	EPLBSlots yamlfile.Block `yaml:"eplb_num_slots"` // Not used.
}

// parallel is the part of a worker's block that the layout needs. The product of the first three is the number of GPUs
// of a server; each is 1 if it is absent. Expert parallelism is no factor.
type parallel struct {
	Tensor   int `yaml:"tensor_parallel_size"`
	Pipeline int `yaml:"pipeline_parallel_size"`
	Context  int `yaml:"context_parallel_size"`
	// Frontends above 1 need the recipe trtllm-pytest.
	Frontends int `yaml:"num_serve_frontends"`
	// World is the number of GPUs in ctx_only, whatever the sizes say; nothing else reads it.
	World int `yaml:"world_size"`

	explicit int // generation 0 gives the number of GPUs itself
}

// maxServerGPUs bounds a server. No machine has so many: more is a slip, and the product of slips no number any more.
const maxServerGPUs = 100_000

// gpus is the size of one server, at most one more than maxServerGPUs.
func (p parallel) gpus() int {
	if n := p.world(); p.explicit <= 0 || n > 1 {
		return n
	}
	return min(p.explicit, maxServerGPUs+1)
}

// world is the product of the sizes. Expert parallelism is not a factor: it splits the same GPUs again.
func (p parallel) world() int {
	n := 1
	for _, size := range []int{p.Tensor, p.Pipeline, p.Context} {
		n = min(n, maxServerGPUs+1) * min(max(size, 1), maxServerGPUs+1)
	}
	return min(n, maxServerGPUs+1)
}

// fault tells what is wrong with the sizes, "" if nothing is.
func (p parallel) fault() string {
	switch n := min(p.Tensor, p.Pipeline, p.Context, p.World, p.explicit); {
	case n < 0:
		return fmt.Sprintf("a size of %d: want at least 1", n)
	case max(p.gpus(), p.World) > maxServerGPUs:
		return fmt.Sprintf("one server has more than %d GPUs", maxServerGPUs)
	case p.explicit > 0 && p.world() > 1 && p.explicit != p.world():
		return fmt.Sprintf("its sizes multiply to %d GPUs, but hardware says %d: remove one of them", p.world(),
			p.explicit)
	}
	return ""
}

// vars are a role's variables: one text of NAME=VALUE words, quoted as for a shell.
type vars []roles.Var

func (v *vars) UnmarshalYAML(n *yamlfile.Node) error {
	if err := isText(n, "one text of NAME=VALUE words"); err != nil {
		return err
	}
	words, err := shellwords.Split(n.Value)
	if err != nil {
		return &yamlfile.Error{Line: n.Line, Problem: err.Error()}
	}
	*v = nil
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || !protocol.IsVariable(name) {
			return &yamlfile.Error{Line: n.Line, Problem: fmt.Sprintf("%.200q is not NAME=VALUE", w)}
		}
		if fault := protocol.VariableFault(name); fault != "" {
			return &yamlfile.Error{Line: n.Line, Problem: name + " " + fault}
		}
		*v = append(*v, roles.Var{Name: name, Value: value})
	}
	return nil
}

// isText fails for a list and a mapping: a node's text is empty then, and what stands there would be lost.
func isText(n *yamlfile.Node, want string) error {
	switch n.ShortTag() {
	case "!!seq":
		return &yamlfile.Error{Line: n.Line, Problem: "a list: want " + want}
	case "!!map":
		return &yamlfile.Error{Line: n.Line, Problem: "keys and values: want " + want}
	}
	return nil
}

// UnmarshalYAML reads a mode; an empty one leaves it to the test id.
func (m *Mode) UnmarshalYAML(n *yamlfile.Node) (err error) {
	if err := isText(n, "a mode"); err != nil || n.Value == "" || n.Tag == "!!null" {
		return err
	}
	if *m, err = ParseMode(n.Value); err != nil {
		return &yamlfile.Error{Line: n.Line, Problem: err.Error()}
	}
	return nil
}

// jobTime is a time limit in Slurm's notations.
type jobTime roles.Duration

func (t *jobTime) UnmarshalYAML(n *yamlfile.Node) error {
	d, err := parseJobTime(n.Value)
	if err != nil {
		return &yamlfile.Error{Line: n.Line, Problem: err.Error()}
	}
	*t = jobTime(d)
	return nil
}

// sexagesimal is from where a bare number is what YAML 1.1 makes of an unquoted 12:00:00, in seconds: as minutes it
// would be more than a month.
const sexagesimal = 43200

func parseJobTime(text string) (roles.Duration, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= sexagesimal && n <= maxSeconds {
		return roles.Duration(time.Duration(n) * time.Second), nil
	}
	return roles.ParseLimit(text)
}

// Bounds of what a case may ask for. More is a slip: the run would never end.
const (
	maxConcurrency = 1_000_000
	maxPoints      = 1000
	maxRounds      = 1_000_000
	maxSeconds     = 10 * 365 * 24 * 3600
)

// isRatio tells whether a number can be a ratio. JSON, which the plan is in, has no word for the others of YAML's.
func isRatio(r float64) bool { return r >= 0 && !math.IsInf(r, 1) }

// concurrency is one value or several: 256, '256', "1 2 4" or [1, 2, 4]. Upstream's test fails on a comma in a text.
type concurrency []int

func (c *concurrency) UnmarshalYAML(n *yamlfile.Node) error {
	if err := isText(n, "whole numbers"); err != nil && n.ShortTag() != "!!seq" {
		return err
	}
	words := strings.Fields(n.Value)
	for _, item := range n.Content {
		words = append(words, item.Value)
	}
	*c = nil
	for _, w := range words {
		v, err := strconv.Atoi(w)
		if err != nil || v < 1 || v > maxConcurrency {
			return &yamlfile.Error{Line: n.Line, Problem: fmt.Sprintf(
				"%.200q is not a concurrency: want whole numbers from 1 to %d", w, maxConcurrency)}
		}
		*c = append(*c, v)
	}
	if len(*c) > maxPoints {
		return &yamlfile.Error{Line: n.Line, Problem: fmt.Sprintf("%d points: want at most %d", len(*c), maxPoints)}
	}
	if len(*c) == 0 {
		return &yamlfile.Error{Line: n.Line, Problem: "no concurrency: want at least one whole number above 0"}
	}
	return nil
}
