package preflight

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// Host is what to look at on one host.
type Host struct {
	GPUs            int      // planned on this host; 0: no worker runs here
	RunDir          string   // must be writable
	ModelsRoot      string   // the folder that models are in, which must be there; "": nobody asks
	ModelFolders    []string // of which one should be there; none: nobody asks
	NeedModel       bool     // one of them must be there
	MinDisk         int64    // free bytes where RunDir is
	MinMemory       int64    // free bytes
	MinSharedMemory int64    // size of /dev/shm, in bytes
	MaxSharedMemory int64    // bytes in it that may be left over
	JobVar          string   // variable by which a process's job can be told
	JobID           string   // its value for this job, whose own processes are no leftovers
	Off             []string

	// Run runs a program and returns its output and exit code; the end of the context kills it.
	Run func(ctx context.Context, argv ...string) (output []byte, code int, err error)

	// Proc, Shm, Temp and RDMA are /proc, /dev/shm, the temporary folder and the folder of RDMA cards; "" for the
	// system's.
	Proc, Shm, Temp, RDMA string
}

// bound is how long one host's checks may take.
const bound = 1500 * time.Millisecond

// Check runs every check that is not off, and returns what they have to say in the order of their names, and what was
// seen of the host on the way.
func (h Host) Check(ctx context.Context) ([]protocol.Finding, protocol.HostFacts) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	var mu sync.Mutex
	var facts protocol.HostFacts
	gpus := func(ctx context.Context) []protocol.Finding {
		list, seen := h.gpus(ctx)
		mu.Lock()
		defer mu.Unlock()
		facts = seen
		return list
	}
	checks := map[string]func(context.Context) []protocol.Finding{
		protocol.CheckGPUs: gpus, protocol.CheckGPUProcesses: h.gpuProcesses,
		protocol.CheckSharedMemory: h.sharedMemory, protocol.CheckDisk: h.disk, protocol.CheckMemory: h.memory,
		protocol.CheckLimits: h.limits, protocol.CheckModel: h.model, protocol.CheckRunDirectory: h.runDirectory,
	}
	found := map[string][]protocol.Finding{}
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
	var all []protocol.Finding
	for _, name := range protocol.Checks() {
		list, answered := found[name]
		if _, asked := checks[name]; asked && !answered && !slices.Contains(h.Off, name) {
			stuck := name == protocol.CheckRunDirectory
			list = []protocol.Finding{{Check: name, Fatal: stuck, Detail: "no answer within " + bound.String()}}
		}
		all = append(all, list...)
	}
	return all, facts
}

func fatal(check, detail string) []protocol.Finding {
	return []protocol.Finding{{Check: check, Fatal: true, Detail: detail}}
}
func told(check, detail string) []protocol.Finding {
	return []protocol.Finding{{Check: check, Detail: detail}}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
