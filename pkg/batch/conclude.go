package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/disagg/disagg/pkg/decide/steps"
	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report/gather"
	"github.com/disagg/disagg/pkg/roles"
)

// conclude makes sure that there is a verdict, in a goroutine of its own: the run directory may not answer.
func (b *batch) conclude(e steps.Conclude) {
	done, ended := make(chan error, 1), make(chan error, 1)
	b.mu.Lock()
	verdict := b.verdict
	b.mu.Unlock()
	b.concluded = done
	go func() { ended <- b.keep(verdict, e) }()
	patience := concludeBound + b.opts.Plan.Timeouts.Upload.Std()
	if verdict != nil { // the run directory did not answer the hub: hardly anybody waits for it any more
		patience = noteAfter
	}
	go func() {
		var why error
		select {
		case why = <-ended:
		case <-time.After(patience):
			why = errSilent
		}
		if why != nil {
			why = b.note(verdict, e.Cause, why)
		}
		done <- why
	}()
}

const (
	// concludeBound is how long giving a verdict may take, without the upload.
	concludeBound = 3 * time.Second
	// noteAfter is how long a run directory that did not answer the hub has to answer now.
	noteAfter = 50 * time.Millisecond
	// noteBound is how long leaving a note may take.
	noteBound = 5 * time.Second
)

var errSilent = errors.New("the run directory does not answer")

// neverBegan leaves a verdict for a job whose run directory cannot be used: whoever watches it need not wait for one.
func (b *batch) neverBegan(why error) error {
	if b.single() {
		return why
	}
	return b.note(nil, protocol.Cause{
		Role: roles.Hub().Role, Subject: "the run directory", Kind: protocol.NeverStarted, Detail: why.Error(),
	}, why)
}

// keep writes the verdict if the hub has not.
func (b *batch) keep(verdict *protocol.Result, e steps.Conclude) error {
	if verdict != nil {
		return gather.Keep(b.opts.Plan, b.attempt, *verdict)
	}
	o := b.orphan()
	o.Asked = e.Asked
	return o.Conclude(e.Cause)
}

// orphan is the attempt, should its hub leave no verdict.
func (b *batch) orphan() hub.Orphan {
	return hub.Orphan{
		Plan: b.opts.Plan, Attempt: b.attempt, RunID: b.runID, JobID: b.opts.JobID, Begun: b.opts.Begun,
		Uploader: b.opts.Uploader,
	}
}

// setVerdict takes a verdict that the hub could not write.
func (b *batch) setVerdict(r protocol.Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verdict = &r
}

// note leaves the verdict with the scheduler, because the run directory did not take it. The error says what became
// of it.
func (b *batch) note(verdict *protocol.Result, cause protocol.Cause, why error) error {
	if verdict == nil {
		r := b.orphan().Verdict(cause, false)
		verdict = &r
	}
	text, err := protocol.NewNote(*verdict, spill(*verdict)).Text()
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), noteBound)
		defer cancel()
		err = b.opts.Starter.LeaveNote(ctx, text)
	}
	if err != nil {
		return fmt.Errorf(protocol.VerdictLost+": %w; cannot leave it as a note: %w", why, err)
	}
	return fmt.Errorf("%w: the verdict is left as a note with the job", why)
}

// spill keeps a verdict in this host's temporary folder and returns where, as host:path; "" if that failed.
func spill(r protocol.Result) string {
	data, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	// A new file that is its owner's alone, and never somebody else's.
	f, err := os.CreateTemp("", "disagg-verdict-"+r.RunID+"-*.json")
	if err != nil {
		return ""
	}
	_, err = f.Write(append(data, '\n'))
	host, herr := os.Hostname()
	if errors.Join(err, herr, f.Close()) != nil {
		return ""
	}
	return host + ":" + f.Name()
}
