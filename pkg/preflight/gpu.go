package preflight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/disagg/disagg/pkg/protocol"
)

const smi = "nvidia-smi"

// answer is what nvidia-smi printed, and its exit code.
type answer struct {
	lines []string
	code  int
}

// said is what it printed, in one line.
func (a answer) said() string {
	text := strings.Join(a.lines, " ")
	return text[:min(len(text), maxSaid)]
}

// maxSaid is how much of what nvidia-smi printed is shown, in bytes.
const maxSaid = 300

// ask runs nvidia-smi. A host without it has no GPUs that can be asked; the second result is false then, and where
// there was no answer in time.
func (h Host) ask(ctx context.Context, check string, args ...string) (a answer, ok bool, faults []protocol.Finding) {
	out, code, err := h.Run(ctx, append([]string{smi}, args...)...)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return a, false, nil
	case ctx.Err() != nil:
		return a, false, told(check, smi+" did not answer in time")
	case err != nil:
		return a, false, told(check, err.Error())
	}
	a.code = code
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			a.lines = append(a.lines, line)
		}
	}
	return a, true, nil
}

// isGPU tells whether a text is the id of a GPU, or of a part of one, and nothing that is said among them.
func isGPU(text string) bool {
	id, found := strings.CutPrefix(text, "GPU-")
	if !found {
		id, found = strings.CutPrefix(text, "MIG-")
	}
	return found && len(id) > 0 && !strings.ContainsAny(id, " \t")
}

// add takes in what a line says of a GPU after its id: its name and its driver's version.
func add(facts *protocol.HostFacts, line string) {
	fields := strings.Split(line, ",")
	if len(fields) != 3 {
		return
	}
	facts.GPU, facts.Driver = strings.TrimSpace(fields[1]), strings.TrimSpace(fields[2])
}

// gpus counts the GPUs that this job sees, and tells what they are. Warnings, which nvidia-smi prints among them and
// may end with (code 14: a corrupted infoROM), are passed on; only a GPU that is missing is fatal.
func (h Host) gpus(ctx context.Context) (findings []protocol.Finding, facts protocol.HostFacts) {
	if h.GPUs == 0 {
		return nil, facts
	}
	a, ok, faults := h.ask(ctx, protocol.CheckGPUs, "--query-gpu=uuid,name,driver_version", "--format=csv,noheader")
	if !ok {
		return faults, facts
	}
	var others []string
	devices := map[string]bool{} // by id: a line may come twice
	for _, line := range a.lines {
		if id, _, _ := strings.Cut(line, ","); isGPU(id) {
			devices[id] = true
			add(&facts, line)
		} else {
			others = append(others, line)
		}
	}
	seen := len(devices)
	facts.GPUs = seen
	words := answer{lines: others}.said()
	if a.code != 0 {
		words = strings.TrimSpace(fmt.Sprintf("%s (%s ended with code %d)", words, smi, a.code))
	}
	switch {
	case seen < h.GPUs && words != "":
		findings = fatal(protocol.CheckGPUs, fmt.Sprintf("%d GPUs are visible, the plan needs %d: %s", seen, h.GPUs,
			words))
	case seen < h.GPUs:
		findings = fatal(protocol.CheckGPUs, fmt.Sprintf("%d GPUs are visible: the plan needs %d", seen, h.GPUs))
	case words != "":
		findings = told(protocol.CheckGPUs, words)
	}
	return findings, facts
}

// gpuProcesses looks for processes of this user, but not of this job, that hold GPU memory.
func (h Host) gpuProcesses(ctx context.Context) []protocol.Finding {
	if h.GPUs == 0 {
		return nil
	}
	a, ok, faults := h.ask(ctx, protocol.CheckGPUProcesses, "--query-compute-apps=pid,used_memory,process_name",
		"--format=csv,noheader")
	if !ok {
		return faults
	}
	var found []protocol.Finding
	for _, line := range a.lines {
		pidText, rest, _ := strings.Cut(line, ",")
		pid, err := strconv.Atoi(strings.TrimSpace(pidText))
		if err != nil {
			continue // "No running processes found", or a driver that writes something else
		}
		what := fmt.Sprintf("process %d holds GPU memory (%s)", pid, strings.TrimSpace(rest))
		switch owner, job := h.owner(pid); {
		case owner == unknown:
			found = append(found, told(protocol.CheckGPUProcesses, what+", whose it is cannot be told")...)
		case owner != os.Getuid():
			found = append(found, told(protocol.CheckGPUProcesses, what+", of another user")...)
		case job == "" || job != h.JobID:
			what += ", left by an earlier job of this user: end it, or switch this check off"
			found = append(found, fatal(protocol.CheckGPUProcesses, what)...)
		}
	}
	return found
}

const unknown = -1

// owner is the user that a process runs as, and the job that it is part of, "" if it is of none.
func (h Host) owner(pid int) (uid int, job string) {
	dir := filepath.Join(orElse(h.Proc, "/proc"), strconv.Itoa(pid))
	info, err := os.Stat(dir)
	if err != nil {
		return unknown, ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknown, ""
	}
	env, _ := os.ReadFile(filepath.Join(dir, "environ")) // another user's cannot be read
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if id, ok := bytes.CutPrefix(v, []byte(h.JobVar+"=")); ok {
			job = string(id)
		}
	}
	return int(stat.Uid), job
}
