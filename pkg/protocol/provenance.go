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
	// Imported says that the point was read from a file later on; nil: it was recorded when it was measured.
	Imported *Import `json:"imported,omitempty"`
}

// Import is the file that a point was read from.
type Import struct {
	File   string   `json:"file"`
	SHA256 string   `json:"sha256"` // of the file's content, in hex
	Dated  TimeFrom `json:"dated"`  // where the time of the measurement comes from
}

// TimeFrom is where the time of a measurement that was imported comes from.
type TimeFrom string

// The ways in which a measurement is dated.
const (
	ByContent TimeFrom = "content" // the file says when it was
	ByFile    TimeFrom = "file"    // when the file was last written, which a copy may have changed
)

// TimesFrom lists every way.
func TimesFrom() []TimeFrom { return []TimeFrom{ByContent, ByFile} }

// With is the provenance with what was found out while the job ran.
func (p Provenance) With(found Provenance) Provenance {
	p.Hosts = found.Hosts
	p.GPUName, p.Driver = cmp.Or(found.GPUName, p.GPUName), cmp.Or(found.Driver, p.Driver)
	p.Engine, p.Warm = cmp.Or(found.Engine, p.Engine), p.Warm || found.Warm
	return p
}
