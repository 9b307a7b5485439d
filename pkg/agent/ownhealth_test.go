package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
)

// probeFunc is a probe that a test plays.
type probeFunc func(context.Context) error

func (f probeFunc) Probe(ctx context.Context) error { return f(ctx) }

// What the live probe found last is told when the service is stopped, with when the first of the failures in a row was
// asked; a probe that was waiting for its answer then counts when it had waited for long.
func TestOwnHealth(t *testing.T) {
	fails, works := errors.New("refused"), error(nil)
	hangs := errors.New("hangs")
	silent, bad := &healthcheck.Failure{Reason: healthcheck.Timeout}, &healthcheck.Failure{Reason: healthcheck.Status}
	for name, tt := range map[string]struct {
		answers []error // a second after each other
		why     string
		since   time.Duration
	}{
		"never asked":            {nil, "", 0},
		"it works":               {[]error{works, works}, "", 0},
		"it works again":         {[]error{fails, works}, "", 0},
		"it failed once":         {[]error{works, fails}, "", 0},
		"it was silent once":     {[]error{works, silent}, "timeout", time.Second},
		"it answered badly once": {[]error{works, bad}, "", 0},
		"it fails":               {[]error{works, fails, fails}, "refused", time.Second},
		"it hangs":               {[]error{works, hangs}, "it has not answered for 3s", time.Second},
		"it failed, then hangs":  {[]error{fails, hangs}, "refused", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var h ownHealth
				begun := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				for _, answer := range tt.answers {
					probe := h.noting(probeFunc(func(ctx context.Context) error {
						if errors.Is(answer, hangs) {
							time.AfterFunc(3*time.Second, cancel) // the service is stopped
							<-ctx.Done()
							return ctx.Err()
						}
						return answer
					}), 0)
					_ = probe.Probe(ctx)
					time.Sleep(time.Second)
				}
				time.Sleep(time.Minute) // its process takes its time to end
				why, since := h.unwell(time.Now())
				if why != tt.why || why != "" && !since.Equal(begun.Add(tt.since)) {
					t.Errorf("%q since %v", why, since.Sub(begun))
				}
				if h.watched() != (len(tt.answers) > 0) {
					t.Errorf("watched: %t", h.watched())
				}
				cancel()
			})
		})
	}
}
