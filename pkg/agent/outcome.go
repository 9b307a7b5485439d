package agent

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

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
	hide   func(string) string // takes secrets out of what is shown
	mu     sync.Mutex
	reader *diagnose.Reader
	missed int64     // bytes that came too fast
	late   bool      // its log has lines of an earlier child, so that a line's number is not known
	last   time.Time // when something was printed
	stop   *quoted   // what there was when the child was asked to stop; nil: it was not
}

// quoted is a line of an output, with its context and their numbers in the log, 0 if those are not known.
type quoted struct {
	headline    string
	excerpt     []string
	line, first int
}

func (q quoted) addTo(o *protocol.Outcome) {
	o.Headline, o.Excerpt, o.Line, o.ExcerptLine = q.headline, q.excerpt, q.line, q.first
}

// newSearched begins with a child's output. Late says that its log has something before it.
func newSearched(hide func(string) string, late bool) *searched {
	return &searched{hide: hide, reader: diagnose.NewReader(hide), late: late, last: time.Now()}
}

func (s *searched) feed(block []byte, missed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed += missed
	s.last = time.Now()
	s.reader.Feed(block)
}

// found is the line that says why the child died, with its context.
func (s *searched) found() quoted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quote()
}

// quote is found, for who holds the lock. If nothing explains, there are the last lines.
func (s *searched) quote() quoted {
	q := quoted{headline: s.reader.Headline(), excerpt: s.reader.Context()}
	if q.line, q.first = s.reader.Lines(); q.excerpt == nil {
		q.excerpt, q.first = s.reader.Last()
	}
	if s.missed > 0 {
		note := fmt.Sprintf("[%d bytes of the output came too fast to be searched: see the log]", s.missed)
		q.excerpt = append([]string{note}, q.excerpt...)
	}
	if s.missed > 0 || s.late {
		q.line, q.first = 0, 0
	}
	return q
}

// stopping takes in that the child is asked to stop: what it prints from now on tells of that, and not of why. If
// nothing explains, the last line and its age may.
func (s *searched) stopping(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return
	}
	q := s.quote()
	if last, ok := strings.CutPrefix(q.headline, diagnose.LastLine); ok {
		age := now.Sub(s.last).Round(100 * time.Millisecond)
		q.headline = fmt.Sprintf("its last line, %v before it was stopped: %s", age, last)
	}
	s.stop = &q
}

// atStop is what there was when the child was asked to stop; nothing if it was not.
func (s *searched) atStop() (q quoted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		q = *s.stop
	}
	return q
}

// outcome is how a child ended, as it is reported.
func outcome(o supervisor.Outcome, output *searched) protocol.Outcome {
	out := protocol.Outcome{
		Started: o.Started, Code: o.Code, Signal: o.Signal, Error: o.Error, StopReason: o.StopReason,
		StartedAt: o.StartedAt, EndedAt: o.EndedAt, EndedBy: o.EndedBy,
		OOM: o.OOM, MemoryLimit: o.MemoryLimit, PeakRSS: o.PeakRSS, CPU: o.CPU,
		LogDropped: o.LogDropped, LogUnstored: o.LogUnstored, LogFault: o.LogFault,
	}
	switch {
	case output == nil: // it was not started
	case o.StopReason != "":
		output.atStop().addTo(&out)
	default: // an end with code 0 may be too early
		output.found().addTo(&out)
	}
	if !o.Clean() && o.StopReason == "" {
		out.Tail = shortTail(o.Tail)
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
