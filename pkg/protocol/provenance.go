package protocol

// Provenance is where a result comes from. What could not be found out is absent, not guessed.
type Provenance struct {
	RunDir    string   `json:"run_dir,omitempty"`
	User      string   `json:"user,omitempty"`
	Tool      string   `json:"tool,omitempty"`  // version of disagg
	Hosts     []string `json:"hosts,omitempty"` // that the ranks of all servers ran on
	GPU       string   `json:"gpu,omitempty"`   // model of the servers' GPUs
	AskedGPUs int      `json:"asked_gpus,omitempty"`
	UsedGPUs  int      `json:"used_gpus,omitempty"`
	Driver    string   `json:"driver,omitempty"` // version of the GPU driver
	Engine    string   `json:"engine,omitempty"` // version of the engine that served
	Commit    string   `json:"commit,omitempty"` // of the checkout that was tested
	Dirty     bool     `json:"dirty,omitempty"`  // the checkout had changes that are in no commit
	Branch    string   `json:"branch,omitempty"`
	Image     string   `json:"image,omitempty"` // of the container, as it was given
	CaseHash  string   `json:"case_hash,omitempty"`
	PlanHash  string   `json:"plan_hash,omitempty"` // of what was planned, without names, times and folders of this run
	// Warm says that the servers had served another measurement before.
	Warm bool     `json:"warm,omitempty"`
	Tags []string `json:"tags,omitempty"`
	Note string   `json:"note,omitempty"`
}
