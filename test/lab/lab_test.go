package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestHostsHaveTheirOwnNames(t *testing.T) {
	l := Start(t, Options{Hosts: 3})
	if got := words(on(t, l, "", "srun", "-N", "3", "hostname")); got != "gpu1 gpu2 gpu3" {
		t.Errorf("srun: got %s", got)
	}
	if got := on(t, l, "gpu2", "hostname"); got != "gpu2" {
		t.Errorf("Command: got %s", got)
	}
	if got := on(t, l, "gpu2", "srun", "-w", "gpu1", "hostname"); got != "gpu1" {
		t.Errorf("srun from a host: got %s", got)
	}
	if here, _ := os.Hostname(); on(t, l, "", "hostname") != here {
		t.Error("the machine has got another name")
	}
}

func TestHostsHaveTheirOwnTmpAndShareTheRest(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	const script = `touch /tmp/lab-$(hostname) /dev/shm/lab-$(hostname) $1/$(hostname)
until [ -e $1/gpu1 -a -e $1/gpu2 ]; do sleep 0.01; done
ls /tmp /dev/shm | grep lab-`
	if got := words(on(t, l, "", "srun", "-N", "2", "sh", "-c", script, "sh",
		l.Shared())); got != "lab-gpu1 lab-gpu1 lab-gpu2 lab-gpu2" {
		t.Errorf("got %s, want each host to see its own file once", got)
	}
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		if found, _ := filepath.Glob(dir + "/lab-gpu*"); len(found) > 0 {
			t.Errorf("the machine sees %v", found)
		}
	}
}

func TestCommandRunsInTheWorkingDirectory(t *testing.T) {
	l := Start(t, Options{Hosts: 1})
	t.Chdir(l.Shared())
	if got := on(t, l, "gpu1", "pwd"); got != l.Shared() {
		t.Errorf("got %s", got)
	}
	if got := on(t, l, "gpu1", "sh", "-c", "echo $SLURM_CONF"); "SLURM_CONF="+got != l.Env()[0] {
		t.Errorf("got %s", got)
	}
	if err := l.Command(t.Context(), "gpu2", "true").Run(); err == nil ||
		!strings.Contains(err.Error(), `no host "gpu2"`) {
		t.Errorf("got %v", err)
	}
}

func TestGPUsAreHandedOut(t *testing.T) {
	l := Start(t, Options{Hosts: 1, GPUs: 4})
	if got := on(t, l, "", "srun", "--gpus=3", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES"); got != "0,1,2" {
		t.Errorf("got %s", got)
	}
}

// A task listens on gpu1 and another one dials it from gpu2 by name, so the packets go through the hosts' own networks.
func TestHostsTalkUntilOneIsCut(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	ctx, cancel := context.WithCancel(t.Context())
	step := l.Command(ctx, "", append([]string{
		"srun", "-w", "gpu1",
	}, append(helper(t, l, "listen"), "10.78.0.11:7000")...)...)
	// srun has a child, which SIGKILL would leave behind.
	step.Cancel = func() error { return step.Process.Signal(syscall.SIGTERM) }
	if err := step.Start(); err != nil {
		t.Fatal(err)
	}
	defer step.Wait()
	defer cancel()
	reach := func() string {
		out, err := l.Command(t.Context(), "gpu2", append(helper(t, l, "dial"), "gpu1:7000")...).Output()
		if err != nil {
			return "unreachable"
		}
		return string(out)
	}
	eventually(t, "before", "gpu1", reach)
	if got := on(t, l, "",
		append([]string{"srun", "-w", "gpu2"}, append(helper(t, l, "dial"), "gpu1:7000")...)...); got != "gpu1" {
		t.Errorf("from a step: got %s", got)
	}
	if err := l.Cut("gpu1"); err != nil {
		t.Fatal(err)
	}
	if got := reach(); got != "unreachable" {
		t.Errorf("cut: got %s", got)
	}
	if err := l.Heal("gpu1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "healed", "gpu1", reach)
}

func TestPMIxRanks(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	got := words(on(t, l, "", "srun", "--mpi=pmix", "-N", "2", "-n", "4", "sh", "-c", "echo $PMIX_RANK"))
	if got != "0 1 2 3" {
		t.Errorf("got %q", got)
	}
}

func TestAccountingShowsAFinishedJob(t *testing.T) {
	l := Start(t, Options{Hosts: 1, Accounting: true})
	job := on(t, l, "", "sbatch", "--parsable", "--wait", "--output=/dev/null", "--wrap=true")
	eventually(t, "state", "COMPLETED", func() string { return sacct(t, l, "", job) })
	if got := sacct(t, l, "gpu1", job); got != "COMPLETED" {
		t.Errorf("from a host: got %q", got)
	}
}

func sacct(t *testing.T, l *Lab, host, job string) string {
	t.Helper()
	return on(t, l, host, "sacct", "-X", "-n", "-P", "-o", "State", "-j", job)
}

func TestTaskOverItsMemoryIsKilled(t *testing.T) {
	l := Start(t, Options{Hosts: 1, Accounting: true, Cgroup: true})
	const greedy = "--wrap=head -c 300M /dev/zero | tail >/dev/null"
	out, err := l.Command(t.Context(), "", "sbatch", "--parsable", "--wait", "--mem=60", "--output=/dev/null",
		greedy).Output()
	if exitCode(t, err) == 0 {
		t.Error("the job is said to have worked")
	}
	job := strings.TrimSpace(string(out))
	eventually(t, "state", "OUT_OF_MEMORY", func() string { return sacct(t, l, "", job) })
}

func TestProcessesSeesWhatAStepLeavesBehind(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	on(t, l, "", "srun", "-w", "gpu1", "sh", "-c", "setsid sleep 987 >/dev/null 2>&1 </dev/null & sleep 0.1")
	eventually(t, "gpu1", "sleep 987", func() string { return cmdlines(t, l, "gpu1") })
	if got := cmdlines(t, l, "gpu2"); got != "" {
		t.Errorf("gpu2: got %s", got)
	}
	if _, err := l.Processes("head"); err == nil {
		t.Error("the head passes for a host")
	}
}

func cmdlines(t *testing.T, l *Lab, host string) string {
	t.Helper()
	list, err := l.Processes(host)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(list))
	for i, p := range list {
		lines[i] = p.Cmdline
	}
	return strings.Join(lines, "\n")
}

func TestStoppedNodeComesBack(t *testing.T) {
	l := Start(t, Options{Hosts: 2})
	sleeper := l.Command(t.Context(), "gpu1", "sleep", "987")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.StopNode("gpu1"); err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Wait(); err == nil {
		t.Error("a process outlived its host")
	}
	if pids := members(l.dir.namespaces("gpu1")...); len(pids) > 0 {
		t.Errorf("%v are on the stopped host", pids)
	}
	if err := l.StartNode("gpu1"); err != nil {
		t.Fatal(err)
	}
	if err := l.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := words(on(t, l, "", "srun", "-N", "2", "hostname")); got != "gpu1 gpu2" {
		t.Errorf("got %s", got)
	}
}
