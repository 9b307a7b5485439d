// Package post keeps notices, and sends them.
//
// Rules:
//   - A notice is durable in the user's data folder before it is sent, so that none is lost if its target is away, or
//     the run directory does not answer. What could not be sent is tried again later, for a week.
//   - Each notice is sent to a target once, as far as that can be told: what was sent is noted, two processes do not
//     send the same one at once, and a target that is sent it twice all the same can tell by its id.
//   - Sending is bounded, changes no verdict, and goes nowhere but to what was named. What a target will never take is
//     set aside with the reason.
//   - Secrets are read when they are needed, and neither kept nor shown.
package post

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/disagg/disagg/pkg/notice"
)

// Report is how telling one target went.
type Report struct {
	Target string
	Notice notice.Notice
	Sent   bool
	Before bool  // it was sent before, and not again
	Dead   bool  // the target will never take it
	Err    error // why it was not sent, or not kept
}

// Check tells whether notices can be sent to a target: its program is there, and its secrets can be read. Nothing is
// sent.
func Check(t notice.Target) error {
	if len(t.Command) > 0 {
		if _, err := exec.LookPath(t.Command[0]); err != nil {
			return fmt.Errorf("cannot notify by %q: %w", t.Name, err)
		}
		return nil
	}
	if _, err := requestTo(t); err != nil {
		return fmt.Errorf("cannot notify %q: %w", t.Name, err)
	}
	return nil
}

// Tell keeps a notice for each target, and sends it. What was sent before is not sent again. The end of the context
// ends it; what was not sent by then is kept.
func (o Outbox) Tell(ctx context.Context, targets []notice.Target, n notice.Notice) []Report {
	reports := make([]Report, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() { reports[i] = o.tell(ctx, t, n.For(t.Name)) })
	}
	all.Wait()
	return reports
}

func (o Outbox) tell(ctx context.Context, t notice.Target, n notice.Notice) Report {
	if o.wasSent(n.ID) {
		return Report{Target: t.Name, Notice: n, Sent: true, Before: true}
	}
	k := Kept{Schema: 1, Target: t.Name, Notice: n}
	if len(t.Command) > 0 {
		k.Dir, _ = os.Getwd() // without one it is run where the process is
	}
	if err := o.keep(k); err != nil {
		r := Report{Target: t.Name, Notice: n, Err: err}
		if _, sent := send(ctx, t, k); sent == nil {
			r.Sent = true
		} else {
			r.Err = errors.Join(sent, err)
		}
		return r
	}
	return o.try(ctx, n.ID)
}

// Retry tries to send what is kept. The end of the context ends it.
func (o Outbox) Retry(ctx context.Context, kept []Kept) (reports []Report) {
	for _, k := range kept {
		if ctx.Err() != nil {
			break
		}
		reports = append(reports, o.try(ctx, k.Notice.ID))
	}
	return reports
}
