package connections

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// mostLines is how long a story may be.
const mostLines = 40

// run runs a seed in a bubble, and returns what is broken, and the story.
func run(t *testing.T, seed uint64) (broken []string, story string) {
	var w *world
	defer func() {
		if p := recover(); p != nil { // testing/synctest found that everybody waits, or somebody is left
			w.broken = append(w.broken, fmt.Sprint(p))
			broken, story = w.broken, w.summary()
		}
	}()
	synctest.Test(t, func(*testing.T) {
		w = newWorld(draw(seed))
		w.play()
	})
	return w.broken, w.summary()
}

// summary is what was drawn, and the last of what happened.
func (w *world) summary() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	const again = "again: CONNECTIONS_SEED=%d go test -race -v -run 'TestSeed$' ./test/connections"
	lines := []string{
		fmt.Sprintf("seed %d: %d agents, heartbeat %v, lost after %v, strict: %t, %v", w.seed, len(w.agents), w.beat,
			w.lost, w.strict, w.length),
		fmt.Sprintf(again, w.seed),
	}
	for _, f := range w.faults {
		lines = append(lines, "drawn "+f.String())
	}
	if len(lines) > mostLines/2 {
		lines = append(lines[:mostLines/2-1], "…")
	}
	rest := w.story
	if room := mostLines - len(lines) - 1; len(rest) > room {
		rest = append([]string{"…"}, rest[len(rest)-room+1:]...)
	}
	lines = append(lines, rest...)
	return strings.Join(append(lines, "broken: "+strings.Join(w.broken[:min(3, len(w.broken))], "; ")), "\n")
}
