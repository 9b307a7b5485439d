package preflight

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// How a host is tried: many times, a moment after each other, because packets are lost; a host whose packets are lost,
// one way or the other, in a third of all cases fails to answer once in ten million.
var hostTries = healthcheck.Tries{Most: 16, Pause: 25 * time.Millisecond, Bound: 750 * time.Millisecond}

// HostsAnswer tells by name whether the hosts at addresses answer at all: a connection that is refused is an answer of
// the host's kernel.
func HostsAnswer(ctx context.Context, addresses map[string]string) map[string]bool {
	answers := make(map[string]bool, len(addresses))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, address := range addresses {
		wg.Go(func() {
			alive := answersAt(ctx, address)
			mu.Lock()
			defer mu.Unlock()
			answers[name] = alive
		})
	}
	wg.Wait()
	return answers
}

// Reached tries whether the hosts of roles answer, and is the event that names those that do not.
func Reached(ctx context.Context, addresses map[string]string) protocol.Event {
	e := protocol.Event{Kind: protocol.EventReached}
	for name, alive := range HostsAnswer(ctx, addresses) {
		if r, err := roles.ParseRole(name); err == nil && !alive {
			e.Peers = append(e.Peers, r)
		}
	}
	slices.SortFunc(e.Peers, func(a, b roles.Role) int { return strings.Compare(a.String(), b.String()) })
	return e
}

// answersAt tries one address until it answers.
func answersAt(ctx context.Context, address string) bool {
	err := healthcheck.Connect(ctx, address, hostTries)
	return err == nil || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)
}
