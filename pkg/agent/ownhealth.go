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
	slow    time.Duration    // how long a probe may be without an answer before that means anything
	busy    healthcheck.Work // while it works, that means nothing; nil: it always does
	worked  func() bool      // since asked; nil: nobody looks
	starved healthcheck.Work // while it gets no processor, that means nothing either; nil: it always does
	waits   func() bool      // for a processor, since soon after it was asked; nil: nobody has looked
}

// slowAnswer is how long a probe without a short timeout may be without an answer.
const slowAnswer = time.Second

// noting wraps the live probe, which has a timeout, of a service that may be busy, or starved.
func (h *ownHealth) noting(
	p healthcheck.Probe, timeout time.Duration, busy, starved healthcheck.Work,
) healthcheck.Probe {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow, h.busy, h.starved = slowAnswer, busy, starved
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
	if n.health.starved != nil { // to look takes a moment: most answer sooner
		defer time.AfterFunc(n.health.slow/4, n.health.look).Stop()
	}
	err := n.health.explained(n.probe.Probe(ctx))
	n.health.answer(time.Now(), err, ctx.Err() != nil)
	return err
}

// explained adds to the failure of a service that gave no answer that it got no processor.
func (h *ownHealth) explained(err error) error {
	f, ok := errors.AsType[*healthcheck.Failure](err)
	if !ok || f.Reason != healthcheck.Timeout {
		return err
	}
	h.mu.Lock()
	waits := h.waits
	h.mu.Unlock()
	if waits == nil || !waits() {
		return err
	}
	return &healthcheck.Failure{Reason: f.Reason, Detail: f.Detail + "; its threads wait for a processor"}
}

func (h *ownHealth) ask(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.begun, h.waits = now, true, nil
	if h.busy != nil {
		h.worked = h.busy()
	}
}

// look begins to look whether a service that has not answered yet gets a processor.
func (h *ownHealth) look() {
	waits := h.starved()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waits = waits
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
		return h.failing, h.since
	case waited > h.slow && !(h.worked != nil && h.worked()) && !(h.waits != nil && h.waits()):
		return fmt.Sprintf("it has not answered for %v", waited.Round(100*time.Millisecond)), h.asked
	}
	return "", time.Time{}
}
