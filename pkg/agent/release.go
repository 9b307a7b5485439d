package agent

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/recipe"
)

// release is the file by which the benchmark tells its servers, and so the hub, that they are no longer needed. nil is
// that of a role which has none. It may be used from anywhere.
type release struct {
	file string
	tell func()
	once sync.Once
	open atomic.Int32 // questions to the file system that it has not answered
}

// releasePoll is how often the file is looked for, and releaseBound how long an answer is waited for.
const releasePoll, releaseBound = 200 * time.Millisecond, 300 * time.Millisecond

// newRelease is that of this rank's role.
func (w *worker) newRelease(data recipe.Data) *release {
	text := w.opts.Plan.Spec(w.task.Role).Release
	if text == "" {
		return nil
	}
	file, err := recipe.Render("release", text, data)
	if err != nil { // the plan was rehearsed
		w.log.Error("the release of the servers is not watched", zap.Error(err))
		return nil
	}
	return &release{file: file, tell: func() { w.tell(protocol.Event{Kind: protocol.EventRelease}) }}
}

// look looks for the file, and tells of it the first time. A file system that does not answer is not waited for.
func (r *release) look() {
	if r == nil {
		return
	}
	r.open.Add(1)
	found := make(chan bool, 1)
	go func() {
		_, err := os.Stat(r.file)
		r.open.Add(-1)
		found <- err == nil
	}()
	select {
	case is := <-found:
		if is {
			r.once.Do(r.tell)
		}
	case <-time.After(releaseBound):
	}
}

// watch looks again and again, until the context ends.
func (r *release) watch(ctx context.Context) {
	tick := time.NewTicker(releasePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.open.Load() == 0 {
				r.look()
			}
		}
	}
}
