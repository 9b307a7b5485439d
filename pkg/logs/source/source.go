// Package source finds and opens the logs of a run's attempt, which package logs puts side by side.
//
// Rules:
//   - A log that is not there yet may come: it is looked for again, and read from its beginning.
//   - Logs are read piece by piece, as they grow; nothing is written.
package source

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/logs"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// The logs that are none of a rank.
const (
	Job     = "job"     // what the job's first process printed
	Install = "install" // of preparing the nodes
)

// Log is one log of an attempt.
type Log struct {
	Name  string // GEN_0.3, or one of those above
	File  string
	Begun time.Time // when the rank was started, by the hub's clock; zero if that is not known
}

// Of lists the logs that an attempt may have, the ranks' in the order of the plan.
func Of(p plan.Plan, a rundir.Attempt) []Log {
	list := []Log{{Name: Job, File: rundir.JobOutput(a.Dir())}, {Name: Install, File: a.InstallLog()}}
	begun := started(a)
	for _, pl := range p.Layout.Placements {
		for _, t := range pl.Tasks() {
			list = append(list, Log{Name: t.String(), File: a.RankLog(t), Begun: begun[t]})
		}
	}
	return list
}

// started is when ranks were started, by the journal.
func started(a rundir.Attempt) map[roles.Task]time.Time {
	at := map[roles.Task]time.Time{}
	for _, e := range rundir.ReadJournal(a) {
		if e.Kind == protocol.EntryKind(protocol.EventStarted) && e.Role != nil {
			at[roles.Task{Role: *e.Role, Rank: e.Rank}] = e.At
		}
	}
	return at
}

// Exists tells whether the log is there.
func (l Log) Exists() bool {
	info, err := os.Stat(l.File)
	return err == nil && info.Mode().IsRegular()
}

// Modified is when the log was last written; zero if it is not there.
func (l Log) Modified() time.Time {
	info, err := os.Stat(l.File)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Check tells why the log, which is there, cannot be read; nil if it can.
func (l Log) Check() error {
	f, err := rundir.OpenRegular(l.File)
	if err != nil {
		return err
	}
	return f.Close()
}

// Open begins to read the log. A last line without an end is given out once the log is complete.
func (l Log) Open(complete func() bool) logs.Source {
	tail := &rundir.Tail{File: l.File}
	return logs.NewStream(func() (line []byte, ok bool) {
		if line, ok = tail.Next(); !ok && complete() {
			tail.Rest(func(rest []byte) { line, ok = rest, true })
		}
		return line, ok
	}, l.Begun, time.Local)
}

// Whole reads the log as one that is complete.
func (l Log) Whole() logs.Source { return l.Open(func() bool { return true }) }

// Named are the logs that a name means: one of a rank (GEN_0.3), those of a role (GEN_0) or of a kind (GEN), or
// another.
func Named(list []Log, name string) []Log {
	return slices.DeleteFunc(slices.Clone(list), func(l Log) bool {
		return l.Name != name && !strings.HasPrefix(l.Name, name+".") && !strings.HasPrefix(l.Name, name+"_")
	})
}
