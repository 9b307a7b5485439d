package slurm

import (
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler"
)

// phrase is what slurmstepd, srun and pyxis print, and what it means.
type phrase struct {
	text    string
	meaning protocol.Meaning
}

// phrases of Slurm 22.05 to 26.05 stand in Slurm's source; the first two were seen under proctrack/linuxproc with
// OverMemoryKill and under task/cgroup.
var phrases = [...]phrase{
	{"exceeded memory limit", protocol.OutOfMemory},
	{"oom-kill event", protocol.OutOfMemory},
	{"oom_kill event", protocol.OutOfMemory},
	{"DUE TO TIME LIMIT", protocol.OutOfTime},
	{"DUE TO NODE FAILURE", protocol.NodeFailed},
	{"DUE TO PREEMPTION", protocol.Preempted},
	{protocol.StoppedEarly, protocol.Asked},
	{protocol.NoSignOfLife, protocol.HubSilent},
	// steps that enter one container at once: NVIDIA/pyxis#181, NVIDIA/TensorRT-LLM#13415
	{"namespace file: No such file or directory", protocol.Transient},
	{"Could not acquire rootfs lock", protocol.Transient},
	{"failed to import docker image", protocol.Transient},
	{"Communication connection failure", protocol.Transient},
	{"Socket timed out", protocol.Transient},
	{"Zero Bytes were transmitted", protocol.Transient},
	{"Unable to contact slurm controller", protocol.Transient},
	{"standby mode", protocol.Transient},
	{"Job credential expired", protocol.Transient},
	{"Resource temporarily unavailable", protocol.Transient},
}

var (
	// generic are errors that only report that there was another.
	generic = lazyregexp.New(`^(\S+: )?(task|tasks) [\d,-]+: |^pyxis: (child \d+ failed|container start failed|` +
		`container exited too soon|container was not started|couldn.?t start container|couldn.?t get container|` +
		`couldn.?t create enroot start|failed to create container|printing enroot log|failed to import docker image)|` +
		`spank: required plugin|Failed to invoke spank|task_init|Job step aborted|` +
		`\*\*\* (STEP|JOB) \S+ ON \S+ CANCELLED`)
	// waits are words with which srun waits: they explain a step that does not begin, and are no error.
	waits = lazyregexp.New(`step creation (temporarily|still) disabled|Requested nodes are busy|` +
		`waiting for resources`)
	// telling marks the line of a container's log that says why it does not start.
	telling = lazyregexp.New(`\[ERROR\]|\[FATAL\]|[Nn]o such file|[Ff]ailed to|[Dd]enied|[Uu]nauthorized|` +
		`[Nn]ot found|[Nn]o space|error code|[Cc]annot`)
	// taskEnd is srun's line about tasks that ended: "gpu1: tasks 0-2,5: Exited with exit code 64".
	taskEnd = lazyregexp.New(`^\S+: tasks? ([\d,-]+): Exited with exit code (\d+)$`)
)

// attached is what pyxis says of a step that enters a container in which another step runs. That has what the other one
// has mounted, which is nothing if it has entered the container in the same way.
const attached = "pyxis: ignoring --container-mounts when attaching to a running container"

// reader makes sense of what Slurm says about one step.
type reader struct {
	line     string // the one that tells most
	score    int    // of that
	meaning  protocol.Meaning
	ranks    map[int][]int
	attached bool // to a container of another step
}

// Reader implements scheduler.Starter.
func (Slurm) Reader() scheduler.Reader { return &reader{ranks: map[int][]int{}} }

// How much a line tells. Of lines that tell the same the first counts.
const (
	tellsLittle  = iota + 1 // it reports that there was an error
	tellsWait               // srun waits
	tellsError              // an error in Slurm's own words
	tellsDetail             // the line of a container's log, or of the agent, that names what is wrong
	tellsMeaning            // a phrase whose meaning is known
)

// Line implements scheduler.Reader.
func (r *reader) Line(line string) {
	text, ok := ownWords(line)
	if !ok {
		r.attached = r.attached || strings.Contains(line, attached)
		return
	}
	r.taskEnd(text)
	score, meaning := rate(text)
	if meaning == protocol.Unexplained && r.attached && strings.Contains(strings.ToLower(text), "no such file") {
		meaning = protocol.Transient // it may be there the next time
	}
	if score > r.score {
		r.line, r.score = text, score
	}
	if r.meaning == protocol.Unexplained || r.meaning == protocol.Transient && meaning != protocol.Unexplained {
		r.meaning = meaning
	}
}

func rate(text string) (score int, meaning protocol.Meaning) {
	for _, p := range phrases {
		if strings.Contains(text, p.text) {
			if p.meaning == protocol.Transient { // why it could not begin may stand in more words below
				return tellsError, p.meaning
			}
			return tellsMeaning, p.meaning
		}
	}
	switch {
	case waits().MatchString(text):
		return tellsWait, protocol.Unexplained
	case generic().MatchString(text):
		return tellsLittle, protocol.Unexplained
	case protocol.GaveUp(text) || isContainerLog(text) && telling().MatchString(text):
		return tellsDetail, protocol.Unexplained
	case isContainerLog(text):
		return tellsLittle, protocol.Unexplained
	}
	return tellsError, protocol.Unexplained
}

// containerLog begins a line of enroot's log, which pyxis prints indented.
const containerLog = "pyxis:   "

func isContainerLog(text string) bool { return strings.HasPrefix(text, containerLog) }

// Diagnosis implements scheduler.Reader.
func (r *reader) Diagnosis() protocol.Diagnosis {
	line := strings.Join(strings.Fields(strings.TrimPrefix(r.line, containerLog)), " ")
	return protocol.Diagnosis{Meaning: r.meaning, Line: line, Vague: r.score == tellsLittle}
}

// Ranks implements scheduler.Reader.
func (r *reader) Ranks() map[int][]int { return r.ranks }

// maxTaskNumber bounds a list of tasks that srun prints.
const maxTaskNumber = 1 << 16

// taskEnd notes ranks that ended.
func (r *reader) taskEnd(text string) {
	m := taskEnd().FindStringSubmatch(text)
	if m == nil {
		return
	}
	code, _ := strconv.Atoi(m[2])
	for part := range strings.SplitSeq(m[1], ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(lo)
		to := from
		if isRange && err == nil {
			to, err = strconv.Atoi(hi)
		}
		if err != nil || to > maxTaskNumber {
			continue
		}
		for rank := from; rank <= to; rank++ {
			r.ranks[code] = append(r.ranks[code], rank)
		}
	}
}

// ownWords is what Slurm says in a line: an error of srun's, of slurmstepd's, which may name its host, or of a plugin;
// or what an agent says that gives up.
func ownWords(line string) (text string, ok bool) {
	line = strings.TrimRight(line, " \t\r\n")
	if protocol.GaveUp(line) {
		return line, true
	}
	who, text, ok := strings.Cut(strings.TrimLeft(line, " \t"), ": ")
	if !ok || who != "srun" && who != "slurmstepd" && !strings.HasPrefix(who, "slurmstepd-") {
		return "", false
	}
	for _, prefix := range []string{"error: ", "fatal: "} {
		if text, ok := strings.CutPrefix(text, prefix); ok {
			return text, true
		}
	}
	return text, strings.HasPrefix(text, "unrecognized option") || waits().MatchString(text)
}
