package roles

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
