// An agent needs next to no CPU: it does not ask how much its control group allows it, nor every second whether that
// changed.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command disagg-agent is the task of a Slurm step: it runs one rank of one role of a disaggregated serving test,
// watches it, and reports to the hub. docs/reference has its environment and its exit codes.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/supervisor"
)

func main() {
	runtime.GOMAXPROCS(1) // with more, each message wakes threads that find nothing to do, and hosts have 144 cores
	if err := supervisor.CleanMask(); err != nil { // it must come first: it may start this program again
		fmt.Fprintf(os.Stderr, "disagg-agent: %v\n", err)
	}
	os.Exit(command.Run(app(), os.Args, os.Stdout, os.Stderr))
}
