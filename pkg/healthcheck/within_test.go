package healthcheck_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
)

// A context with a bound ends when that is over, when its parent ends, or when it is not needed any more.
func TestWithin(t *testing.T) {
	gone := errors.New("gone")
	for name, tt := range map[string]struct {
		end   func(parent context.CancelCauseFunc, cancel context.CancelFunc)
		err   error
		cause error
		after time.Duration
	}{
		"the bound": {nil, context.DeadlineExceeded, context.DeadlineExceeded, 1234 * time.Millisecond},
		"the parent": {
			func(p context.CancelCauseFunc, _ context.CancelFunc) { p(gone) }, context.Canceled, gone, 0,
		},
		"its owner": {
			func(_ context.CancelCauseFunc, c context.CancelFunc) { c() }, context.Canceled, context.Canceled, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, end := context.WithCancelCause(t.Context())
				defer end(nil)
				ctx, cancel := healthcheck.Within(parent, 1234*time.Millisecond)
				defer cancel()
				if ctx.Err() != nil {
					t.Error(ctx.Err())
				}
				child, stop := context.WithCancel(ctx)
				defer stop()
				begun := time.Now()
				if tt.end != nil {
					tt.end(end, cancel)
				}
				<-child.Done()
				if !errors.Is(child.Err(), tt.err) || !errors.Is(context.Cause(child), tt.cause) ||
					time.Since(begun) != tt.after {
					t.Errorf("%v, because of %v, after %v", child.Err(), context.Cause(child), time.Since(begun))
				}
			})
		})
	}
}
