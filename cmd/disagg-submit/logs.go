package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/logs"
	"github.com/disagg/disagg/pkg/logs/source"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/runs/catalog"
)

// logsCommand shows the logs of a run.
func logsCommand() *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "show the logs of a run's ranks, side by side, or of what failed",
		ArgsUsage: "[RUN] [ROLE[.RANK]]",
		Description: `ROLE is a role, such as GEN_0, a rank of one, such as GEN_0.3, or a kind (GEN, CTX);
"job" is what the batch script printed, and "install" what preparing the nodes did. Without ROLE all are shown, merged
by the times that their lines begin with. A line without a time stands after the one before it in its log.

The file, or the folder, is named first, on standard error. Progress bars are shown as they ended.

` + aboutRun + `

  disagg-submit logs --failed
  disagg-submit logs 4459 GEN_0 -f --grep 'error|warn'`,
		Flags: []cli.Flag{
			&cli.BoolFlag{
				Name: "follow", Aliases: []string{"f"},
				Usage: "go on until the run is over, and end with its verdict's exit code",
			},
			&cli.BoolFlag{
				Name: "failed", Usage: "the log of what failed first, from shortly before the line that says why",
			},
			&cli.BoolFlag{
				Name: "around", Usage: "what every rank printed in the second before and after the first failure",
			},
			&cli.StringFlag{Name: "grep", Usage: "only lines in which the regular expression `RE` is found"},
		},
		Action: showLogs,
	}
}

// aRole is what can be told to be a role, or one of the other logs, and no run.
var aRole = regexp.MustCompile(`^((GEN|CTX)(_\d+(\.\d+)?)?|(DISAGG_SERVER|BENCHMARK)(\.\d+)?|job|install)$`)

// wantedLogs is what the command line asks for.
type wantedLogs struct {
	dir  string
	role string // "": all
	grep *regexp.Regexp
}

func wantedLogsOf(c *cli.Context) (w wantedLogs, err error) {
	args := c.Args().Slice()
	if n := len(args); n > 0 && aRole.MatchString(args[n-1]) {
		w.role, args = args[n-1], args[:n-1]
	}
	if len(args) > 1 {
		return w, fmt.Errorf("want a RUN and a ROLE, have %q: a role is GEN_0, CTX_1.3, DISAGG_SERVER, BENCHMARK, job "+
			"or install", c.Args().Slice())
	}
	ways := 0
	for _, flag := range []string{"follow", "failed", "around"} {
		if c.Bool(flag) {
			ways++
		}
	}
	if ways > 1 || c.Bool("failed") && w.role != "" {
		return w, errors.New("cannot show logs so: take one of --follow, --failed and --around, and no ROLE with " +
			"--failed")
	}
	if w.grep, err = regexp.Compile(c.String("grep")); err != nil {
		return w, fmt.Errorf("cannot read --grep: %w", err)
	}
	w.dir, err = runNamed(strings.Join(args, ""))
	return w, err
}

func showLogs(c *cli.Context) error {
	w, err := wantedLogsOf(c)
	if err != nil {
		return err
	}
	switch {
	case c.Bool("failed"):
		return w.failed(c)
	case c.Bool("follow"):
		return w.follow(c)
	}
	a := catalog.AttemptOf(w.dir)
	p, err := rundir.ReadPlan(a.Dir().Plan())
	if err != nil {
		return err
	}
	list, err := w.present(p, a)
	if err != nil {
		return err
	}
	out := w.printer(c, a, list)
	if c.Bool("around") {
		return w.around(c, out, list)
	}
	var m logs.Merger
	for _, l := range list {
		m.Add(l.Name, l.Whole())
	}
	return out.all(&m)
}

// present are the wanted logs that are there.
func (w wantedLogs) present(p plan.Plan, a rundir.Attempt) ([]source.Log, error) {
	wanted, err := w.of(p, a)
	if err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(wanted, func(l source.Log) bool { return !l.Exists() })
	if len(list) == 0 {
		return nil, fmt.Errorf("cannot show logs: there are none in %s: nothing has run yet, or they were pruned",
			command.ShortPath(a.Logs()))
	}
	for _, l := range list {
		if err := l.Check(); err != nil {
			return nil, fmt.Errorf("cannot show logs: %w", err)
		}
	}
	return list, nil
}

// of are the logs that an attempt may have, of the wanted role.
func (w wantedLogs) of(p plan.Plan, a rundir.Attempt) ([]source.Log, error) {
	all := source.Of(p, a)
	if w.role == "" {
		return all, nil
	}
	list := source.Named(all, w.role)
	if len(list) == 0 {
		return nil, fmt.Errorf("cannot show logs: the run has no %s: it has %s", w.role,
			strings.Join(roleNames(p.Layout), ", "))
	}
	return list, nil
}

func roleNames(l roles.Layout) (names []string) {
	for _, pl := range l.Placements {
		names = append(names, pl.Role.String())
	}
	return names
}

// printer prints lines, each with the name of its log before it if there are several.
type printer struct {
	out   io.Writer
	grep  *regexp.Regexp
	width int // of names; 0: there is one log
}

// printer says where the logs are, and makes a printer of them.
func (w wantedLogs) printer(c *cli.Context, a rundir.Attempt, list []source.Log) printer {
	out := printer{out: c.App.Writer, grep: w.grep}
	if len(list) == 1 {
		fmt.Fprintln(c.App.ErrWriter, command.ShortPath(list[0].File))
		return out
	}
	fmt.Fprintln(c.App.ErrWriter, command.ShortPath(filepath.Dir(a.RankLog(roles.Hub()))))
	for _, l := range list {
		out.width = max(out.width, len(l.Name))
	}
	return out
}

func (p printer) line(name, text string) error {
	if !p.grep.MatchString(text) {
		return nil
	}
	var err error
	if p.width == 0 {
		_, err = fmt.Fprintln(p.out, text)
	} else {
		_, err = fmt.Fprintf(p.out, "%-*s │ %s\n", p.width, name, text)
	}
	return err
}

// all prints the lines that there are.
func (p printer) all(m *logs.Merger) error {
	for {
		name, l, ok := m.Next()
		if !ok {
			return nil
		}
		if err := p.line(name, l.Text); err != nil {
			return fmt.Errorf("cannot print: %w", err)
		}
	}
}
