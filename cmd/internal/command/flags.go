package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/spelling"
)

// flagsFirst moves flags that stand after arguments to the front, where the library looks for them. What follows "--"
// is never a flag.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	out, s := args[:1:1], newScanner(app)
	var moved []string
	for _, word := range args[1:] {
		switch s.take(word) {
		case aFlag, aValue:
			moved = append(moved, word)
		case aCommand:
			out = append(append(out, moved...), word)
			moved = nil
		}
	}
	out = append(out, moved...)
	if s.help || s.open != nil {
		return out // an argument would be taken for a command that help is wanted of, or for the value that is missing
	}
	if len(s.arguments) > 0 && looksLikeFlag(s.arguments[0]) && !s.raw() {
		out = append(out, "--")
	}
	return append(out, s.arguments...)
}

// scanner follows a command line word by word.
type scanner struct {
	command   *cli.Command // the last that was named; nil: none
	commands  []*cli.Command
	flags     []cli.Flag
	open      cli.DocGenerationFlag // whose value comes next; nil: none
	noFlags   bool                  // whatever comes is an argument
	help      bool                  // is asked for
	arguments []string
}

func newScanner(app *cli.App) *scanner { return &scanner{commands: app.Commands, flags: app.Flags} }

// raw tells whether the command takes its words as they are.
func (s *scanner) raw() bool { return s.command != nil && s.command.SkipFlagParsing }

// part is what a word of a command line is.
type part int

const (
	aCommand part = iota
	aFlag
	aValue
	anArgument
	aDivider // "--"
)

// take goes on by one word, and tells what it is.
func (s *scanner) take(word string) part {
	next := find(s.commands, word)
	switch {
	case s.open != nil:
		s.open = nil
		return aValue
	case s.noFlags: // an argument
	case word == "--":
		s.noFlags = true
		return aDivider
	case looksLikeFlag(word):
		if f := findFlag(s.flags, word); f != nil && f.TakesValue() && !strings.Contains(word, "=") {
			s.open = f
		}
		s.help = s.help || slices.Contains(cli.HelpFlag.Names(), strings.TrimLeft(word, "-"))
		return aFlag
	case next != nil && len(s.arguments) == 0:
		s.command, s.flags, s.commands, s.noFlags = next, next.Flags, next.Subcommands, next.SkipFlagParsing
		return aCommand
	}
	s.arguments = append(s.arguments, word)
	return anArgument
}

func looksLikeFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// findFlag finds a flag by a word of a command line, with or without dashes and a value; nil if there is none.
func findFlag(flags []cli.Flag, word string) cli.DocGenerationFlag {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, f := range flags {
		for _, n := range f.Names() {
			if d, ok := f.(cli.DocGenerationFlag); ok && n == name {
				return d
			}
		}
	}
	return nil
}

// dashed is a flag's name as people type it.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// isHidden tells whether help does not show a flag.
func isHidden(f cli.Flag) bool {
	v, ok := f.(cli.VisibleFlag)
	return ok && !v.IsVisible()
}

// What the library says of flags.
var (
	undefined  = lazyregexp.New(`^flag provided but not defined: -+(.*)$`)
	valueless  = lazyregexp.New(`^flag needs an argument: -+(.*)$`)
	unreadable = lazyregexp.New(`^invalid (?:boolean )?value (".*") for (?:flag )?-+([^:]*): parse error$`)
)

// faultOf is a fault of a flag in words for people.
func faultOf(text string, flags []cli.Flag) string {
	if m := undefined().FindStringSubmatch(text); m != nil {
		var names []string
		for _, f := range flags {
			if !isHidden(f) {
				names = append(names, f.Names()...)
			}
		}
		fault := "unknown flag " + dashed(m[1])
		if meant := spelling.Nearest(m[1], names); meant != "" {
			fault += ": did you mean " + dashed(meant) + "?"
		}
		return fault
	}
	if m := valueless().FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s wants a value", dashed(m[1]))
	}
	if m := unreadable().FindStringSubmatch(text); m != nil {
		want := "true or false, or no value"
		if f := findFlag(flags, m[2]); f != nil && f.TakesValue() {
			want = "a whole number"
		}
		return fmt.Sprintf("cannot read %s %s: want %s", dashed(m[2]), m[1], want)
	}
	return text
}

// List is the values of a flag that may be repeated, and takes several at once, with commas between them. A value that
// may have a comma of its own needs a flag that is only repeated.
func List(c *cli.Context, flag string) (values []string) {
	for _, given := range c.StringSlice(flag) {
		for _, v := range strings.Split(given, ",") {
			if v = strings.TrimSpace(v); v != "" {
				values = append(values, v)
			}
		}
	}
	return values
}
