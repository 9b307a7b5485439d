package protocol

import "cmp"

// Provenance is where a result comes from. What could not be found out is absent, not guessed.
type Provenance struct {
	RunDir    string   `json:"run_dir,omitempty"`
	User      string   `json:"user,omitempty"`
	Tool      string   `json:"tool,omitempty"`     // version of disagg
	Hosts     []string `json:"hosts,omitempty"`    // that the ranks of all servers ran on
	GPU       string   `json:"gpu,omitempty"`      // the kind of GPU that was planned for, such as GB200
	GPUName   string   `json:"gpu_name,omitempty"` // what the servers' hosts call their GPUs
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

// With is the provenance with what was found out while the job ran.
func (p Provenance) With(found Provenance) Provenance {
	p.Hosts = found.Hosts
	p.GPUName, p.Driver = cmp.Or(found.GPUName, p.GPUName), cmp.Or(found.Driver, p.Driver)
	p.Engine = cmp.Or(found.Engine, p.Engine)
	return p
}
