// Command actor plays every role when a seed of the simulation is replayed on the lab: it starts at once, serves what
// the recipe's probes ask for, and dies in the way that the player asks for.
//
//	actor serve HOST ADDRESS-FILE [WORKERS...]   lists of addresses as JSON
//	actor measure COORDINATOR
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
)

// Its environment.
const (
	rankVar     = "ACTOR_RANK"
	dirVar      = "ACTOR_DIR"      // where actors note their process ids
	loadsVar    = "ACTOR_LOADS"    // "GEN_0.0=1.5s,…": how long services load
	measuresVar = "ACTOR_MEASURES" // how long the benchmark measures
	stopVar     = "ACTOR_STOP"     // how long it takes to end once told to
)

// codes are what it ends with when it is sent a signal by the player.
var codes = map[os.Signal]int{syscall.SIGHUP: 0, syscall.SIGUSR1: 1, syscall.SIGUSR2: 3}

func main() {
	told := make(chan os.Signal, 8)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	note(task())
	ended := make(chan int, 1)
	if os.Getenv(rankVar) == "0" {
		go func() { ended <- play(os.Args[1:]) }()
	}
	select {
	case code := <-ended:
		os.Exit(code)
	case sig := <-told:
		code, ok := codes[sig]
		if !ok {
			time.Sleep(duration(stopVar))
		}
		os.Exit(code)
	}
}

// play plays a leader, and returns only when the benchmark is done or something is wrong.
func play(args []string) int {
	var err error
	if args[0] == "measure" {
		err = measure(args[1])
	} else {
		err = serve(args[1], args[2], args[3:])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "actor: %v\n", err)
		return 1
	}
	return 0
}

// task is the rank that this process plays: "GEN_0.1".
func task() string { return os.Getenv("DISAGG_SERVING_TYPE") + "." + os.Getenv(rankVar) }

func duration(name string) time.Duration {
	d, _ := time.ParseDuration(os.Getenv(name))
	return d
}

// load is how long this process's service loads.
func load() time.Duration {
	for entry := range strings.SplitSeq(os.Getenv(loadsVar), ",") {
		if name, text, _ := strings.Cut(entry, "="); name == task() {
			d, _ := time.ParseDuration(text)
			return d
		}
	}
	return 0
}

// note tells the player this process's id, and its agent's.
func note(name string) {
	file := filepath.Join(os.Getenv(dirVar), name)
	text := fmt.Sprintf("%d %d\n", os.Getpid(), os.Getppid())
	if err := os.WriteFile(file+".tmp", []byte(text), 0o600); err == nil {
		_ = os.Rename(file+".tmp", file)
	}
}

// computes tells whether every rank of this role runs: none computes without the others. The lab's hosts share the
// machine's process ids.
func computes() bool {
	files, _ := filepath.Glob(filepath.Join(os.Getenv(dirVar), os.Getenv("DISAGG_SERVING_TYPE")+".*[0-9]"))
	for _, f := range files {
		data, _ := os.ReadFile(f)
		pid, _, _ := strings.Cut(string(data), " ")
		if _, err := strconv.Atoi(pid); err != nil {
			return false
		}
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		_, state, _ := strings.Cut(string(stat), ") ")
		if err != nil || state == "" || strings.ContainsRune("TtZX", rune(state[0])) {
			return false
		}
	}
	return true
}
