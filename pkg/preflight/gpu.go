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
)

const smi = "nvidia-smi"

// ask runs nvidia-smi. A host without it has no GPUs that can be asked; the second result is false then, and where there
// was no answer in time.
func (h Host) ask(ctx context.Context, check string, args ...string) (lines []string, ok bool, faults []Finding) {
	out, code, err := h.Run(ctx, append([]string{smi}, args...)...)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case ctx.Err() != nil:
		return nil, false, told(check, smi+" did not answer in time")
	case err != nil:
		return nil, false, told(check, err.Error())
	case code != 0:
		text := strings.Join(strings.Fields(string(out)), " ")
		return nil, false, fatal(check, fmt.Sprintf("%s exited with code %d: %s", smi, code, text[:min(len(text), 300)]))
	}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, true, nil
}

// gpus counts the GPUs that this job sees.
func (h Host) gpus(ctx context.Context) []Finding {
	if h.GPUs == 0 {
		return nil
	}
	lines, ok, faults := h.ask(ctx, GPUs, "--query-gpu=uuid", "--format=csv,noheader")
	if !ok {
		return faults
	}
	if len(lines) < h.GPUs {
		return fatal(GPUs, fmt.Sprintf("%d GPUs are visible: the plan needs %d", len(lines), h.GPUs))
	}
	return nil
}

// gpuProcesses looks for processes of this user, but not of this job, that hold GPU memory.
func (h Host) gpuProcesses(ctx context.Context) []Finding {
	if h.GPUs == 0 {
		return nil
	}
	lines, ok, faults := h.ask(ctx, GPUProcesses, "--query-compute-apps=pid,used_memory,process_name", "--format=csv,noheader")
	if !ok {
		return faults
	}
	var found []Finding
	for _, line := range lines {
		pidText, rest, _ := strings.Cut(line, ",")
		pid, err := strconv.Atoi(strings.TrimSpace(pidText))
		if err != nil {
			continue // "No running processes found", or a driver that writes something else
		}
		what := fmt.Sprintf("process %d holds GPU memory (%s)", pid, strings.TrimSpace(rest))
		switch owner, job := h.owner(pid); {
		case owner == unknown:
			found = append(found, told(GPUProcesses, what+", whose it is cannot be told")...)
		case owner != os.Getuid():
			found = append(found, told(GPUProcesses, what+", of another user")...)
		case job == "" || job != h.JobID:
			found = append(found, fatal(GPUProcesses, what+", left by an earlier job of this user: end it, or switch this check off")...)
		}
	}
	return found
}

const unknown = -1

// owner is the user that a process runs as, and the Slurm job that it is part of, "" if it is of none.
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
		if id, ok := bytes.CutPrefix(v, []byte("SLURM_JOB_ID=")); ok {
			job = string(id)
		}
	}
	return int(stat.Uid), job
}
