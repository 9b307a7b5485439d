package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/slurm"
	"github.com/disagg/disagg/pkg/version"
)

// Exit codes that are not a verdict's.
const (
	exitUsage   = 64
	exitAway    = 69 // Slurm refused or is away
	exitPending = 75 // results are still to be uploaded
)

// run runs the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	code := 0
	app := &cli.App{
		Name:    "disagg-submit",
		Usage:   "plan, submit and watch disaggregated serving tests",
		Version: version.Text(),
		Description: "CASE is a YAML path, a config's base name, or a test id.\n\n" +
			"Exit codes: 0 passed; 1 a role or the test failed; 64 usage or configuration; 69 Slurm refused or is away;\n" +
			"75 uploads are pending (upload drain); 124 a deadline or the time limit; 130 cancelled.",
		Commands:        []*cli.Command{planCommand(&code), renderCommand(), runCommand(&code), uploadCommand(&code)},
		Action:          noCommand,
		Writer:          stdout,
		ErrWriter:       stderr,
		ExitErrHandler:  func(*cli.Context, error) {}, // main exits, once
		HideHelpCommand: true,
	}
	for _, c := range app.Commands {
		c.OnUsageError, c.HideHelpCommand = wrongUsage, true
	}
	err := app.Run(args)
	if err == nil {
		return code
	}
	fmt.Fprintf(stderr, "disagg-submit: %v\n", err)
	switch {
	case code != 0:
		return code
	case errors.Is(err, slurm.ErrAway):
		return exitAway
	}
	return exitUsage
}

// wrongUsage keeps the library from printing the whole help beside a one-line fault.
func wrongUsage(c *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w: see disagg-submit %s --help", err, c.Command.Name)
}

func noCommand(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown command %q: see disagg-submit --help", c.Args().First())
	}
	return cli.ShowAppHelp(c)
}
