package protocol

import "github.com/disagg/disagg/pkg/roles"

// Names of the preflight checks, as a profile switches them off.
const (
	CheckGPUs         = "gpus"          // as many GPUs as planned are visible and answer
	CheckGPUProcesses = "gpu_processes" // no process of an earlier job of this user holds GPU memory
	CheckSharedMemory = "shm"           // /dev/shm is large enough and not full of what nobody uses any more
	CheckDisk         = "disk"          // room for logs and results, and in the temporary folder
	CheckMemory       = "memory"        // free memory
	CheckLimits       = "limits"        // locked memory and open files
	CheckModel        = "model"         // the model's folder is there
	CheckRunDirectory = "rundir"        // it can be written, and others see what is written
	CheckClock        = "clock"         // this host's clock agrees with the hub's
	CheckAddress      = "address"       // no two hosts have one address
	CheckNetwork      = "network"       // every leader reaches every other
)

// Checks lists the name of every preflight check.
func Checks() []string {
	return []string{
		CheckGPUs, CheckGPUProcesses, CheckSharedMemory, CheckDisk, CheckMemory, CheckLimits, CheckModel,
		CheckRunDirectory, CheckClock, CheckAddress, CheckNetwork,
	}
}

// Finding is what a preflight check has to say. A fatal one fails the job.
type Finding struct {
	Check  string `json:"check"`
	Fatal  bool   `json:"fatal,omitempty"`
	Detail string `json:"detail"`
}

// Findings is what one agent found before anything was started.
type Findings struct {
	Findings []Finding `json:"findings,omitempty"`
	// Reach says by role why it cannot be reached from here; "" if it can.
	Reach map[string]string `json:"reach,omitempty"`
	// Host is what was seen of the host, if it was checked.
	Host HostFacts `json:"host,omitzero"`
}

// HostFacts are about a host; what could not be seen is absent.
type HostFacts struct {
	GPUs   int    `json:"gpus,omitempty"`   // how many are visible, each counted once
	GPU    string `json:"gpu,omitempty"`    // name of its GPUs, as nvidia-smi has it
	Driver string `json:"driver,omitempty"` // version of their driver
}

// Preflight is preflight.json: what was found before any model was loaded.
type Preflight struct {
	Schema int                          `json:"schema"` // 1
	Hosts  []HostFindings               `json:"hosts"`
	Reach  map[string]map[string]string `json:"reach"` // from role to role: why it cannot be reached, "" if it can
}

// HostFindings is what an agent found on its host.
type HostFindings struct {
	Role     roles.Role `json:"role"`
	Rank     int        `json:"rank"`
	Node     string     `json:"node"`
	Findings []Finding  `json:"findings"`
	Host     HostFacts  `json:"host,omitzero"`
}
