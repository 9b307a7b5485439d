// Command disagg-agent is the task of a Slurm step: it runs one rank of one role of a disaggregated serving test,
// watches it, and tells the hub. See docs/ for its environment and exit codes.
package main

import "os"

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }
