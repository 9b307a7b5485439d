package hostile

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/test/check"
)

// readers are the commands that read a run which is over, by what they read of it: its own files, or what its user
// keeps of all runs and their results.
func readers(run string) (own, kept [][]string) {
	own = [][]string{
		{"watch", run}, {"status", run}, {"logs", run}, {"logs", "--failed", run}, {"cancel", run}, {"stop", run},
		{"bench", run}, {"restart", run, "GEN_0"}, {"report", run}, {"judge", run}, {"compare", run, run},
		{"steps", run}, {"export", run, "--prometheus", filepath.Join(filepath.Dir(run), "m.prom")},
		{"upload", "drain", run}, {"run", "--again", run, "--dry-run", "--run-dir", run + "-again"},
	}
	kept = [][]string{
		{"status"}, {"runs"}, {"runs", "prune", "--dry-run"}, {"report", run}, {"judge", run}, {"upload", "drain"},
		{"upload", "status"}, {"upload", "retry"}, {"upload", "verify"},
	}
	return own, kept
}

// A pipe that nobody writes to, in the place of any file of a run or of what its user keeps, holds up none of the
// commands that read it.
func TestPipesInTheirPlace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	args := p.runArgs("case.yaml", "--notify", "cp /dev/stdin told.json", "--upload", "dir:///"+p.path("sink"))
	p.passes(p.see(args...))
	var files []string
	for _, dir := range []string{string(p.run()), p.path("data"), p.path("sink")} {
		p.must(filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, file)
			}
			return err
		}))
	}
	if len(files) < 20 {
		t.Fatalf("the run has no more than %q", files)
	}
	for _, file := range files {
		p.must(os.Rename(file, file+".aside"))
		p.must(syscall.Mkfifo(file, 0o600))
		commands, kept := readers(string(p.run()))
		if !strings.HasPrefix(file, string(p.run())) {
			commands = kept
		}
		for _, args := range commands {
			ctx, stop := context.WithTimeout(t.Context(), check.Bound)
			o := finish(p.command(ctx, append([]string{"disagg-submit"}, args...)...))
			if ctx.Err() != nil {
				t.Errorf("%s is a pipe: %q does not end: %s%s", file, args, o.stdout, o.stderr)
			}
			if strings.Contains(o.stderr, "panic") || o.took > check.Bound/3 {
				t.Errorf("%s is a pipe: %q took %v: %s", file, args, o.took, o.stderr)
			}
			stop()
		}
		p.must(os.RemoveAll(file))
		p.must(os.Rename(file+".aside", file))
	}
}
