package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// lookBound is how long looking for the reason of a job's end may take.
const lookBound = 5 * time.Second

// NoVerdict says that a job ended without a verdict, how its scheduler says that it ended, why, as far as what the job
// printed tells, and where to look. A run directory that does not answer is a reason too. A verdict that is there and
// cannot be read, such as one of a newer version, is told to be that.
func NoVerdict(d rundir.Dir, end protocol.JobState) error {
	how := ""
	if end.Word != "" {
		how = ", " + end.Word
	}
	type reason struct {
		why, where string
		unreadable error
	}
	found := make(chan reason, 1)
	go func() {
		var r reason
		if _, err := rundir.ReadResult(rundir.Current(d)); !errors.Is(err, fs.ErrNotExist) {
			r.unreadable = err
		}
		r.why, r.where = lookForReason(d, end)
		found <- r
	}()
	var r reason
	select {
	case r = <-found:
	case <-time.After(lookBound):
		r = reason{why: ": the run directory does not answer", where: string(d)}
	}
	if r.unreadable != nil {
		return fmt.Errorf("the job has ended, and its verdict is not known: %w", r.unreadable)
	}
	return fmt.Errorf("the job ended without a verdict%s%s: see %s", how, r.why, r.where)
}

// lookForReason finds in the run directory what tells most.
func lookForReason(d rundir.Dir, end protocol.JobState) (why, where string) {
	where = string(d)
	if logs := rundir.Current(d).Logs(); exists(logs) {
		where = logs
	}
	switch line := rundir.LastWords(d); {
	case line != "":
		why = ": " + line
	case full(string(d)):
		why = ": the run directory's file system is full"
	case !exists(string(rundir.Current(d))) && end.Cause == "":
		why = ": nothing of it is to be seen: do the nodes see " + string(d) + "?"
	}
	return why, where
}

// full tells whether nothing more can be written where a folder is.
func full(dir string) bool {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return err == nil && s.Blocks > 0 && (s.Bavail == 0 || s.Files > 0 && s.Ffree == 0)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
