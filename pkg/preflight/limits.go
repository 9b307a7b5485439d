package preflight

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

const (
	minFiles = 4096 // open files: a server has several for every request and every rank
	// minLocked is of locked memory, in bytes: what a network card reads and writes is locked, such as the KV cache.
	minLocked    = 1 << 30
	minProcesses = 4096 // and threads, of this user on the host: a rank has hundreds
)

// limits looks at the limits of a process that is started here, as the child will be. The agent's own say nothing:
// Go's runtime raises its limit of open files, and lowers it again for its children. They are only told: an engine may
// get along, or raise them itself.
func (h Host) limits(ctx context.Context) []protocol.Finding {
	out, code, err := h.Run(ctx, "cat", "/proc/self/limits")
	if err != nil || code != 0 {
		return nil // it cannot be asked
	}
	is := softLimits(string(out))
	const scheduler = "for tasks, %s of the scheduler's daemon)"
	var found []protocol.Finding
	if n, ok := is["Max open files"]; ok && n < minFiles {
		what := fmt.Sprintf("a process may have %d files open: want %d: raise the limit (ulimit -n; "+scheduler, n,
			minFiles, "LimitNOFILE")
		found = append(found, told(protocol.CheckLimits, what)...)
	}
	if n, ok := is["Max processes"]; ok && n < minProcesses && h.GPUs > 0 {
		what := fmt.Sprintf("a user may have %d processes and threads: want %d: raise the limit (ulimit -u; "+scheduler,
			n, minProcesses, "LimitNPROC")
		found = append(found, told(protocol.CheckLimits, what)...)
	}
	if n, ok := is["Max locked memory"]; ok && n < minLocked && h.GPUs > 0 && h.HasRDMA() {
		what := fmt.Sprintf("a process may lock %s of memory: RDMA wants no limit: raise it (ulimit -l; "+scheduler,
			mib(n), "LimitMEMLOCK")
		found = append(found, told(protocol.CheckLimits, what)...)
	}
	return found
}

// HasRDMA tells whether this host has a network card that reads and writes memory by itself, as MPI and UCX use it.
func (h Host) HasRDMA() bool {
	cards, _ := os.ReadDir(orElse(h.RDMA, "/sys/class/infiniband")) // none: it has none
	return len(cards) > 0
}

// softLimits reads what the kernel says of a process's limits: name, soft limit, hard limit and unit in columns. What
// is unlimited, or cannot be read, is left out.
func softLimits(text string) map[string]int64 {
	is := map[string]int64{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, "  ")
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil && n >= 0 {
			is[strings.TrimSpace(name)] = n
		}
	}
	return is
}
