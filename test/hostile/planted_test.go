package hostile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/check"
)

// Two users, neither of whom is root. No account needs to have these numbers.
const (
	user  = 61001
	other = 61002
)

// A run directory in which something stands where a job will write is refused in one line before anything starts, and
// nothing that a planted link leads to is touched.
func TestPlantedFiles(t *testing.T) {
	t.Parallel()
	link := os.Symlink
	for name, tt := range map[string]struct {
		file  string
		plant func(victim, file string) error
		code  int
		want  string
	}{
		"plan":          {"plan.json", link, protocol.ExitUsage, "it holds a run already"},
		"current":       {"current", link, protocol.ExitUsage, "it holds a run already"},
		"submission":    {"submission.json", link, protocol.ExitUsage, "it holds a run already"},
		"attempt":       {"attempt-0", link, protocol.ExitUsage, "it holds a run already"},
		"token":         {"attempt-0/token", link, protocol.ExitUsage, "it holds a run already"},
		"result":        {"attempt-0/result.json", link, protocol.ExitUsage, "it holds a run already"},
		"events, twice": {"attempt-0/events.ndjson", os.Link, protocol.ExitUsage, "it holds a run already"},
		"log, a pipe": {
			"attempt-0/logs/benchmark.log", func(_, file string) error { return syscall.Mkfifo(file, 0o666) },
			protocol.ExitUsage, "it holds a run already",
		},
		"work": {"attempt-0/work", link, protocol.ExitUsage, "it holds a run already"},
		"case": {"case", link, protocol.ExitUsage, "cannot make run directory"},
		"script": {
			"job.sbatch", func(_, file string) error { return os.Mkdir(file, 0o755) }, protocol.ExitUsage,
			"cannot make run directory",
		},
		"output": {"local.out", link, protocol.ExitUnavailable, "local.out is a link, and links are not followed here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("victim", "precious")
			file := filepath.Join(string(p.run()), tt.file)
			p.must(os.MkdirAll(filepath.Dir(file), 0o755))
			p.must(tt.plant(p.path("victim"), file))
			o := p.see(p.runArgs()...)
			if i := strings.Index(o.stdout, "is submitted"); i >= 0 {
				t.Errorf("it was started: %s", o.stdout)
			}
			o.oneLine(t, tt.code, tt.want)
			if data, err := os.ReadFile(p.path("victim")); err != nil || string(data) != "precious" {
				t.Errorf("the link's target is %q, %v", data, err)
			}
		})
	}
}

// A run directory that others own, or can write to, is refused.
func TestRunDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for name, tt := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"another's": {
			func(dir string) error { return os.Chown(dir, other, other) },
			"belongs to user 61002: use a run directory that only you can write to",
		},
		"everybody's": {func(dir string) error { return os.Chmod(dir, 0o777) }, "everybody can write to it"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.as(user)
			p.must(os.Mkdir(string(p.run()), 0o755))
			p.must(os.Chown(string(p.run()), user, user))
			p.must(tt.spoil(string(p.run())))
			p.see(p.runArgs()...).oneLine(t, protocol.ExitUsage, tt.want)
		})
	}
}

// A plan that another user has put in the place of this user's is not run.
func TestPlanOfAnother(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	p := newPlace(t)
	p.as(user)
	if o := p.see(p.runArgs("--dry-run", "case.yaml")...); o.code != 0 {
		t.Fatal(o.stderr)
	}
	p.must(os.Chmod(p.run().Plan(), 0o644))
	p.must(os.Chown(p.run().Plan(), other, other))
	want := "belongs to user 61002: use a run directory that only you can write to"
	p.see("disagg-agent", "batch", "--plan", p.run().Plan()).oneLine(t, protocol.ExitUsage, want)
	if check.Exists(string(p.run().Attempt(0))) {
		t.Error("it was begun")
	}
}

// A job that is started twice in one run directory runs once: the second start is refused, and the first goes on.
func TestStartedTwice(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	end := p.begin()
	o := p.see("disagg-agent", "batch", "--plan", p.run().Plan())
	o.oneLine(t, protocol.ExitUsage, "cannot run attempt-0: it is job ")
	p.see(p.runArgs()...).oneLine(t, protocol.ExitUsage, "it holds a run already: name a new one with --run-dir")
	p.passes(end())
}

// What somebody else has put in the place of a run's files does not hold up who only looks: a device is no verdict.
func TestLookingAtAHostileRun(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	d := p.run()
	a := d.Attempt(0)
	p.must(os.MkdirAll(string(a), 0o755))
	for _, file := range []string{d.Plan(), d.Submission(), a.State(), a.Result(), a.Events()} {
		p.must(os.Symlink("/dev/zero", file))
	}
	for _, args := range [][]string{
		{"disagg-submit", "watch", string(d)}, {"disagg-submit", "status", string(d)},
		{"disagg-agent", "batch", "--plan", d.Plan()},
	} {
		p.cheap(args...).oneLine(t, protocol.ExitUsage, "cannot read ")
	}
}
