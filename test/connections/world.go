package connections

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/memnet"
)

const (
	address = "hub:1"
	token   = "the token"
	runID   = "run-0"
	next    = "run-1" // the attempt after this one
)

// world is a seed while it runs.
type world struct {
	*scenario
	net *memnet.Network
	wg  sync.WaitGroup // of what the test itself runs
	end chan struct{}  // closed when nothing more is consumed

	mu       sync.Mutex
	story    []string
	broken   []string
	hub      *hubEnd
	sessions []*agent
	strays   int
	busy     int    // how much is still to happen, or happens
	recorded []byte // what an agent sent over its first connection
}

func newWorld(s *scenario) *world {
	return &world{scenario: s, net: memnet.New(s.seed), end: make(chan struct{})}
}

// tell adds a line to the story.
func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line("", format, args...)
}

// violated notes that an invariant does not hold.
func (w *world) violated(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
	w.line("BROKEN: ", format, args...)
}

func (w *world) line(mark, format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf("%7.3fs %s", w.net.Now().Seconds(), mark+fmt.Sprintf(format, args...)))
}

// at does something at a moment, in a goroutine of its own that the end of the world waits for.
func (w *world) at(moment time.Duration, do func()) {
	w.count(1)
	w.wg.Add(1)
	time.AfterFunc(max(moment-w.net.Now(), 0), func() {
		defer w.wg.Done()
		defer w.count(-1)
		do()
	})
}

func (w *world) count(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy += n
}

func (w *world) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy == 0
}

// present is the hub that listens now.
func (w *world) present() *hubEnd {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hub
}

func (w *world) all() []*agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sessions[:len(w.sessions):len(w.sessions)]
}

// session finds an agent's process by its name.
func (w *world) session(id string) *agent {
	for _, a := range w.all() {
		if a.id == id {
			return a
		}
	}
	return nil
}

// play runs the seed, up to the point where everybody is gone.
func (w *world) play() {
	defer time.AfterFunc(w.length+time.Hour, func() { panic(w.summary()) }).Stop() // it would never end
	w.startHub(token, runID)
	w.local()
	for _, p := range w.agents {
		w.at(p.begins, func() { w.startAgent(p, p.link.Name) })
		for _, s := range p.commands {
			w.at(s.at, func() { w.present().command(p.task, s.size) })
		}
	}
	for _, f := range w.faults {
		w.at(f.From, func() { w.strike(f) })
	}
	time.Sleep(w.calm())
	if w.until(w.length+w.patience(), w.settled) {
		w.tell("everything is settled")
	}
	w.unsettled()
	w.leave()
	w.present().close()
	close(w.end)
	w.wg.Wait()
}

// patience is how long, after the last fault, it may take until everybody is back or given up: each side notices within
// its limit, the hub after the agent. Then what has gathered must pass, over a slow network too.
func (w *world) patience() time.Duration { return 2*w.lost + w.recovery(lossy, 0) + 30*time.Second }

// calm is when the last packet that was lost has been sent again.
func (w *world) calm() time.Duration {
	at := w.length
	for _, f := range w.faults {
		if f.To != memnet.Forever && (f.kind == lossy || f.kind == isCut || f.kind == cutUp || f.kind == cutDown) {
			at = max(at, f.To+3500*time.Millisecond)
		}
	}
	return at
}

// until waits for a moment, or until something holds.
func (w *world) until(moment time.Duration, holds func() bool) bool {
	for !holds() {
		if w.net.Now() >= moment {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// strike lets a fault happen. What lasts for a while is known to the network already.
func (w *world) strike(f fault) {
	w.tell("FAULT %s", f.kind)
	switch {
	case f.kind == isOver:
		w.restartHub()
	case f.agent == hub:
	case f.kind == isReset:
		w.agents[f.agent].link.Reset(memnet.AtOnce, memnet.AtOnce)
	case f.kind == resetAgent:
		w.agents[f.agent].link.Reset(memnet.AtOnce, memnet.OnWrite)
	case f.kind == resetHub:
		w.agents[f.agent].link.Reset(memnet.OnWrite, memnet.AtOnce)
	case f.kind == resetLeft:
		w.agents[f.agent].link.Reset(memnet.AtOnce, memnet.NotAtAll)
	case f.kind == isKilled:
		w.agents[f.agent].link.Kill()
		if a := w.session(w.agents[f.agent].link.Name); a != nil {
			a.kill()
		}
	default:
		w.comes(f)
	}
}

// options are how an agent of the attempt reaches the hub.
func (w *world) options(task roles.Task, link *memnet.Link) control.ClientOptions {
	return control.ClientOptions{
		Find:  func(context.Context) (string, error) { return address, nil },
		Dial:  func(ctx context.Context, at string) (net.Conn, error) { return w.net.Dial(ctx, link, at) },
		Token: token, Hello: protocol.Hello{Task: task, Session: link.Name, RunID: runID},
		Heartbeat: w.beat, Lost: w.lost, CloseWait: w.lost,
	}
}
