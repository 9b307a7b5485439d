// Package command is what the command lines of both programs share.
//
// Rules:
//   - A command returns an error that carries its exit code ([Exit]); it is resolved once, in [Run].
//   - An error is one line on stderr, not a page of help.
//   - Flags may stand before or after arguments.
//   - Every program has the commands help, version and completion. What they tell is read from the other commands.
//   - The last lines of a command's description are examples of it: they begin with two blanks and the program's name.
//   - What stands between backquotes in a flag's usage, and each word of a command's ArgsUsage, is what people put
//     there: RUN, FILE, N. Completion knows by it what a word may be.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/spelling"
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
	app.Commands = append(app.Commands, ownCommands(app)...)
	app.Flags = append(app.Flags, cli.HelpFlag) // the library leaves it out where there is a command help
	tidy(app.Commands)
	err := app.Run(flagsFirst(app, args))
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
	flags := c.App.Flags
	if !isRoot(c) {
		flags = c.Command.Flags
	}
	return helped(faultOf(err.Error(), flags), c)
}

// helped is a fault of usage, with where to read on. It may end with a question.
func helped(fault string, c *cli.Context) error {
	if strings.HasSuffix(fault, "?") {
		return fmt.Errorf("%s See %s --help", fault, name(c))
	}
	return fmt.Errorf("%s: see %s --help", fault, name(c))
}

// unknownCommand says that there is no such command, and asks for the one that may have been meant.
func unknownCommand(typed string, among []*cli.Command) string {
	fault := "unknown command " + strconv.Quote(typed)
	if hint := spelling.Hint(typed, visible(among)); hint != "" {
		fault += ": " + hint
	}
	return fault
}

func name(c *cli.Context) string {
	if isRoot(c) {
		return c.App.Name
	}
	return c.Command.HelpName
}

// isRoot tells whether no command was named yet.
func isRoot(c *cli.Context) bool {
	return c.Command == nil || c.Command.Name == "" || c.Command.HasName(c.App.Name)
}

// Unknown is the action where a command is wanted: it shows the help, or names what is not one.
func Unknown(c *cli.Context) error {
	commands := c.App.Commands
	if !isRoot(c) {
		commands = c.Command.Subcommands
	}
	switch {
	case c.Args().Present():
		return helped(unknownCommand(c.Args().First(), commands), c)
	case !isRoot(c) && len(c.Command.Subcommands) > 0:
		return cli.ShowSubcommandHelp(c)
	}
	return cli.ShowAppHelp(c)
}

// visible are the names of the commands that help shows.
func visible(commands []*cli.Command) (names []string) {
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names
}

// One wants exactly one argument, called what, and returns it.
func One(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", helped(fmt.Sprintf("want one %s, have %d", what, c.NArg()), c)
	}
	return c.Args().First(), nil
}

// Value is the value of a flag that must be given.
func Value(c *cli.Context, flag string) (string, error) {
	if v := c.String(flag); v != "" {
		return v, nil
	}
	return "", helped("want "+dashed(flag), c)
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
