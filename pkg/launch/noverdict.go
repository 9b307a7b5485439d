package launch

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
)

// lookBound is how long looking for the reason of a job's end may take.
const lookBound = 5 * time.Second

// NoVerdict says that a job ended without a verdict, how its scheduler says that it ended, why, as far as what the job
// printed tells, and where to look. A run directory that does not answer is a reason too.
func NoVerdict(d rundir.Dir, end protocol.JobState) error {
	how := ""
	if end.Word != "" {
		how = ", " + end.Word
	}
	type reason struct{ why, where string }
	found := make(chan reason, 1)
	go func() {
		why, where := lookForReason(d, end)
		found <- reason{why, where}
	}()
	var r reason
	select {
	case r = <-found:
	case <-time.After(lookBound):
		r = reason{": the run directory does not answer", string(d)}
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
	var fs unix.Statfs_t
	err := unix.Statfs(dir, &fs)
	return err == nil && fs.Blocks > 0 && (fs.Bavail == 0 || fs.Files > 0 && fs.Ffree == 0)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }
