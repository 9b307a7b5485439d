package crash

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/all"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

// seeds is how many times a victim is killed; `make crash` does it 10,000 times.
var seeds = flag.Int("seeds", 150, "how often a victim is killed, for each sink")

// The victim's environment.
const (
	dirVar = "CRASH_DIR"
	urlVar = "CRASH_URL"
)

func TestMain(m *testing.M) {
	if os.Getenv(dirVar) != "" {
		if err := victim(os.Getenv(dirVar), os.Getenv(urlVar)); err != nil {
			fmt.Fprintf(os.Stderr, "victim: %v\n", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// concurrencies are those of the points that a victim records.
var concurrencies = []int{4, 8, 16}

// victim records points as a hub does, also those that it has recorded before, and sends them.
func victim(dir, address string) error {
	a := rundir.Dir(dir).Attempt(0)
	for _, r := range sinktest.Records("a1", 0, concurrencies...) {
		if err := a.RecordStore().Save(r); err != nil {
			return err
		}
	}
	d := upload.Drain{Outbox: a.OpenOutbox(upload.Folder(address)), Sinks: all.Sinks(), URL: address}
	if report := d.Run(context.Background()); report.Error != "" || report.Pending > 0 {
		return fmt.Errorf("%+v", report)
	}
	return nil
}

// command is the victim's.
func command(dir, address string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dirVar+"="+dir, urlVar+"="+address, "GOMAXPROCS=1")
	return cmd
}

// place makes a new sink, and tells its URL and how often it has each record.
type place func(t *testing.T) (address string, count func() map[string]int)

func sqliteFile(t *testing.T) (string, func() map[string]int) {
	u := &url.URL{Scheme: "sqlite", Path: filepath.Join(t.TempDir(), "results.db")}
	return u.String(), func() map[string]int { return counted(t, u) }
}

// counted is what a sink has, by ids, in which each can be once only.
func counted(t *testing.T, u *url.URL) map[string]int {
	sink, err := sqlite.Scheme().Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	list, err := sink.History(t.Context(), upload.Query{})
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]int{}
	for _, r := range list {
		has[r.ID]++
	}
	return has
}

// A process that is killed at any step between a measured point and a sent record, once or twice, leaves what running
// again makes whole: every record is in the sink exactly once, and noted as sent.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]place{"sqlite": sqliteFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := place(t)
			steps := stepsOf(t, address)
			points := map[string]int{}
			for seed := range *seeds {
				once(t, place, uint64(seed), steps, 0, points)
				if t.Failed() {
					break
				}
			}
			report(t, steps, points)
		})
	}
}

// A disk that is full, or a call that fails, at any step loses nothing either.
func TestDiskFullAnywhere(t *testing.T) {
	t.Parallel()
	address, _ := sqliteFile(t)
	steps, points := stepsOf(t, address), map[string]int{}
	for seed := range *seeds {
		once(t, sqliteFile, uint64(seed), steps, unix.ENOSPC, points)
		if t.Failed() {
			break
		}
	}
	report(t, steps, points)
}

// stepsOf is how many steps a victim takes that nobody disturbs.
func stepsOf(t *testing.T, address string) int {
	run, err := trace(command(t.TempDir(), address), 0, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("processes can be followed step by step on Linux on amd64 only")
	}
	if err != nil || run.code != 0 {
		t.Fatalf("code %d, %v", run.code, err)
	}
	return run.steps
}

// panicked is the exit code of a Go program that panics.
const panicked = 2

// once kills a victim, or lets a step of it fail, as a seed says.
func once(t *testing.T, place place, seed uint64, steps int, fail unix.Errno, points map[string]int) {
	random := rand.New(rand.NewPCG(seed, 17))
	dir, err := os.MkdirTemp(t.TempDir(), "run-")
	if err != nil {
		t.Fatal(err)
	}
	address, count := place(t)
	for kills := 1 + random.IntN(2); kills > 0; kills-- {
		run, err := trace(command(dir, address), 1+random.IntN(steps), fail)
		if err != nil || run.code == panicked || run.point == "" && run.code != 0 {
			t.Fatalf("seed %d: at %q it ended with %d, %v", seed, run.point, run.code, err)
		}
		points[run.point]++
	}
	if err := command(dir, address).Run(); err != nil {
		t.Fatalf("seed %d: what runs again fails: %v", seed, err)
	}
	want := map[string]int{}
	for _, r := range sinktest.Records("a1", 0, concurrencies...) {
		want[r.ID] = 1
	}
	if got := count(); !maps.Equal(want, got) {
		t.Errorf("seed %d: the sink has %v, want %v", seed, got, want)
	}
	o := rundir.Dir(dir).Attempt(0).OpenOutbox(upload.Folder(address))
	sent, err := o.Sent()
	if err != nil || len(sent) != len(want) {
		t.Errorf("seed %d: sent %v, %v", seed, sent, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// report says at which points victims were killed, and that they were many.
func report(t *testing.T, steps int, points map[string]int) {
	delete(points, "") // it was over before
	for _, p := range slices.Sorted(maps.Keys(points)) {
		t.Logf("%5d  %s", points[p], p)
	}
	t.Logf("%d steps of %d kinds", steps, len(points))
	if *seeds >= 100 && len(points) < 12 {
		t.Errorf("victims were killed at %d kinds of step: want at least 12", len(points))
	}
}
