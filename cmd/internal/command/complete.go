package command

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

// Completions tell what values may be, by the name of the flag that takes them, or by what stands for them in a usage:
// RUN, ROLE. They get the command's arguments before the one that is typed.
type Completions map[string]func(arguments []string) []string

const completionsKey = "completions"

// Complete lets a program complete values. What they may be is only looked for when a shell asks: there is an agent a
// rank.
func Complete(app *cli.App, c func() Completions) {
	if app.Metadata == nil {
		app.Metadata = map[string]any{}
	}
	app.Metadata[completionsKey] = c
}

// OneOf are values that do not depend on anything.
func OneOf(values ...string) func([]string) []string {
	return func([]string) []string { return values }
}

// The scripts for shells. PROGRAM stands for the program's name, IDENTIFIER for that as a part of a function's.
//
//go:embed completion/bash
var bashScript string

//go:embed completion/zsh
var zshScript string

//go:embed completion/fish
var fishScript string

var scripts = map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}

var shells = []string{"bash", "zsh", "fish"}

// completionCommand prints what makes a shell complete command lines of a program.
func completionCommand(app *cli.App) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that makes bash, zsh or fish complete commands, flags, runs and more",
		ArgsUsage: "SHELL",
		Description: `The packages install it. By hand, put it into the folder that your shell reads:
~/.local/share/bash-completion/completions/` + app.Name + `, a folder of zsh's $fpath (as _` + app.Name + `),
or ~/.config/fish/completions/` + app.Name + `.fish; or read it at the start of each shell.

` + examples(app, "completion bash >>~/.bashrc", "completion fish >~/.config/fish/completions/"+app.Name+".fish"),
		Action: func(c *cli.Context) error {
			shell, err := One(c, "SHELL")
			if err != nil {
				return err
			}
			script, ok := scripts[shell]
			if !ok {
				return helped(fmt.Sprintf("unknown shell %q, want %s", shell, strings.Join(shells, ", ")), c)
			}
			names := strings.NewReplacer("PROGRAM", c.App.Name, "IDENTIFIER", strings.ReplaceAll(c.App.Name, "-", "_"))
			_, err = names.WriteString(c.App.Writer, script)
			return err
		},
	}
}

// completeCommand is what those scripts ask.
func completeCommand(app *cli.App) *cli.Command {
	return &cli.Command{
		Name:            "__complete",
		Usage:           "tell what the last word of a command line may be",
		ArgsUsage:       "WORD…",
		Hidden:          true,
		SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			known := Completions{"SHELL": OneOf(shells...), "COMMAND": commandsBelow(app.Commands)}
			if own, ok := app.Metadata[completionsKey].(func() Completions); ok {
				maps.Copy(known, own())
			}
			words := c.Args().Slice()
			if len(words) == 0 {
				words = []string{""}
			}
			_, err := fmt.Fprint(c.App.Writer, complete(app, known, words))
			return err
		},
	}
}

// commandsBelow are the commands that may follow others.
func commandsBelow(commands []*cli.Command) func([]string) []string {
	return func(arguments []string) []string {
		below := commands
		for _, word := range arguments {
			next := find(below, word)
			if next == nil {
				return nil
			}
			below = next.Subcommands
		}
		return visible(below)
	}
}

// completer finds out what a word may be.
type completer struct {
	typed string // of the word
	known Completions
	files bool // it may be a file's name, too
	lines []string
}

// complete tells what the last of some words may be: first a line "words", or "files" if it may be the name of a file
// as well, then one per line, with what it means after a tab.
func complete(app *cli.App, known Completions, words []string) string {
	last := len(words) - 1
	s, c := newScanner(app), completer{typed: words[last], known: known}
	for _, w := range words[:last] {
		s.take(w)
	}
	name, value, hasValue := strings.Cut(c.typed, "=")
	switch f := findFlag(s.flags, name); {
	case s.open != nil:
		c.value(s.open, "")
	case hasValue && f != nil && looksLikeFlag(name) && !s.noFlags:
		c.typed = value
		c.value(f, name+"=")
	case strings.HasPrefix(c.typed, "-") && !s.noFlags:
		c.flags(s)
	default:
		c.argument(s)
	}
	kind := "words"
	if c.files {
		kind = "files"
	}
	return strings.Join(append([]string{kind}, c.lines...), "\n") + "\n"
}

// add adds a word if it begins with what was typed.
func (c *completer) add(before, word, meaning string) {
	if !strings.HasPrefix(word, c.typed) {
		return
	}
	line := before + word
	if meaning = strings.ReplaceAll(meaning, "`", ""); meaning != "" {
		line += "\t" + meaning
	}
	c.lines = append(c.lines, line)
}

func (c *completer) flags(s *scanner) {
	for _, f := range s.flags {
		if d, ok := f.(cli.DocGenerationFlag); ok && !isHidden(f) {
			c.add("", dashed(f.Names()[0]), d.GetUsage())
		}
	}
	if !slices.ContainsFunc(s.flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "help") }) {
		c.add("", "--help", "show help")
	}
}

// value completes the value of a flag.
func (c *completer) value(f cli.DocGenerationFlag, before string) {
	placeholder := inBackquotes(f.GetUsage())
	c.files = fileNames().MatchString(placeholder)
	for _, name := range append(f.Names(), placeholder) {
		if values := c.known[name]; values != nil {
			for _, v := range values(nil) {
				c.add(before, v, "")
			}
			return
		}
	}
}

// argument completes a command's name, or an argument.
func (c *completer) argument(s *scanner) {
	if len(s.arguments) == 0 {
		for _, next := range s.commands {
			if !next.Hidden {
				c.add("", next.Name, next.Usage)
			}
		}
	}
	if s.command == nil || s.command.ArgsUsage == "" {
		return
	}
	wanted := placeholders(s.command.ArgsUsage)
	name := wanted[min(len(s.arguments), len(wanted)-1)]
	c.files = c.files || fileNames().MatchString(name)
	if values := c.known[name]; values != nil {
		for _, v := range values(s.arguments) {
			c.add("", v, "")
		}
	}
}

// fileNames are placeholders of what may be a file or a folder.
var fileNames = lazyregexp.New(`\b(FILE|DIR|PATH|CASE|LIST|LOG|RUN|plan\.json)\b`)

// inBackquotes is what a usage names its value; "" if it does not.
func inBackquotes(usage string) string {
	_, rest, _ := strings.Cut(usage, "`")
	name, _, _ := strings.Cut(rest, "`")
	return name
}

// placeholders are the names of a command's arguments: of "[RUN] [ROLE[.RANK]]" RUN and ROLE, of "CASE | --testlist
// LIST" CASE.
func placeholders(usage string) (names []string) {
	first, _, _ := strings.Cut(usage, " | ")
	for _, word := range strings.Fields(first) {
		name := strings.TrimLeft(word, "[")
		if end := strings.IndexAny(name, "[]….|"); end >= 0 {
			name = name[:end]
		}
		names = append(names, name)
	}
	return names
}
