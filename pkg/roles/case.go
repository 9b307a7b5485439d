package roles

// Case is what a test asks for, free of any engine: the sizes that the layout needs, the load that the benchmark
// applies, and the blocks that only the engine understands.
type Case struct {
	Name   string `json:"name"`           // the config's base name
	TestID string `json:"test_id"`        // what stands between the brackets of test_e2e[…]
	Mode   string `json:"mode"`           // e2e, gen_only, gen_only_no_context, ctx_only; "": as servers say
	Upload bool   `json:"upload"`         // the test id asks for its results to be kept
	File   string `json:"file,omitempty"` // the case's YAML, copied into the run directory
	Origin Origin `json:"origin"`
	Model  string `json:"model"` // upstream's key of the model, e.g. deepseek_r1_0528_fp4_v2
	// ModelDirs are where the model may be below the models root, the better ones first.
	ModelDirs []string `json:"model_dirs,omitempty"`
	// Traits are what not every recipe can do.
	Traits []Trait `json:"traits,omitempty"`
	// Notes say what the case asks for and nobody carries out.
	Notes []string `json:"notes,omitempty"`
	// Settings are what was asked for in place of what the case's file, and the recipe, have.
	Settings []Setting `json:"settings,omitempty"`

	Precision     string   `json:"precision,omitempty"`
	SupportedGPUs []string `json:"supported_gpus,omitempty"`

	Load Load `json:"load"`

	GPUsPerNode int             `json:"gpus_per_node"`
	Servers     map[Kind]Server `json:"servers"` // of GEN and CTX

	WorkerConfig  map[Kind]string `json:"worker_config"`            // YAML, as the engine reads it
	Backends      map[Kind]string `json:"backends,omitempty"`       // the engine's back end; none: its own default
	ServerExtra   string          `json:"server_extra,omitempty"`   // YAML, merged into the coordinator's config
	Routers       map[Kind]string `json:"routers,omitempty"`        // YAML, the coordinator's router for a kind
	Env           map[Kind][]Var  `json:"env,omitempty"`            // in order; a later one wins
	NUMABind      bool            `json:"numa_bind,omitempty"`      // bind workers' memory to the CPU sockets
	TimeLimit     Duration        `json:"time_limit"`               // of the job
	ServerTimeout Duration        `json:"server_timeout,omitempty"` // upstream's bound on a server's life

	// Document is upstream's fields of the case, by the names that its database has them under; PointDocuments are
	// those of each point. What a name's prefix means tells package results.
	Document       map[string]any   `json:"document,omitempty"`
	PointDocuments []map[string]any `json:"point_documents,omitempty"`
}

// Load is what the benchmark applies.
type Load struct {
	Concurrency []int `json:"concurrency"` // one point each, in this order
	PointLoad
	Streaming bool `json:"streaming"`
	// Each is what each point has, where they differ in more than the concurrency.
	Each []PointLoad `json:"each,omitempty"`
	// Client is what sends the requests; "": the engine's own.
	Client string `json:"client,omitempty"`
	// StepTime says that the time of a decode step is part of every point.
	StepTime bool `json:"step_time,omitempty"`
	// AccuracyOnly says that nothing is measured: the test only evaluates answers.
	AccuracyOnly bool `json:"accuracy_only,omitempty"`
}

// PointLoad is the part of a load that may differ from point to point.
type PointLoad struct {
	Rounds       int     `json:"rounds"` // requests of a point = rounds * concurrency
	InputLength  int     `json:"input_length"`
	OutputLength int     `json:"output_length"`
	RangeRatio   float64 `json:"range_ratio"`
	Dataset      string  `json:"dataset,omitempty"`
}

// Of is what a point has besides its concurrency, by its index.
func (l Load) Of(point int) PointLoad {
	if point < len(l.Each) {
		return l.Each[point]
	}
	return l.PointLoad
}

// Points lists the concurrencies that are measured, one point each.
func (l Load) Points() []int {
	if l.AccuracyOnly {
		return nil
	}
	return l.Concurrency
}

// Origin is where a case comes from.
type Origin struct {
	Path   string `json:"path"`   // as it was found
	SHA256 string `json:"sha256"` // of what is run: what was found, with the settings written into it; in hex
}

// Trait is something about a case, or about the version of the test that runs it, that not every recipe can do.
type Trait string

// The traits.
const (
	Aggregated    Trait = "aggregated"      // one test starts the server and the client
	AddressFiles  Trait = "address-files"   // the test chooses ports, and the coordinator's stands in its configuration
	IDWithoutMode Trait = "id-without-mode" // the test takes the mode from the config
	TimeBreakdown Trait = "time-breakdown"  // servers tell how long the parts of a request took
	Frontends     Trait = "frontends"       // a server has several front ends, which cannot choose a port
	AccuracyOnly  Trait = "accuracy-only"   // nothing is measured
	SAClient      Trait = "sa-client"       // the SemiAnalysis client sends the requests
)

// Var is one environment variable.
type Var struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
