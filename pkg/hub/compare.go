package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/decide"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// compareBound is how long the comparison with earlier runs may hold the verdict.
const compareBound = 20 * time.Second

// compare lets the results be compared with those of earlier runs, if everything else went well. Statistics are no part
// of an agent, so disagg-submit does it. A comparison that fails says that nothing can be told.
func (h *Hub) compare(now time.Time) {
	gate := h.opts.Plan.Gate
	if gate.Mode == plan.GateOff || gate.Mode == "" || h.machine.Cause() != nil || h.opts.Uploader == "" ||
		len(h.points) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), compareBound)
	defer cancel()
	v, err := judged(ctx, h.opts.Uploader, string(h.opts.Attempt))
	if err != nil {
		h.opts.Log.Warn("cannot compare with earlier runs", zap.Error(err))
		v = protocol.RegressionVerdict{
			Status: protocol.RegressionUnknown, Reason: err.Error(), Detector: gate.Detector,
			Findings: []protocol.RegressionFinding{},
		}
	}
	h.machine.Compared(v, now)
}

// earlyBound is how long the comparison may take that decides whether the servers are measured again.
const earlyBound = 4 * time.Second

// judgeEarly finds out whether what was measured is suspicious, in a goroutine of its own. What cannot be found out is
// no reason to measure again.
func (h *Hub) judgeEarly() {
	ctx, cancel := context.WithTimeout(context.Background(), earlyBound)
	defer cancel()
	suspicious := false
	if h.opts.Uploader != "" && h.opts.Disk.Flush(earlyBound/4) { // the records are there to be judged
		v, err := judged(ctx, h.opts.Uploader, string(h.opts.Attempt))
		if err != nil {
			h.opts.Log.Warn("cannot tell whether to measure again", zap.Error(err))
		}
		suspicious = v.Suspicious()
	}
	h.answers <- decide.Judged{Suspicious: suspicious}
}

// judged is what a program says of an attempt's results.
func judged(ctx context.Context, program, attempt string) (v protocol.RegressionVerdict, err error) {
	cmd := exec.CommandContext(ctx, program, "judge", "--json", attempt)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return v, fmt.Errorf("cannot compare with earlier runs: it took longer than %v", compareBound)
	case errors.As(err, &ended) && len(out) > 0: // its code says what it found
	case err != nil:
		return v, fmt.Errorf("cannot compare with earlier runs: %w", err)
	}
	if err := json.Unmarshal(out, &v); err != nil || v.Status == "" {
		return v, errors.New("cannot compare with earlier runs: the answer cannot be read")
	}
	return v, nil
}
