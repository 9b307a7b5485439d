package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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
	v, err := h.judged(ctx)
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
		v, err := h.judged(ctx)
		if err != nil {
			h.opts.Log.Warn("cannot tell whether to measure again", zap.Error(err))
		}
		suspicious = v.Suspicious()
	}
	h.answers <- decide.Judged{Suspicious: suspicious}
}

// judged is what disagg-submit says of the attempt's results.
func (h *Hub) judged(ctx context.Context) (v protocol.RegressionVerdict, err error) {
	argv := []string{h.opts.Uploader, "judge", "--json", string(h.opts.Attempt)}
	out, code, err := h.opts.Run(ctx, argv, os.Environ())
	switch {
	case ctx.Err() != nil:
		return v, fmt.Errorf("cannot compare with earlier runs: it took longer than %v", compareBound)
	case err != nil:
		return v, fmt.Errorf("cannot compare with earlier runs: %w", err)
	case code != 0 && len(out) == 0: // else its code says what it found
		return v, fmt.Errorf("cannot compare with earlier runs: exit status %d", code)
	}
	if err := json.Unmarshal(out, &v); err != nil || v.Status == "" {
		return v, errors.New("cannot compare with earlier runs: the answer cannot be read")
	}
	return v, nil
}
