package rundir

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// Follower reads the journal of a run as it grows. A requeued job goes on with the entries of its new attempt.
type Follower struct {
	dir     Dir
	attempt Attempt
	tail    *Tail
	state   os.FileInfo // of the state.json that was read last; nil: none was
}

// Follow begins to read the journal of a run directory, from its first entry.
func Follow(d Dir) *Follower { return &Follower{dir: d} }

// Journal reads the journal of one attempt as it grows.
type Journal struct{ tail Tail }

// FollowAttempt begins to read the journal of an attempt, from its first entry.
func FollowAttempt(a Attempt) *Journal { return &Journal{Tail{File: a.Events()}} }

// Read returns the entries that are new, in order.
func (j *Journal) Read() (list []protocol.Entry) {
	j.tail.Read(entriesInto(&list))
	return list
}

// Read returns the present attempt and the entries that are new, in order. When an attempt follows another, what is
// left of that comes first.
func (f *Follower) Read() (Attempt, []protocol.Entry) {
	var list []protocol.Entry
	take := entriesInto(&list)
	if now := Current(f.dir); f.tail == nil || now != f.attempt {
		if f.tail != nil {
			f.tail.Read(take)
		}
		f.attempt, f.tail = now, &Tail{File: now.Events()}
	}
	f.tail.Read(take)
	return f.attempt, list
}

// ReadState returns the hub's view of the attempt that Read has returned if it has changed; false if it has not, or
// cannot be read.
func (f *Follower) ReadState() (s protocol.State, changed bool) {
	info, err := os.Stat(f.attempt.State())
	if err != nil || f.state != nil && os.SameFile(info, f.state) && info.ModTime().Equal(f.state.ModTime()) {
		return s, false
	}
	s, err = ReadState(f.attempt)
	f.state = info
	return s, err == nil
}

// entriesInto adds the entries of lines to a list. What cannot be read is passed over.
func entriesInto(list *[]protocol.Entry) func(line []byte) {
	return func(line []byte) {
		var e protocol.Entry
		if json.Unmarshal(line, &e) == nil && e.Schema == 1 {
			*list = append(*list, e)
		}
	}
}

// ReadJournal reads what an attempt's journal has.
func ReadJournal(a Attempt) (list []protocol.Entry) {
	(&Tail{File: a.Events()}).Read(entriesInto(&list))
	return list
}

// SaysNoAgent tells whether the shell that ran the batch script says that it could not run the agent: it is not there,
// not executable, or of another architecture. Such a job leaves no verdict.
func SaysNoAgent(d Dir, agent string) bool {
	line := LastWords(d)
	return agent != "" && strings.Contains(line, ": line ") && strings.Contains(line, ": "+agent+": ")
}

// SaysLost tells whether the batch script says that it could leave the verdict nowhere.
func SaysLost(d Dir) bool { return strings.Contains(LastWords(d), protocol.VerdictLost) }

// JobOutput is the file of what the job's first process printed, the newest if there are several; "" if there is none.
func JobOutput(d Dir) (newest string) {
	at := time.Time{}
	for _, f := range filesIn(string(d), "", ".out") {
		if info, err := os.Stat(f); err == nil && !info.IsDir() && info.ModTime().After(at) {
			newest, at = f, info.ModTime()
		}
	}
	return newest
}

// lastWordsSize is how much of the end of a file is read for its last words, in bytes.
const lastWordsSize = 64 << 10

// LastWords is the last line that the first process of a job printed, "" if there is none: the batch script's own
// output, which tells why a job ended before it had begun. Of a crash it is the line that says what happened.
func LastWords(d Dir) string {
	f, err := OpenRegular(JobOutput(d))
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > lastWordsSize {
		_, _ = f.Seek(-lastWordsSize, io.SeekEnd)
	}
	data, _ := io.ReadAll(io.LimitReader(f, lastWordsSize)) // it may grow, or have no end
	last := ""
	for line := range strings.Lines(string(data)) {
		text := strings.TrimSpace(line)
		if protocol.GaveUp(text) && !strings.HasPrefix(text, "disagg-agent") {
			return text // what follows is where it happened
		}
		if text != "" {
			last = text
		}
	}
	return last
}
