package healthcheck

import (
	"context"
	"math/rand/v2"
	"time"
)

// Rule is how often a probe is asked, and how many answers in a row change the view.
type Rule struct {
	Period    time.Duration // between the starts of two probes
	Successes int           // in a row, and the service is healthy; 1 if 0
	Failures  int           // in a row, and it no longer is; 1 if 0
}

// Await probes until the service is healthy or the context ends; then it returns the context's cause. A change of the
// reason why it is not healthy is told to onFailure, each distinct one once in a row.
func (r Rule) Await(ctx context.Context, p Probe, onFailure func(error)) error {
	last := ""
	run := 0
	return r.each(ctx, p, func(err error) (over bool) {
		if err == nil {
			run++
			return run >= max(r.Successes, 1)
		}
		run = 0
		if text := err.Error(); text != last {
			last = text
			onFailure(err)
		}
		return false
	})
}

// Watch probes a service that was healthy until the context ends, and tells of every change: the failure that lost it,
// nil when it is back.
func (r Rule) Watch(ctx context.Context, p Probe, onChange func(error)) {
	lost, run := false, 0
	_ = r.each(ctx, p, func(err error) bool {
		if lost == (err != nil) {
			run = 0
			return false
		}
		run++
		if lost && run >= max(r.Successes, 1) || !lost && run >= max(r.Failures, 1) {
			lost, run = !lost, 0
			onChange(err)
		}
		return false
	})
}

// each hands the answers of one probe after another to judge until that says it is over. The first is asked at once;
// the others come up to a tenth of the period later than they could, so that probes of many services drift apart.
func (r Rule) each(ctx context.Context, p Probe, judge func(error) (over bool)) error {
	for {
		begun := time.Now()
		err := p.Probe(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if judge(err) {
			return nil
		}
		jitter := time.Duration(rand.Int64N(int64(r.Period)/10 + 1))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(r.Period - time.Since(begun) + jitter):
		}
	}
}
