// Command supervisor measures what supervision costs: `make bench`. Everything that is compared is measured in turns in
// one run.
package main

import (
	"fmt"
	"os"

	"github.com/disagg/disagg/test/bench"
)

// childVar makes this program one of the children that it measures.
const childVar = "BENCH_CHILD"

func main() {
	switch os.Getenv(childVar) {
	case "clock":
		tellTime()
		return
	case "storm":
		forkMany(os.Args[1])
		return
	case "cpu":
		if err := tellParentCPU(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %v\n", err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// inMemory is a folder on a file system in memory, so that no disk is measured; "" if there is none.
func inMemory() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err != nil || !info.IsDir() {
		return ""
	}
	return shm
}

func run() error {
	dir, err := os.MkdirTemp(inMemory(), "disagg-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var table bench.Table
	measures := []func(string, *bench.Table) error{logThroughput, startOverhead, killTree, idleAgent, agentCPU}
	for _, measure := range measures {
		if err := measure(dir, &table); err != nil {
			return err
		}
	}
	if err := table.Print(os.Stdout); err != nil {
		return err
	}
	if !table.Met() {
		return fmt.Errorf("not every goal was met")
	}
	return nil
}
