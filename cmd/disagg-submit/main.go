// Command disagg-submit turns a perf-sanity case into a plan and a batch script, submits it, watches it, and ends with
// a truthful exit code.
package main

import (
	"os"

	"github.com/disagg/disagg/cmd/internal/command"
)

func main() { os.Exit(command.Run(app(), os.Args, os.Stdout, os.Stderr)) }
