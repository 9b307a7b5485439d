package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs/catalog"
	"github.com/disagg/disagg/pkg/steptime"
)

// stepsCommand describes the steps of decode by the servers' logs.
func stepsCommand() *cli.Command {
	return &cli.Command{
		Name:      "steps",
		Usage:     "show how long decode steps took on the device, from the logs of the generation servers",
		ArgsUsage: "[RUN] | LOG…",
		Description: `LOG is the log of one generation server. A log has steps if the engine prints them
(print_iter_log). All of a log counts, whatever was measured meanwhile: a run of several points is described as a
whole.

What counts is what upstream's test counts: from the fifth iteration on, without those after an idle one, the steps
with the most common number of tokens. Servers count the same in the mean of all.

` + aboutRun + `

  disagg-submit steps 4459
  disagg-submit steps --json gen_server_0.log gen_server_1.log`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			logs, err := generationLogs(c.Args().Slice())
			if err != nil {
				return err
			}
			d, err := describeLogs(logs)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, d)
			}
			return d.print(c.App.Writer)
		},
	}
}

// generationLogs are the logs that the arguments name.
func generationLogs(args []string) ([]string, error) {
	if len(args) > 1 || len(args) == 1 && isFile(args[0]) {
		return args, nil
	}
	dir, err := runNamed(strings.Join(args, ""))
	if err != nil {
		return nil, err
	}
	a := catalog.AttemptOf(dir)
	p, err := rundir.ReadPlan(a.Dir().Plan())
	if err != nil {
		return nil, fmt.Errorf("cannot find the logs of %s: it is not a run directory, or not yours: %w", dir, err)
	}
	var logs []string
	for i := range p.Case.Servers[roles.Gen].Count {
		logs = append(logs, a.RoleLog(roles.Role{Kind: roles.Gen, Index: i}))
	}
	if len(logs) == 0 {
		return nil, fmt.Errorf("cannot find the logs of %s: it has no generation server", dir)
	}
	return logs, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// stepTimes are the steps of servers; times are in milliseconds.
type stepTimes struct {
	Servers []serverSteps  `json:"servers"`
	All     steptime.Stats `json:"all"` // the mean of all servers
}

type serverSteps struct {
	Log string `json:"log"`
	steptime.Stats
}

// describeLogs reads logs. One without a step is left out, as upstream does, unless none has any.
func describeLogs(logs []string) (d stepTimes, err error) {
	var all []steptime.Stats
	for _, log := range logs {
		s, ok, err := describeLog(log)
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(logs) > 1:
		case err != nil:
			return d, err
		case ok:
			d.Servers, all = append(d.Servers, serverSteps{log, s}), append(all, s)
		}
	}
	var ok bool
	if d.All, ok = steptime.Mean(all); !ok {
		return d, fmt.Errorf("no step in %s: does the engine print iterations (print_iter_log: true)?", logs[0])
	}
	return d, nil
}

func describeLog(log string) (s steptime.Stats, ok bool, err error) {
	f, err := os.Open(log)
	if err != nil {
		return s, false, fmt.Errorf("cannot read log: %w", err)
	}
	defer f.Close()
	var r steptime.Reader
	if _, err := io.CopyBuffer(&r, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
		return s, false, fmt.Errorf("cannot read log: %w", err)
	}
	r.End()
	s, ok = r.Stats()
	return s, ok, nil
}

func (d stepTimes) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "steps\ttokens\tmean ms\tmedian ms\tstd ms\tP75 ms\tP99 ms\t  log")
	row := func(s steptime.Stats, tokens, name string) {
		fmt.Fprintf(w, "%d\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t  %s\n", s.Steps, tokens, s.Mean, s.Median, s.Std, s.P75,
			s.P99, name)
	}
	for _, s := range d.Servers {
		row(s.Stats, fmt.Sprint(s.Tokens), s.Log)
	}
	if len(d.Servers) > 1 {
		row(d.All, "", "mean of all")
	}
	return w.Flush()
}
