package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/caseflags"
	"github.com/disagg/disagg/pkg/launch"
)

// preview shows what a role would run, or takes this process's place with a shell that has its environment. Nothing of
// the run is started.
func preview(c *cli.Context, b launch.ByHand) error {
	if b.All {
		return errors.New("cannot show all roles at once: name one with --role")
	}
	b.Say = func(text string) { fmt.Fprintln(c.App.ErrWriter, "disagg-agent: "+text) }
	child, err := b.Preview(c.Context, os.Environ())
	if err != nil {
		return err
	}
	if c.Bool("shell") {
		shell := os.Getenv("SHELL")
		if shell == "" {
			shell = "/bin/sh"
		}
		return fmt.Errorf("cannot start %s: %w", shell, syscall.Exec(shell, []string{shell}, child.Env))
	}
	return caseflags.PrintChild(c.App.Writer, child, os.Environ())
}
