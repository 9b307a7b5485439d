package agent

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/supervisor"
)

// What goes to the hub of the end of a log: enough to see what happened, and little enough for a thousand ranks that
// fail at once. The whole log is in the run directory.
const (
	sentLines = 100
	sentBytes = 1000 // of one line
)

// searched looks in a child's output for what it died of while that passes. It may be used from any goroutine.
type searched struct {
	mu     sync.Mutex
	reader *diagnose.Reader
	missed int64 // bytes that came too fast
}

func newSearched(hide func(string) string) *searched {
	return &searched{reader: diagnose.NewReader(hide)}
}

func (s *searched) feed(block []byte, missed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed += missed
	s.reader.Feed(block)
}

// found is the line that says why the child died, with its context.
func (s *searched) found() (headline string, excerpt []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	headline, excerpt = s.reader.Headline(), s.reader.Context()
	if s.missed > 0 {
		note := fmt.Sprintf("[%d bytes of the output came too fast to be searched: see the log]", s.missed)
		excerpt = append([]string{note}, excerpt...)
	}
	return headline, excerpt
}

// outcome is how a child ended, as it is reported.
func outcome(o supervisor.Outcome, output *searched) protocol.Outcome {
	out := protocol.Outcome{
		Started: o.Started, Code: o.Code, Signal: o.Signal, Error: o.Error, StopReason: o.StopReason,
		StartedAt: o.StartedAt, EndedAt: o.EndedAt, OOM: o.OOM, MemoryLimit: o.MemoryLimit,
		PeakRSS: o.PeakRSS, CPU: o.CPU,
		LogDropped: o.LogDropped, LogUnstored: o.LogUnstored, LogFault: o.LogFault,
	}
	if !o.Clean() && o.StopReason == "" {
		out.Tail = shortTail(o.Tail)
		if output != nil { // it was started
			out.Headline, out.Excerpt = output.found()
		}
	}
	for _, p := range o.Orphans {
		out.Orphans = append(out.Orphans, protocol.Orphan(p))
	}
	for _, p := range o.Survivors {
		out.Survivors = append(out.Survivors, protocol.Survivor(p))
	}
	return out
}

func shortTail(lines []string) []string {
	lines = lines[max(0, len(lines)-sentLines):]
	short := make([]string, len(lines))
	for i, l := range lines {
		if short[i] = l; len(l) > sentBytes {
			short[i] = strings.ToValidUTF8(l[:sentBytes], "") + " …"
		}
	}
	return short
}

// signalName is a signal's name as people write it: SIGTERM.
func signalName(sig os.Signal) string {
	if s, ok := sig.(syscall.Signal); ok {
		if name := unix.SignalName(s); name != "" {
			return name
		}
	}
	return fmt.Sprint(sig)
}
