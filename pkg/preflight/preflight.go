package preflight

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Names of the checks, as a profile switches them off.
const (
	GPUs         = "gpus"          // as many GPUs as planned are visible and answer
	GPUProcesses = "gpu_processes" // no process of an earlier job of this user holds GPU memory
	SharedMemory = "shm"           // no segments in /dev/shm that nobody uses any more
	Disk         = "disk"          // room for logs and results, and in the temporary folder
	Memory       = "memory"        // free memory
	RunDirectory = "rundir"        // it can be written, and others see what is written
	Clock        = "clock"         // this host's clock agrees with the hub's
	Network      = "network"       // every leader reaches every other
)

// Names lists every check.
func Names() []string {
	return []string{GPUs, GPUProcesses, SharedMemory, Disk, Memory, RunDirectory, Clock, Network}
}

// Finding is what a check has to say.
type Finding struct {
	Check  string `json:"check"`
	Fatal  bool   `json:"fatal,omitempty"`
	Detail string `json:"detail"`
}

// Host is what to look at on one host.
type Host struct {
	GPUs            int    // planned on this host; 0: none
	RunDir          string // must be writable
	MinDisk         int64  // free bytes where RunDir is
	MinMemory       int64  // free bytes
	MaxSharedMemory int64  // bytes in /dev/shm that may be left over
	JobID           string // Slurm's, of this job; its own processes are no leftovers
	Off             []string

	// Run runs a program and returns its output and exit code; the end of the context kills it.
	Run func(ctx context.Context, argv ...string) (output []byte, code int, err error)

	Proc, Shm, Temp string // /proc, /dev/shm and the temporary folder; "" for the system's
}

// bound is how long one host's checks may take.
const bound = 1500 * time.Millisecond

// Check runs every check that is not off, and returns what they have to say in the order of their names.
func (h Host) Check(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	checks := map[string]func(context.Context) []Finding{
		GPUs: h.gpus, GPUProcesses: h.gpuProcesses, SharedMemory: h.sharedMemory, Disk: h.disk, Memory: h.memory, RunDirectory: h.runDirectory,
	}
	var mu sync.Mutex
	found := map[string][]Finding{}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for name, check := range checks {
		if slices.Contains(h.Off, name) {
			continue
		}
		wg.Go(func() {
			list := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			found[name] = list
		})
	}
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done(): // a check hangs in the kernel: a file system that does not answer
	}
	mu.Lock()
	defer mu.Unlock()
	var all []Finding
	for _, name := range Names() {
		list, answered := found[name]
		if _, asked := checks[name]; asked && !answered && !slices.Contains(h.Off, name) {
			list = []Finding{{Check: name, Fatal: name == RunDirectory, Detail: "no answer within " + bound.String()}}
		}
		all = append(all, list...)
	}
	return all
}

func fatal(check, detail string) []Finding {
	return []Finding{{Check: check, Fatal: true, Detail: detail}}
}
func told(check, detail string) []Finding { return []Finding{{Check: check, Detail: detail}} }

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
