// Command child plays every role in the benchmark, under disagg, under the incumbent and started bare. It is small, so
// that the launch is measured and not the child.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disagg/disagg/test/bench"
)

// Its environment.
const (
	dirVar  = "BENCH_DIR"  // where children note what happens to them
	holdVar = "BENCH_HOLD" // the benchmark runs until it is stopped
	pollVar = "BENCH_POLL" // the benchmark looks at the workers every so many seconds, as the incumbent's does
)

// run notes when it began and when it was told to end. Servers run until then; the benchmark has its result at once.
func main() { os.Exit(run()) }

func run() int {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	note("started")
	if began := os.Getenv("DISAGG_BATCH_START"); began != "" {
		_ = os.WriteFile(filepath.Join(os.Getenv(dirVar), "began"), []byte(began+"\n"), 0o644)
	}
	if os.Getenv("DISAGG_SERVING_TYPE") == "BENCHMARK" && os.Getenv(holdVar) == "" {
		return benchmark()
	}
	<-told
	note("told")
	return 0
}

// who is the role and rank that this process plays.
func who() string {
	rank := os.Getenv("SLURM_PROCID")
	return os.Getenv("DISAGG_SERVING_TYPE") + "." + rank
}

// note writes the time, and this process's id, into a file of its own.
func note(what string) {
	name := filepath.Join(os.Getenv(dirVar), what+"."+who())
	text := fmt.Sprintf("%d %d\n", time.Now().UnixNano(), os.Getpid())
	if err := os.WriteFile(name+".tmp", []byte(text), 0o644); err == nil {
		_ = os.Rename(name+".tmp", name)
	}
}

func benchmark() int {
	poll, _ := strconv.ParseFloat(os.Getenv(pollVar), 64)
	if poll > 0 {
		for {
			time.Sleep(time.Duration(poll * float64(time.Second)))
			if !workersLive() {
				return 1
			}
		}
	}
	if err := os.WriteFile("client.0.log", []byte(bench.ResultBlock(1)), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	note("ended")
	return 0
}

// workersLive looks whether every worker that began still runs: the lab's hosts share the machine's process ids.
func workersLive() bool {
	files, _ := filepath.Glob(filepath.Join(os.Getenv(dirVar), "started.*"))
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil {
			fields := strings.Fields(string(data))
			pid, _ := strconv.Atoi(fields[1])
			if syscall.Kill(pid, 0) != nil {
				return false
			}
		}
	}
	return true
}
