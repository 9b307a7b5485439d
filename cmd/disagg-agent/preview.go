package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"
	"mvdan.cc/sh/v3/syntax"

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
	slices.Sort(child.Env)
	for _, v := range child.Env {
		if !slices.Contains(os.Environ(), v) {
			fmt.Fprintln(c.App.Writer, "export "+quoted(v))
		}
	}
	fmt.Fprintln(c.App.Writer, "cd "+quoted(child.Dir))
	line := ""
	for _, word := range child.Argv {
		line += " " + quoted(word)
	}
	fmt.Fprintln(c.App.Writer, line[1:])
	return nil
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	q, err := syntax.Quote(word, syntax.LangBash)
	if err != nil { // it has a NUL byte, which no word has
		return word
	}
	return q
}
