package healthcheck

import (
	"context"
	"time"
)

// Ready is how readiness is decided.
type Ready struct {
	Period    time.Duration // between the starts of two probes
	Successes int           // in a row; 1 if 0
}

// Wait probes until the service is ready or the context ends; then it returns the context's cause. A change of the
// reason why it is not ready is told to onFailure, each distinct one once in a row.
func (r Ready) Wait(ctx context.Context, p Probe, onFailure func(error)) error {
	tick := time.NewTicker(r.Period)
	defer tick.Stop()
	last := ""
	for run := 0; ; {
		switch err := p.Probe(ctx); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			if run++; run >= max(r.Successes, 1) {
				return nil
			}
		default:
			run = 0
			if err.Error() != last {
				last = err.Error()
				onFailure(err)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
