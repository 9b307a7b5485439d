package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// ownCommands are those that every program has.
func ownCommands(app *cli.App) []*cli.Command {
	return []*cli.Command{helpCommand(app), versionCommand(app), completionCommand(app), completeCommand(app)}
}

// helpCommand shows what --help shows.
func helpCommand(app *cli.App) *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show what a command does, like its --help",
		ArgsUsage: "[COMMAND…]",
		Description: `With --man all of it is printed as a manual page.

` + examples(app, "help version", "help --man | man -l -"),
		Flags: []cli.Flag{&cli.BoolFlag{Name: "man", Usage: "print the manual page of the program, for man -l -"}},
		Action: func(c *cli.Context) error {
			if c.Bool("man") {
				_, err := fmt.Fprint(c.App.Writer, Manual(c.App))
				return err
			}
			commands, words := c.App.Commands, c.Args().Slice()
			for _, word := range words {
				next := find(commands, word)
				if next == nil {
					return helped(unknownCommand(word, commands), c)
				}
				commands = next.Subcommands
			}
			return c.App.RunContext(c.Context, append(append([]string{c.App.Name}, words...), "--help"))
		},
	}
}

func versionCommand(app *cli.App) *cli.Command {
	return &cli.Command{
		Name:        "version",
		Usage:       "print the version of this program",
		Description: examples(app, "version", "--version"),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return helped("want no argument", c)
			}
			cli.ShowVersion(c)
			return nil
		},
	}
}

// examples are the last lines of a description.
func examples(app *cli.App, lines ...string) string {
	for i, l := range lines {
		lines[i] = "  " + app.Name + " " + l
	}
	return strings.Join(lines, "\n")
}

// Examples are the command lines at the end of a description.
func Examples(program, description string) (lines []string) {
	for line := range strings.Lines(description) {
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "  ")
		if ok && strings.Contains(text, program+" ") {
			lines = append(lines, text)
		}
	}
	return lines
}
