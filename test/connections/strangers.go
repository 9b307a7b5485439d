package connections

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/test/memnet"
)

// comes lets somebody come to the hub who has no business there.
func (w *world) comes(f fault) {
	kind, is := strings.CutPrefix(f.kind, "a stranger ")
	if !is {
		return
	}
	w.mu.Lock()
	w.strays++
	link := &memnet.Link{
		Name: fmt.Sprintf("stranger-%d", w.strays), Up: memnet.Way{Most: time.Millisecond}, Window: 1 << 16,
	}
	w.mu.Unlock()
	task := w.agents[f.agent].task
	switch kind {
	case garbage:
		w.knocks(link, []byte([]string{
			"\x16\x03\x01", "GET / HTTP/1.0\r\n\r\n", "\xff\xff\xff\xff", "\x00\x00\x00\x02{}", "\x00\x00\x00\x04null",
		}[w.seed/5%5]))
	case silent:
		w.knocks(link, nil)
	case half:
		w.knocks(link, []byte("\x00\x00\x00\x50{\"version\":"))
	case replays:
		w.mu.Lock()
		said := bytes.Clone(w.recorded)
		w.mu.Unlock()
		w.knocks(link, said)
	case rivals:
		w.startAgent(&plan{task: task, link: link, events: []saying{{w.net.Now(), 10}}}, link.Name)
	case guesses:
		w.asks(link, task, func(o *control.ClientOptions) { o.Token = "a guess" })
	case stale:
		w.asks(link, task, func(o *control.ClientOptions) { o.Hello.RunID = "run-before" })
	case misfits:
		task.Rank = len(w.agents)
		w.asks(link, task, func(*control.ClientOptions) {})
	}
}

// handshake is how long the hub listens to somebody who has not proved himself.
const handshake = 5 * time.Second

// knocks says something to the hub, which must hang up, and say nothing of itself.
func (w *world) knocks(link *memnet.Link, said []byte) {
	conn, err := w.net.Dial(context.Background(), link, address)
	if err != nil {
		return // the hub has ended
	}
	defer conn.Close()
	begun := w.net.Now()
	bound := handshake + 100*time.Millisecond
	_ = conn.SetDeadline(time.Now().Add(bound + w.pausedFor()))
	_, _ = conn.Write(said)
	heard, err := io.ReadAll(conn)
	if timeout, is := err.(net.Error); is && timeout.Timeout() { //nolint:errorlint // ReadAll wraps nothing
		w.violated("the hub listens to a stranger for %v", w.net.Now()-begun)
	}
	// None of these comes about by chance in what is random and encoded as base64.
	for _, secret := range []string{token, runID, "GEN_", "granted"} {
		if bytes.Contains(heard, []byte(secret)) {
			w.violated("a stranger hears %q", heard)
		}
	}
}

func (w *world) pausedFor() (sum time.Duration) {
	for _, s := range w.pauses {
		sum += s.To - s.From
	}
	return sum
}

// asks wants to be let in, which must fail, and be noticed.
func (w *world) asks(link *memnet.Link, task roles.Task, change func(*control.ClientOptions)) {
	o := w.options(task, link)
	change(&o)
	c := control.Dial(o)
	defer c.Close()
	c.Send(protocol.Event{Kind: protocol.EventReady, Detail: "of a stranger"})
	bound := time.NewTimer(w.lost + 2*w.beat)
	defer bound.Stop()
	select {
	case <-c.Lost():
	case got := <-c.Commands():
		w.violated("%s is told %v", link.Name, got)
	case <-bound.C:
		w.violated("%s is not turned away", link.Name)
	}
}
