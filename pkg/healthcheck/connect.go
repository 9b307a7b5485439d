package healthcheck

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Tries is how often a connection is tried at the same time: TCP itself sends a lost packet again only after a second.
type Tries struct {
	Most  int           // 0: once
	Pause time.Duration // until the next is begun while none has been answered
	Bound time.Duration // how long an answer to any of them is waited for
}

// Connect connects and hangs up. It returns nil if one of the tries is answered, the answer if that is a refusal, and
// otherwise context.DeadlineExceeded once the bound is over, as [Within] measures it, or the error of the context.
func Connect(ctx context.Context, address string, tries Tries) error {
	most := max(tries.Most, 1)
	answers := make(chan error, most)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := Within(ctx, tries.Bound)
	defer cancel()
	dialer := &net.Dialer{KeepAlive: -1} // it is closed at once
	next := time.NewTimer(0)
	defer next.Stop()
	for begun, failed := 0, 0; ; {
		select {
		case <-next.C:
			if begun++; begun < most {
				next.Reset(tries.Pause)
			}
			wg.Go(func() {
				conn, err := dialer.DialContext(ctx, "tcp", address)
				if err == nil {
					_ = conn.Close()
				}
				answers <- err
			})
		case err := <-answers:
			if failed++; err == nil || !late(err) || failed == most {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// late tells whether a try has ended without an answer.
func late(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.Canceled) || errors.As(err, &timeout) && timeout.Timeout()
}
