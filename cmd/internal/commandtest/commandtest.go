// Package commandtest checks what the command lines of both programs must have alike.
package commandtest

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/disagg/disagg/cmd/internal/command"
)

// fewest is how many examples the help of a command has.
const fewest = 2

// Examples checks that the help of every command has examples of it, and that the program understands them. The folder
// that they run in must have what they name.
func Examples(t *testing.T, app func() *cli.App) {
	t.Helper()
	root := app()
	check := func(what, description string) {
		list := command.Examples(root.Name, description)
		if len(list) < fewest {
			t.Errorf("the help of %s has %d examples, want %d", what, len(list), fewest)
		}
		own := 0
		for _, example := range list {
			for _, args := range calls(t, root.Name, example) {
				ran := understood(t, app(), args)
				if ran == what || what == root.Name || strings.HasPrefix(ran, what+" ") {
					own++
				}
			}
		}
		if own < len(list) {
			t.Errorf("not every example of %s is one of it:\n%s", what, strings.Join(list, "\n"))
		}
	}
	check(root.Name, root.Description)
	each(root.Name, root.Commands, func(path string, c *cli.Command) { check(path, c.Description) })
}

// Flags checks that every flag says what it does, that the value of one that takes one has a name, and that what may be
// given several times says so.
func Flags(t *testing.T, app *cli.App) {
	t.Helper()
	check := func(path string, flags []cli.Flag) {
		for _, f := range flags {
			d, ok := f.(cli.DocGenerationFlag)
			if !ok || d.GetUsage() == "" {
				t.Errorf("%s: %v does not say what it does", path, f.Names())
				continue
			}
			if _, many := f.(*cli.StringSliceFlag); many && !strings.Contains(d.GetUsage(), "may be repeated") {
				t.Errorf("%s: %v does not say that it may be repeated", path, f.Names())
			}
			if d.TakesValue() && strings.Count(d.GetUsage(), "`") != 2 {
				t.Errorf("%s: the usage of %v does not name its value between backquotes", path, f.Names())
			}
		}
	}
	check(app.Name, app.Flags)
	each(app.Name, app.Commands, func(path string, c *cli.Command) { check(path, c.Flags) })
}

// each visits the commands that help shows.
func each(parent string, commands []*cli.Command, visit func(path string, c *cli.Command)) {
	for _, c := range commands {
		if !c.Hidden {
			visit(parent+" "+c.Name, c)
			each(parent+" "+c.Name, c.Subcommands, visit)
		}
	}
}

// calls are the arguments of every call of a program in a line for a shell.
func calls(t *testing.T, program, line string) (list [][]string) {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		words, err := expand.Fields(&expand.Config{Env: expand.ListEnviron("HOME=/home/me")}, call.Args...)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if at := slices.Index(words, program); at >= 0 {
			list = append(list, words[at:])
		}
		return true
	})
	return list
}

// understood parses a command line, and tells which command it is of. Nothing is done.
func understood(t *testing.T, app *cli.App, args []string) (ran string) {
	t.Helper()
	record := func(c *cli.Context) error {
		ran = app.Name
		if c.Command != nil && c.Command.HelpName != "" && !c.Command.HasName(app.Name) {
			ran = c.Command.HelpName
		}
		return nil
	}
	app.Action = record
	disarm(app.Commands, record)
	var said strings.Builder
	if code := command.Run(app, args, io.Discard, &said); code != 0 {
		t.Errorf("%s: %s", strings.Join(args, " "), &said)
	}
	return ran
}

func disarm(commands []*cli.Command, action cli.ActionFunc) {
	for _, c := range commands {
		c.Action = action
		disarm(c.Subcommands, action)
	}
}
