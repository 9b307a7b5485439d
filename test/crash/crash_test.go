package crash

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/all"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/fakesearch"
	"github.com/disagg/disagg/test/server"
)

// seeds is how many times a victim is disturbed; `make crash` does it 10,000 times.
var seeds = flag.Int("seeds", 12, "how often a victim is disturbed, for each sink")

// manySeeds is how many it takes for servers that are not played, and to demand many kinds of step.
const manySeeds = 30

// realSeeds is how many are enough for a server that is not played: what differs from the played one is slow.
const realSeeds = 50

// The victim's environment.
const (
	dirVar  = "CRASH_DIR"
	urlVar  = "CRASH_URL"
	seedVar = "CRASH_SEED"
)

func TestMain(m *testing.M) {
	if os.Getenv(dirVar) != "" {
		if err := victim(os.Getenv(dirVar), os.Getenv(urlVar), os.Getenv(seedVar)); err != nil {
			fmt.Fprintf(os.Stderr, "victim: %v\n", err)
			os.Exit(1)
		}
		return
	}
	server.Main(m)
}

// recordsOf are the records of a seed's run, each seed's of a day of its own.
func recordsOf(seed int) []results.Record {
	return sinktest.Records("a"+strconv.Itoa(seed), seed, 4, 8, 16)
}

// victim records points as a hub does, also those that it has recorded before, and sends them.
func victim(dir, address, seed string) error {
	a := rundir.Dir(dir).Attempt(0)
	n, err := strconv.Atoi(seed)
	if err != nil {
		return err
	}
	for _, r := range recordsOf(n) {
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
func command(dir, address string, seed int) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	// The race detector would sleep for a second at the end of each.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "GOMAXPROCS=1",
		dirVar+"="+dir, urlVar+"="+address, seedVar+"="+strconv.Itoa(seed))
	return cmd
}

// places are the sinks that victims send to: each makes one, and tells its URL.
var places = map[string]func(*testing.T) string{
	"sqlite": func(t *testing.T) string {
		return (&url.URL{Scheme: "sqlite", Path: filepath.Join(t.TempDir(), "results.db")}).String()
	},
	"dir":             func(t *testing.T) string { return "dir://" + t.TempDir() },
	"parquet":         func(t *testing.T) string { return "parquet://" + t.TempDir() },
	"real mariadb":    func(t *testing.T) string { return server.MariaDB(t).URL.String() },
	"real postgres":   func(t *testing.T) string { return server.Postgres(t).URL.String() },
	"real opensearch": func(t *testing.T) string { return server.OpenSearch(t).String() },
	"opensearch": func(t *testing.T) string {
		return "opensearch://" + fakesearch.New(t).Host + "/perf?tls=off"
	},
	"gateway": func(t *testing.T) string {
		return "trtllm-gateway://" + fakesearch.New(t).Host + "/perf?tls=off"
	},
}

// has is what a sink has of a seed's run, and how often.
func has(t *testing.T, address string, seed int) map[string]int {
	sink, err := all.Sinks().Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	day := sinktest.Begin.AddDate(0, 0, seed)
	list, err := sink.History(t.Context(), upload.Query{Since: day, Before: day.AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, r := range list {
		ids[r.ID]++
	}
	return ids
}

// A process that is killed at any step between a measured point and a sent record, once or twice, leaves what running
// again makes whole: every record is in the sink exactly once, and noted as sent.
func TestKilledAnywhere(t *testing.T) {
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			n := *seeds
			if strings.HasPrefix(name, "real ") {
				if n < manySeeds {
					t.Skipf("real servers need -seeds %d or more: make crash-real", manySeeds)
				}
				n = min(n, realSeeds)
			}
			everywhere(t, place(t), n, disturbance{})
		})
	}
}

// A disk that is full at any step, or from there on, loses nothing either, be it where the records are, or the sink.
// The process says in one line that there is no room.
func TestDiskFullAnywhere(t *testing.T) {
	for _, name := range []string{"sqlite", "dir", "parquet"} {
		for how, stays := range map[string]bool{"one step": false, "from there on": true} {
			t.Run(name+", "+how, func(t *testing.T) {
				everywhere(t, places[name](t), *seeds, disturbance{fail: unix.ENOSPC, stays: stays})
			})
		}
	}
}

// everywhere disturbs victims as often as is asked for.
func everywhere(t *testing.T, address string, n int, d disturbance) {
	steps, points := stepsOf(t, address, d), map[string]int{}
	for seed := range n {
		once(t, address, seed+1, steps, d, points)
		if t.Failed() {
			break
		}
	}
	report(t, steps, points)
}

// stepsOf is how many steps a victim takes that nobody disturbs.
func stepsOf(t *testing.T, address string, d disturbance) int {
	d.step = 0
	run, err := trace(command(t.TempDir(), address, 0), d)
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

// once disturbs a victim as a seed says.
func once(t *testing.T, address string, seed, steps int, d disturbance, points map[string]int) {
	random := rand.New(rand.NewPCG(uint64(seed), 17))
	dir, err := os.MkdirTemp(t.TempDir(), "run-")
	if err != nil {
		t.Fatal(err)
	}
	for times := 1 + random.IntN(2); times > 0; times-- {
		d.step = 1 + random.IntN(steps)
		run, said, err := disturb(command(dir, address, seed), d)
		if err != nil || run.code == panicked || run.point == "" && run.code != 0 {
			t.Fatalf("seed %d: at %q it ended with %d, %v: %s", seed, run.point, run.code, err, said)
		}
		if run.code > 0 { // the step failed, and it says so
			saysFull(t, seed, run.point, said)
		}
		points[run.point]++
	}
	if err := command(dir, address, seed).Run(); err != nil {
		t.Fatalf("seed %d: what runs again fails: %v", seed, err)
	}
	complete(t, dir, address, seed)
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// disturb disturbs a victim, and returns what it says on its standard error, which is far less than a pipe holds.
func disturb(cmd *exec.Cmd, d disturbance) (run traced, said string, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return run, "", err
	}
	defer r.Close()
	cmd.Stderr = w
	run, err = trace(cmd, d)
	_ = w.Close()
	words, rerr := io.ReadAll(r)
	return run, string(words), errors.Join(err, rerr)
}

// saysFull checks the last words of a victim whose disk was full: one line that says so. Of a sync that has failed
// SQLite does not tell why; then the line names its file.
func saysFull(t *testing.T, seed int, point, said string) {
	t.Helper()
	lower := strings.ToLower(said)
	tells := strings.Contains(lower, "no space left") || strings.Contains(lower, "is full") ||
		strings.Contains(lower, ".db: disk i/o error")
	if strings.Count(said, "\n") != 1 || !tells {
		t.Errorf("seed %d: at %q it says: %s", seed, point, said)
	}
}

// complete checks that every record of a seed is in the sink once, and noted as sent.
func complete(t *testing.T, dir, address string, seed int) {
	t.Helper()
	want := map[string]int{}
	for _, r := range recordsOf(seed) {
		want[r.ID] = 1
	}
	if got := has(t, address, seed); !maps.Equal(want, got) {
		t.Errorf("seed %d: the sink has %v, want %v", seed, got, want)
	}
	o := rundir.Dir(dir).Attempt(0).OpenOutbox(upload.Folder(address))
	sent, err := o.Sent()
	if err != nil || len(sent) != len(want) {
		t.Errorf("seed %d: sent %v, %v", seed, sent, err)
	}
}

// report says at which points victims were disturbed, and that they were many.
func report(t *testing.T, steps int, points map[string]int) {
	delete(points, "") // it was over before
	for _, p := range slices.Sorted(maps.Keys(points)) {
		t.Logf("%5d  %s", points[p], p)
	}
	t.Logf("%d steps of %d kinds", steps, len(points))
	if *seeds >= manySeeds && len(points) < 12 {
		t.Errorf("victims were disturbed at %d kinds of step: want at least 12", len(points))
	}
}
