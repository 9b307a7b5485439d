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
// whether it uses the key or not.
type config struct {
	Metadata     metadata    `yaml:"metadata"`
	Slurm        slurm       `yaml:"slurm"`
	Benchmark    benchmark   `yaml:"benchmark"`
	Hardware     hardware    `yaml:"hardware"`
	Environment  environment `yaml:"environment"`
	WorkerConfig worker      `yaml:"worker_config"`

	Sequence         yamlfile.Block `yaml:"sequence"` // of the oldest files
	Profiling        yamlfile.Block `yaml:"profiling"`
	Accuracy         accuracy       `yaml:"accuracy"`
	ServerExtra      yamlfile.Block `yaml:"server_config_extra"`
	Router           yamlfile.Block `yaml:"router_config"`
	CtxRouter        yamlfile.Block `yaml:"ctx_router_config"`
	GenRouter        yamlfile.Block `yaml:"gen_router_config"`
	InternalAuthKey  yamlfile.Block `yaml:"internal_request_auth_key"`
	PrecheckSettings yamlfile.Block `yaml:"cache_transceiver_precheck"`
}

// metadata describes the case; upstream adds keys to it freely, so it is not strict.
type metadata struct {
	ModelName     string         `yaml:"model_name"`
	Precision     string         `yaml:"precision"`
	ModelDirName  string         `yaml:"model_dir_name"`
	SupportedGPUs []string       `yaml:"supported_gpus"`
	Others        map[string]any `yaml:",inline"`
}

type slurm struct {
	ScriptFile string         `yaml:"script_file"`
	Partition  string         `yaml:"partition"`
	Account    string         `yaml:"account"`
	JobTime    jobTime        `yaml:"job_time"`
	JobName    string         `yaml:"job_name"`
	ExtraArgs  string         `yaml:"extra_args"`
	NUMABind   bool           `yaml:"numa_bind"`
	Timeout    int            `yaml:"timeout"` // seconds
	SetSegment yamlfile.Block `yaml:"set_segment"`
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

type benchmark struct {
	Mode          Mode        `yaml:"mode"` // the test id comes first
	UseSAClient   bool        `yaml:"use_nv_sa_benchmark"`
	MultiRound    int         `yaml:"multi_round"`
	Ratio         float64     `yaml:"benchmark_ratio"`
	Streaming     *bool       `yaml:"streaming"` // true unless said otherwise
	Concurrency   concurrency `yaml:"concurrency_list"`
	InputLength   int         `yaml:"input_length"`
	OutputLength  int         `yaml:"output_length"`
	DatasetFile   string      `yaml:"dataset_file"`
	OnlyAccuracy  bool        `yaml:"only_run_accuracy"`
	Client        string      `yaml:"benchmark_client"`
	ClientTimeout int         `yaml:"client_timeout_seconds"`

	Drain       yamlfile.Block `yaml:"post_benchmark_drain_seconds"`
	Activations yamlfile.Block `yaml:"expected_context_activations"`
	PeerReady   yamlfile.Block `yaml:"expected_peer_ready_mode"`
	ABArms      yamlfile.Block `yaml:"agreement_ab_arms"`
	Metrics     yamlfile.Block `yaml:"metrics"`
}

// accuracy is what upstream's test evaluates once its clients are done.
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

type hardware struct {
	GPUsPerNode      *int `yaml:"gpus_per_node"`
	NumCtxServers    *int `yaml:"num_ctx_servers"`
	NumGenServers    *int `yaml:"num_gen_servers"`
	GPUsPerCtxServer int  `yaml:"gpus_per_ctx_server"` // generation 0; otherwise follows from worker_config
	GPUsPerGenServer int  `yaml:"gpus_per_gen_server"`
}

// environment holds placeholders that upstream's CI never fills, and the variables of each role.
type environment struct {
	Worker    vars           `yaml:"worker_env_var"`
	CtxWorker vars           `yaml:"ctx_worker_env_var"`
	GenWorker vars           `yaml:"gen_worker_env_var"`
	Server    vars           `yaml:"server_env_var"`
	Benchmark vars           `yaml:"benchmark_env_var"`
	Client    vars           `yaml:"client_env_var"`
	Others    map[string]any `yaml:",inline"`
}

type worker struct {
	Gen       yamlfile.Block `yaml:"gen"`
	Ctx       yamlfile.Block `yaml:"ctx"`
	EPLBSlots yamlfile.Block `yaml:"eplb_num_slots"`
}

// parallel is the part of a worker's block that the layout needs.
type parallel struct {
	Tensor    int `yaml:"tensor_parallel_size"`
	Pipeline  int `yaml:"pipeline_parallel_size"`
	Context   int `yaml:"context_parallel_size"`
	Frontends int `yaml:"num_serve_frontends"`
	World     int `yaml:"world_size"` // prefill alone has so many, whatever the sizes say; nothing else reads it

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
