package slurm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/simulation"
)

// around is how long after the last point the hub is killed at most: the verdict is there by then.
const around = 300 * time.Millisecond

// TestHubIsKilledAfterItsLastPoint: whenever the hub is killed once the client's file is complete, there is a verdict,
// and the point is recorded, once.
func TestHubIsKilledAfterItsLastPoint(t *testing.T) {
	c := start(t, standard(true))
	c.equipActors(t)
	for n := range *repeats {
		p := c.play(t, fmt.Sprintf("point-%d", n), simulation.Scripted(0).Measuring(time.Second))
		after := rand.N(around)
		p.onceMeasured(func() {
			p.do(time.Now().Add(after), func() { p.signal(p.agent(roles.Hub()), syscall.SIGKILL) })
		})
		r := p.toTheEnd(overWithin)
		if !p.recordedOnce() || r.Verdict != protocol.Passed && !isHubLost(r) {
			t.Errorf("killed %v after its last point: %s, %v; records: %v", after, r.Verdict, r.FirstCause, p.records())
		}
		t.Logf("killed %v after its last point: %s", after, r.Verdict)
	}
}

func isHubLost(r protocol.Result) bool {
	return r.Verdict == protocol.Failed && r.FirstCause != nil && r.FirstCause.Kind == protocol.HubLost
}

// onceMeasured does something as soon as the benchmark has left its result.
func (p *player) onceMeasured(do func()) {
	p.do(time.Now(), func() {
		if p.measured() {
			do()
		} else {
			p.onceMeasured(do)
		}
	})
}

// records are the files of the job's points.
func (p *player) records() []string {
	files, err := filepath.Glob(filepath.Join(p.attempt(), "records", "*.json"))
	p.must(err)
	return files
}

// recordedOnce tells whether the point is recorded once if the client's file is complete, and not at all if it is not.
func (p *player) recordedOnce() bool {
	want := 0
	for _, file := range p.clientFiles() {
		text, err := os.ReadFile(file)
		p.must(err)
		if string(text) == bench.ResultBlock(1) {
			want++
		}
	}
	return len(p.records()) == want
}
