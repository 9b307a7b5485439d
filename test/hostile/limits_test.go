package hostile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// limited puts a limit on everything that a job starts.
func (p *place) limited(option string) {
	p.t.Helper()
	if _, err := exec.LookPath("prlimit"); err != nil {
		p.t.Skip("prlimit (util-linux) is not here")
	}
	p.wrap = []string{"prlimit", option}
}

// says checks that a job which did not pass says somewhere in its verdict, or in the one line in its place, why.
func (p *place) says(o outcome, want ...string) {
	p.t.Helper()
	text := o.stderr
	if r, ok := p.kept(); ok && r.FirstCause != nil {
		text += r.FirstCause.String()
		if o.code != r.ExitCode {
			p.t.Errorf("code %d, but the verdict's is %d", o.code, r.ExitCode)
		}
	}
	for _, w := range want {
		if strings.Contains(text, w) {
			return
		}
	}
	p.t.Errorf("code %d: none of %q in %q", o.code, want, text)
}

// Few open files are enough, or are named as what is too few.
func TestFewOpenFiles(t *testing.T) {
	t.Parallel()
	for _, n := range []int{64, 32, 16, 12, 8} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			p := newPlace(t)
			p.limited("--nofile=" + strconv.Itoa(n))
			if o := p.see(p.runArgs()...); n >= 32 || o.code == 0 {
				p.passes(o)
			} else {
				p.says(o, "too many open files")
			}
		})
	}
}

// Few processes are enough, or are named as what is too few, by whichever program is the first that cannot go on.
func TestFewProcesses(t *testing.T) {
	needsRoot(t)
	for _, n := range []int{200, 4} { // of a user who has no other
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			p := newPlace(t)
			p.as(user + 10)
			p.limited("--nproc=" + strconv.Itoa(n))
			if o := p.see(p.runArgs()...); o.code == 0 {
				p.passes(o)
			} else {
				p.says(o, "ulimit -u", "resource temporarily unavailable")
			}
		})
	}
}

// Too little memory to share is found before anything is loaded, and named with what to do.
func TestSmallSharedMemory(t *testing.T) {
	t.Parallel()
	needsMounts(t)
	p := newPlace(t)
	p.wrap = []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=64k none /dev/shm && exec "$@"`, "sh"}
	p.says(p.see(p.runArgs()...), "/dev/shm holds 0 MiB")
}

// No process outlives a batch script that is killed before its job has begun: agents do not wait for a hub that may
// never come.
func TestBatchScriptIsKilledEarly(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if o := p.see(p.runArgs("--dry-run", "case.yaml")...); o.code != 0 {
		t.Fatal(o.stderr)
	}
	// A folder in the place of the hub's address keeps the hub from being found.
	p.must(os.MkdirAll(filepath.Join(p.run().Attempt(0).Agents(), "BENCHMARK.0.json"), 0o755))
	cmd := p.command(t.Context(), "disagg-agent", "batch", "--plan", p.run().Plan())
	p.must(cmd.Start())
	check.Eventually(t, "an agent waits for its hub", func() bool {
		return check.Exists(p.run().Attempt(0).Agent(roles.Task{Role: roles.Role{Kind: roles.Gen}}))
	})
	p.must(cmd.Process.Kill())
	_ = cmd.Wait()
	p.nothingIsLeft()
}

// A batch script that is killed ends its job: no process outlives it, and the verdict says who was to blame.
func TestBatchScriptIsKilled(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	end := p.begin()
	s, err := rundir.ReadSubmission(p.run())
	p.must(err)
	pid, _, _ := strings.Cut(s.JobID, "-")
	n, err := strconv.Atoi(pid)
	p.must(err)
	p.must(syscall.Kill(n, syscall.SIGKILL))
	check.Eventually(t, "the verdict is there", func() bool { return rundir.HasResult(p.run().Attempt(0)) })
	if r, err := rundir.ReadResult(p.run().Attempt(0)); err != nil || r.Verdict != protocol.Cancelled {
		t.Errorf("%+v, %v", r, err)
	}
	if o := end(); o.code != protocol.ExitCancelled {
		t.Errorf("code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}
