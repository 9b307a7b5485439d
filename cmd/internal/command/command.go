// Package command is what the command lines of both programs share.
//
// Rules:
//   - A command returns an error that carries its exit code ([Exit]); it is resolved once, in [Run].
//   - An error is one line on stderr, not a page of help.
//   - Flags may stand before or behind arguments.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
)

// exit is an error that carries an exit code.
type exit struct {
	code int
	err  error // nil: nothing is to be said
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// Exit is an error that ends a program with a code. With err nil the program ends without a word. Code 0 is no code:
// what is left is err.
func Exit(code int, err error) error {
	if code == 0 {
		return err
	}
	return &exit{code, err}
}

// Code is the exit code that an error leads to: its own, else that of a fault of usage or configuration.
func Code(err error) int {
	var e *exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	}
	return protocol.ExitUsage
}

// Run runs a command line and returns the exit code. What went wrong is said in one line on stderr.
func Run(app *cli.App, args []string, stdout, stderr io.Writer) int {
	app.Writer, app.ErrWriter = stdout, stderr
	app.ExitErrHandler = func(*cli.Context, error) {} // main exits, once
	app.HideHelpCommand, app.OnUsageError, app.DisableSliceFlagSeparator = true, wrongUsage, true
	tidy(app.Commands)
	err := app.Run(FlagsFirst(app, args))
	var e *exit
	if err != nil && (!errors.As(err, &e) || e.err != nil) {
		for line := range strings.Lines(err.Error()) { // several faults of one input are several lines
			fmt.Fprintf(stderr, "%s: %s\n", app.Name, strings.TrimRight(line, "\n"))
		}
	}
	return Code(err)
}

func tidy(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError, c.HideHelpCommand = wrongUsage, true
		if len(c.Subcommands) > 0 && c.Action == nil {
			c.Action = Unknown
		}
		tidy(c.Subcommands)
	}
}

// wrongUsage keeps the library from printing the whole help beside a one-line fault.
func wrongUsage(c *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w: see %s --help", err, name(c))
}

func name(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == "" || c.Command.HasName(c.App.Name) {
		return c.App.Name
	}
	return c.Command.HelpName
}

// Unknown is the action where a command is wanted: it shows the help, or names what is not one.
func Unknown(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown command %q: see %s --help", c.Args().First(), name(c))
	}
	if c.Command != nil && len(c.Command.Subcommands) > 0 && !c.Command.HasName(c.App.Name) {
		return cli.ShowSubcommandHelp(c)
	}
	return cli.ShowAppHelp(c)
}

// One wants exactly one argument, called what, and returns it.
func One(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", fmt.Errorf("want one %s, have %d: see %s --help", what, c.NArg(), name(c))
	}
	return c.Args().First(), nil
}

// UntilSignal is a context that ends with a signal; its cause names it. The result ends the watch for signals.
func UntilSignal(ctx context.Context, signals ...os.Signal) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	came := make(chan os.Signal, 1)
	signal.Notify(came, signals...)
	go func() {
		select {
		case sig := <-came:
			cancel(errors.New(SignalName(sig)))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(came); cancel(nil) }
}

// SignalName is a signal's name as people write it: SIGTERM.
func SignalName(sig os.Signal) string {
	if s, ok := sig.(unix.Signal); ok {
		if name := unix.SignalName(s); name != "" {
			return name
		}
	}
	return fmt.Sprint(sig)
}

// FlagsFirst moves flags that stand behind arguments to the front, where the library looks for them. What follows "--"
// is never a flag.
func FlagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	out, flags, commands := args[:1:1], app.Flags, app.Commands
	var moved, plain []string
	rest := args[1:]
	for len(rest) > 0 {
		a := rest[0]
		rest = rest[1:]
		switch c := find(commands, a); {
		case a == "--":
			plain, rest = append(plain, rest...), nil
		case len(a) > 1 && a[0] == '-':
			moved = append(moved, a)
			if takesNext(flags, a) && len(rest) > 0 {
				moved, rest = append(moved, rest[0]), rest[1:]
			}
		case c != nil && len(plain) == 0:
			out = append(append(out, moved...), a)
			moved, flags, commands = nil, c.Flags, c.Subcommands
		default:
			plain = append(plain, a)
		}
	}
	out = append(out, moved...)
	if len(plain) > 0 && len(plain[0]) > 1 && plain[0][0] == '-' {
		out = append(out, "--")
	}
	return append(out, plain...)
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesNext tells whether the argument behind a flag is its value.
func takesNext(flags []cli.Flag, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range flags {
		for _, n := range f.Names() {
			if d, ok := f.(cli.DocGenerationFlag); ok && n == name {
				return d.TakesValue()
			}
		}
	}
	return false
}
