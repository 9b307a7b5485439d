package slurm

import (
	"io"
	"os"
	"strings"
)

// Meaning is what Slurm's own words in a role's log say of the step's end.
type Meaning string

// The meanings.
const (
	Unexplained Meaning = ""
	OutOfMemory Meaning = "out of memory"
	OutOfTime   Meaning = "out of time"
	NodeFailed  Meaning = "node failed"
	Preempted   Meaning = "preempted"
	Transient   Meaning = "transient" // the step could not be started, and may be if it is tried again
)

// Words is what Slurm says in a role's log.
type Words struct {
	Meaning Meaning
	Line    string // the line that says so, else the first error; "" if Slurm says nothing
}

// phrases are what slurmstepd and srun of Slurm 22.05 to 26.05 print, and what they mean. They stand in Slurm's source;
// the first two were seen under proctrack/linuxproc with OverMemoryKill and under task/cgroup.
func phrases() []struct {
	text    string
	meaning Meaning
} {
	return []struct {
		text    string
		meaning Meaning
	}{
		{"exceeded memory limit", OutOfMemory},
		{"oom-kill event", OutOfMemory},
		{"oom_kill event", OutOfMemory},
		{"DUE TO TIME LIMIT", OutOfTime},
		{"DUE TO NODE FAILURE", NodeFailed},
		{"DUE TO PREEMPTION", Preempted},
		{"unable to open user namespace file", Transient}, // steps that enter one container at once: NVIDIA/pyxis#181
		{"failed to import docker image", Transient},
		{"Communication connection failure", Transient},
		{"Socket timed out", Transient},
		{"Zero Bytes were transmitted", Transient},
		{"Unable to contact slurm controller", Transient},
		{"standby mode", Transient},
		{"Job credential expired", Transient},
		{"Resource temporarily unavailable", Transient},
	}
}

// maxWords is how much of a log's end is read, in bytes.
const maxWords = 256 << 10

// ReadWords finds Slurm's words at the end of a role's log. A log that cannot be read says nothing.
func ReadWords(log string) Words {
	f, err := os.Open(log)
	if err != nil {
		return Words{}
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxWords {
		_, _ = f.Seek(-maxWords, io.SeekEnd)
	}
	data, _ := io.ReadAll(io.LimitReader(f, maxWords))
	return findWords(string(data))
}

func findWords(log string) (w Words) {
	for line := range strings.Lines(log) {
		text, ok := ownWords(line)
		if !ok {
			continue
		}
		for _, p := range phrases() {
			if strings.Contains(text, p.text) {
				return Words{Meaning: p.meaning, Line: text}
			}
		}
		if w.Line == "" {
			w.Line = text
		}
	}
	return w
}

// ownWords is what Slurm says in a line of a log: an error of srun's, or of slurmstepd's, which names its host.
func ownWords(line string) (text string, ok bool) {
	who, text, ok := strings.Cut(strings.TrimSpace(line), ": ")
	if !ok || who != "srun" && who != "slurmstepd" && !strings.HasPrefix(who, "slurmstepd-") {
		return "", false
	}
	for _, prefix := range []string{"error: ", "fatal: "} {
		if text, ok := strings.CutPrefix(text, prefix); ok {
			return text, true
		}
	}
	return text, strings.HasPrefix(text, "unrecognized option")
}
