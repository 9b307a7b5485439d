package hostile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

// onSmallDisk lets the place's run directory be on a file system of its own, with so much room, which only this job
// sees. What is left there is copied out once the job has ended.
func (p *place) onSmallDisk(options string) {
	p.t.Helper()
	p.off = "all" // preflight would find the disk too small, as it should
	const script = `set -e
mount -t tmpfs -o "$1,mode=755" none "$HOST_DIR/runs"
shift
code=0
"$@" || code=$?
cp -a "$HOST_DIR/runs" "$HOST_DIR/copy"
umount "$HOST_DIR/runs"
cp -a "$HOST_DIR/copy/." "$HOST_DIR/runs"
exit "$code"`
	p.wrap = []string{"unshare", "-m", "sh", "-c", script, "sh", options}
}

// nothingIsLost checks a job on a disk that is full at some time: it ends with the code of its verdict, which is kept
// somewhere; or it was refused before there was a job.
func (p *place) nothingIsLost(o outcome) {
	p.t.Helper()
	r, ok := p.kept()
	switch {
	case o.code == protocol.ExitUsage || o.code == protocol.ExitUnavailable:
		o.oneLine(p.t, o.code, "no space left on device")
	case !ok:
		p.t.Errorf("code %d, and the verdict is lost\n%s%s", o.code, o.stdout, o.stderr)
	case o.code != r.ExitCode || (o.code == 0) != (r.Verdict == protocol.Passed):
		p.t.Errorf("code %d, but the verdict is %s (%d)\n%s", o.code, r.Verdict, r.ExitCode, o.stdout)
	case o.code == 0 && len(r.Points) != 1:
		p.t.Errorf("it has passed with %d points\n%s", len(r.Points), o.stdout)
	case o.code != 0 && !strings.Contains(r.FirstCause.Detail, "no space left on device") &&
		r.FirstCause.Role.Kind != "BENCHMARK": // which cannot always say so itself
		p.t.Errorf("the cause is %v", r.FirstCause)
	}
	if o.took > check.Bound {
		p.t.Errorf("it took %v", o.took)
	}
}

// A disk that is full from one write on, be it the first, the last or any between, costs neither the verdict nor a
// point that was measured.
func TestDiskIsFullFromSomeWriteOn(t *testing.T) {
	needsMounts(t)
	for _, options := range []string{
		"size=4k", "size=12k", "size=16k", "size=24k", "size=32k", "size=48k", "size=64k", "size=104k", "size=124k",
		"nr_inodes=4", "nr_inodes=6", "nr_inodes=10", "nr_inodes=16", "nr_inodes=24", "nr_inodes=34", "nr_inodes=45",
		"nr_inodes=57",
	} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.onSmallDisk(options)
			p.nothingIsLost(p.see(p.runArgs()...))
		})
	}
}

// A disk that fills up while the benchmark runs costs nothing: the job passes, and its verdict is kept with its point.
// The benchmark fills it itself.
func TestDiskFillsUp(t *testing.T) {
	t.Parallel()
	needsMounts(t)
	p := newPlace(t)
	p.onSmallDisk("size=1m")
	fill := "while ! ls ../../records/*.json >/dev/null 2>&1; do sleep 0.02; done; " +
		"cat /dev/zero >fill 2>/dev/null || true"
	p.write("light.yaml", strings.Replace(light, "      while [", "      "+fill+"\n      while [", 1))
	o := p.see(p.runArgs()...)
	p.nothingIsLost(o)
	if r, _ := p.kept(); o.code != 0 || !strings.Contains(o.stdout, "the run directory did not take the verdict") {
		t.Errorf("code %d, %+v\n%s", o.code, r, o.stdout)
	}
}

// A run directory that is taken away while the benchmark runs, and one that can no longer be written to, cost no
// verdict either.
func TestRunDirectoryGoesAway(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for name, spoil := range map[string]func(d rundir.Dir) error{
		"removed": removeInUse,
		"moved":   func(d rundir.Dir) error { return os.Rename(string(d), string(d)+".moved") },
		"not ours any more": func(d rundir.Dir) error {
			return filepath.Walk(string(d), func(path string, info os.FileInfo, err error) error {
				if err == nil && info.IsDir() {
					err = os.Chown(path, other, other)
				}
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.as(user)
			end := p.begin()
			p.must(spoil(p.run()))
			o := end()
			if r, ok := p.kept(); !ok || o.code != 0 || r.Verdict != protocol.Passed || len(r.Points) != 1 {
				t.Errorf("code %d, kept %v: %+v\n%s%s", o.code, ok, r, o.stdout, o.stderr)
			}
		})
	}
}

// removeInUse removes a folder into which others still write: what they add meanwhile goes in the next try.
func removeInUse(d rundir.Dir) (err error) {
	for range 10 {
		if err = os.RemoveAll(string(d)); !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return err
}

// Where not even the temporary folder has room, there is no verdict, and that is no success: the line says why.
func TestNoRoomAnywhere(t *testing.T) {
	t.Parallel()
	needsMounts(t)
	p := newPlace(t)
	p.onSmallDisk("nr_inodes=10")
	p.must(os.RemoveAll(p.path("tmp")))
	o := p.see(p.runArgs()...)
	if _, ok := p.kept(); ok || o.code != protocol.ExitFailed {
		t.Errorf("code %d, kept %v", o.code, ok)
	}
	o.oneLine(t, protocol.ExitFailed, "the job ended without a verdict: ")
	if !strings.Contains(o.stderr, "no space left on device") && !strings.Contains(o.stderr, "is full") {
		t.Errorf("it does not say why: %s", o.stderr)
	}
}
