package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
)

// ownHealth is what a service's live probe found last. It is asked when the service is stopped: a service that hangs
// makes its dependents fail, which is often noticed before its own probe has failed often enough.
type ownHealth struct {
	mu      sync.Mutex
	asked   time.Time // when the probe that has not answered yet was sent; zero: none
	failing string    // why the last one failed, "" if it did not
	silent  bool      // it got no answer at all
	streak  int       // how many in a row failed
	since   time.Time // when the first of those in a row was sent
	ended   time.Time // when nobody asked any more; zero before
	begun   bool
	slow    time.Duration         // how long a probe may be without an answer before that means anything
	busy    *healthcheck.Progress // while it is made, that means nothing; nil: it always does
}

// slowAnswer is how long a probe without a short timeout may be without an answer.
const slowAnswer = time.Second

// noting wraps the live probe, which has a timeout, of a service that may be busy.
func (h *ownHealth) noting(p healthcheck.Probe, timeout time.Duration, busy *healthcheck.Progress) healthcheck.Probe {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow, h.busy = slowAnswer, busy
	if timeout > 0 {
		h.slow = min(slowAnswer, timeout/2)
	}
	return notingProbe{p, h}
}

type notingProbe struct {
	probe  healthcheck.Probe
	health *ownHealth
}

// Probe implements healthcheck.Probe.
func (n notingProbe) Probe(ctx context.Context) error {
	n.health.ask(time.Now())
	err := n.probe.Probe(ctx)
	n.health.answer(time.Now(), err, ctx.Err() != nil)
	return err
}

func (h *ownHealth) ask(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.begun = now, true
}

func (h *ownHealth) answer(now time.Time, err error, ended bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ended: // what it was waiting for did not come
		h.ended = now
		return
	case err == nil:
		h.failing, h.streak = "", 0
	default:
		if h.streak++; h.streak == 1 {
			h.since = h.asked
		}
		h.failing, h.silent = err.Error(), noAnswer(err)
	}
	h.asked = time.Time{}
}

// noAnswer tells whether a probe failed because nobody answered, and not because of what was answered.
func noAnswer(err error) bool {
	f, ok := errors.AsType[*healthcheck.Failure](err)
	return ok && (f.Reason == healthcheck.Timeout || f.Reason == healthcheck.Refused)
}

// watched tells whether the live probe has been asked at all.
func (h *ownHealth) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun
}

// unwell tells why the service did not answer when it was last asked, and since when; "" if it did.
func (h *ownHealth) unwell(now time.Time) (why string, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended.IsZero() {
		now = h.ended
	}
	waited := time.Duration(0)
	if !h.asked.IsZero() {
		waited = now.Sub(h.asked)
	}
	switch {
	case h.streak > 1 || h.streak == 1 && (h.silent || waited > h.slow): // a single bad answer may have passed
		return h.failing, h.since.UTC()
	case waited > h.slow && (h.busy == nil || !h.busy.Since(h.asked)):
		return fmt.Sprintf("it has not answered for %v", waited.Round(100*time.Millisecond)), h.asked.UTC()
	}
	return "", time.Time{}
}
