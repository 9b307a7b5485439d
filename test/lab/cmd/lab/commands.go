package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/disagg/disagg/test/lab"
)

const usage = `usage: lab VERB

  up [-n hosts] [-g gpus] [-c cpus] [-m MiB] [-k 10s] [--no-accounting] [--cgroup] [--pyxis] [--replace]
  down              remove the lab, living or dead
  env               print the export line to eval
  status            what Slurm says of its hosts and jobs
  on HOST CMD…      run a command on a host
  ps [HOST]         processes on a host, or on all
  cut HOST          take a host off the network; heal HOST puts it back
  stop-node HOST    kill all that runs on a host; start-node HOST starts its slurmd
  missing           what must be installed first
`

// run does what the command line says.
func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no verb\n%s", usage)
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "up":
		return up(args)
	case "down":
		return lab.Down("")
	case "missing":
		return missing(args)
	case "env", "status", "on", "ps", "cut", "heal", "stop-node", "start-node":
		return inLab(verb, args)
	}
	return fmt.Errorf("no verb %q\n%s", verb, usage)
}

// parse reads the flags of up and missing.
func parse(verb string, args []string) (lab.Options, error) {
	o := lab.Defaults()
	o.LockWait = 5 * time.Second // a developer would rather be told than wait for a test
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.IntVar(&o.Hosts, "n", o.Hosts, "`hosts`")
	flags.IntVar(&o.GPUs, "g", o.GPUs, "`GPUs` of each host")
	flags.IntVar(&o.CPUs, "c", o.CPUs, "`CPUs` of each host")
	flags.IntVar(&o.MemoryMB, "m", o.MemoryMB, "memory of each host in `MiB`")
	flags.DurationVar(&o.KillWait, "k", o.KillWait, "`time` between SIGTERM and SIGKILL")
	none := flags.Bool("no-accounting", false, "no MariaDB, no slurmdbd, no sacct")
	flags.BoolVar(&o.Cgroup, "cgroup", false, "track processes and limit memory by cgroups")
	flags.BoolVar(&o.Pyxis, "pyxis", false, "run steps in containers, by a stand-in for NVIDIA's pyxis")
	flags.BoolVar(&o.Replace, "replace", false, "take down an earlier lab that is still up")
	err := flags.Parse(args)
	o.Accounting = !*none
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%s takes no argument %q", verb, flags.Arg(0))
	}
	return o, err
}

func up(args []string) error {
	o, err := parse("up", args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	l, err := lab.Up(ctx, o)
	if err != nil {
		return err
	}
	fmt.Printf("%d hosts are up; eval this:\n", len(l.Hosts()))
	return printEnv(l)
}

func printEnv(l *lab.Lab) error {
	_, err := fmt.Println("export " + strings.Join(l.Env(), " "))
	return err
}

func missing(args []string) error {
	o, err := parse("missing", args)
	if err != nil {
		return err
	}
	if what := lab.Missing(o); len(what) > 0 {
		return errors.New("missing: " + strings.Join(what, ", "))
	}
	return nil
}

// inLab does the verbs that need a lab.
func inLab(verb string, args []string) error {
	l, err := lab.Open("")
	if err != nil {
		return err
	}
	switch {
	case verb == "env":
		return printEnv(l)
	case verb == "status":
		return status(l)
	case verb == "ps" && len(args) == 0:
		return ps(l, l.Hosts())
	case len(args) == 0:
		return fmt.Errorf("%s needs a host\n%s", verb, usage)
	}
	return onHost(l, verb, args[0], args[1:])
}

func onHost(l *lab.Lab, verb, host string, argv []string) error {
	switch verb {
	case "on":
		if len(argv) == 0 {
			return errors.New("on needs a command")
		}
		return attach(l, host, argv...)
	case "ps":
		return ps(l, []string{host})
	case "cut":
		return l.Cut(host)
	case "heal":
		return l.Heal(host)
	case "stop-node":
		return l.StopNode(host)
	}
	return l.StartNode(host)
}

// attach runs a command with this process's input and output.
func attach(l *lab.Lab, host string, argv ...string) error {
	cmd := l.Command(context.Background(), host, argv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func status(l *lab.Lab) error {
	if err := attach(l, "", "sinfo", "--Node", "--long"); err != nil {
		return err
	}
	return attach(l, "", "squeue")
}

func ps(l *lab.Lab, hosts []string) error {
	for _, host := range hosts {
		list, err := l.Processes(host)
		if err != nil {
			return err
		}
		for _, p := range list {
			fmt.Printf("%-6s %7d %7d %s %s\n", host, p.PID, p.PPID, p.State, p.Cmdline)
		}
	}
	return nil
}
