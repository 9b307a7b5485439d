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
	minFiles  = 4096    // open files: a server has several for every request and every rank
	minLocked = 1 << 30 // bytes of locked memory: what a network card reads and writes is locked, such as the KV cache
)

// limits looks at the limits of a process that is started here, as the child will be. The agent's own say nothing:
// Go's runtime raises its limit of open files, and lowers it again for its children. Both limits are only told: an
// engine may get along, or raise them itself.
func (h Host) limits(ctx context.Context) []protocol.Finding {
	out, code, err := h.Run(ctx, "sh", "-c", "ulimit -S -n; ulimit -S -l")
	if err != nil || code != 0 {
		return nil // there is no such shell, or it does not know these limits
	}
	files, locked, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	var found []protocol.Finding
	if n, ok := limit(files); ok && n < minFiles {
		const act = "raise the limit (ulimit -n; for tasks, LimitNOFILE of the scheduler's daemon)"
		what := fmt.Sprintf("a process may have %d files open: want %d: %s", n, minFiles, act)
		found = append(found, told(protocol.CheckLimits, what)...)
	}
	if n, ok := limit(locked); ok && n<<10 < minLocked && h.GPUs > 0 && h.hasRDMA() {
		const act = "RDMA wants no limit: raise it (ulimit -l; for tasks, LimitMEMLOCK of the scheduler's daemon)"
		what := fmt.Sprintf("a process may lock %s of memory: %s", mib(n<<10), act)
		found = append(found, told(protocol.CheckLimits, what)...)
	}
	return found
}

// hasRDMA tells whether this host has a network card that reads and writes memory by itself, as MPI and UCX use it.
func (h Host) hasRDMA() bool {
	cards, _ := os.ReadDir(orElse(h.RDMA, "/sys/class/infiniband")) // none: it has none
	return len(cards) > 0
}

// limit reads what ulimit says; ok is false for "unlimited", and for what cannot be read.
func limit(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil && n >= 0 && n < 1<<53
}
