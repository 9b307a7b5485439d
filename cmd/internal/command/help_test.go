package command_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
)

// help COMMAND prints what COMMAND --help prints, and version what --version prints.
func TestHelpAndVersion(t *testing.T) {
	var got []string
	for _, same := range [][2]string{
		{"help", "--help"}, {"help do", "do --help"}, {"help sub", "sub --help"}, {"help sub deep", "sub deep --help"},
		{"help do", "do a b --help"}, {"help do", "do -h a"}, {"version", "--version"},
	} {
		a := run(t, app(&got), strings.Fields(same[0])...)
		b := run(t, app(&got), strings.Fields(same[1])...)
		if a != b || a == "" {
			t.Errorf("%s prints\n%s\n%s prints\n%s", same[0], a, same[1], b)
		}
	}
	if text := run(t, app(&got), "version"); text != "tool version 1.2\n" {
		t.Errorf("the version is %q", text)
	}
	if text := run(t, app(&got), "do", "--", "--help"); got[len(got)-1] != "--help" || text != "" {
		t.Errorf("--help behind -- is no argument: %q, %q", got, text)
	}
}

// Examples are the lines of a description that begin with two blanks and are of the program.
func TestExamplesOfADescription(t *testing.T) {
	got := command.Examples("tool", "It does.\n\n  tool do a\n  x | tool do\n  not of it\ntool is not one\n")
	if diff := cmp.Diff([]string{"tool do a", "x | tool do"}, got); diff != "" {
		t.Error(diff)
	}
}

// A manual page has all commands and flags that help shows. What troff would act on is quoted.
func TestManual(t *testing.T) {
	var got []string
	a := app(&got)
	a.Commands[0].Description = ".dot \\ and -dash\n\n  tool do 'x'\n  tool do y\n\nlast"
	a.Commands[0].Flags = append(a.Commands[0].Flags, &cli.StringFlag{
		Name: "out", Aliases: []string{"o"}, Value: "x", EnvVars: []string{"OUT"}, Usage: "write `FILE`",
	})
	text := run(t, a, "help", "--man")
	for _, want := range []string{
		".TH \"TOOL\" \"1\"", ".SS \"tool do\"\nDo it.\n", ".SS \"tool sub deep\"", ".SS \"tool completion SHELL\"",
		"\\&.dot \\e and \\-dash\n", ".EX\n  tool do 'x'\n  tool do y\n.EE\n",
		".B \"\\-\\-out, \\-o FILE\"\nwrite FILE\n(default: \"x\"; $OUT stands for it)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the manual has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "jsonl") || strings.Contains(text, "__complete") {
		t.Error("the manual tells of what is hidden")
	}
}

// Completion tells what the last word may be: commands, flags, values of both, and whether a file may be meant.
func TestComplete(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"", "words do sub help version completion"},
		{"d", "words do"},
		{"x", "words"},
		{"sub ", "words deep"},
		{"sub deep --j", "words --json"},
		{"do --", "words --name --set --json --count --help"},
		{"do --name ", "words"},
		{"do --set ", "words"},
		{"do -- --", "files"},
		{"do a --json --c", "words --count"},
		{"do ", "files 17 18"},
		{"do 18 ", "words of-18"},
		{"do 18 x ", "words of-18"},
		{"do 17 --who a", "words alice"},
		{"do --who=", "words --who=alice --who=bob"},
		{"do --who=b", "words --who=bob"},
		{"do --file ", "files"},
		{"completion ", "words bash zsh fish"},
		{"help s", "words sub"},
		{"help sub ", "words deep"},
		{"help x ", "words"},
	} {
		var got []string
		a := app(&got)
		a.Commands[0].ArgsUsage = "[RUN] [ROLE[.RANK]…]"
		plain := a.Commands[0].Flags
		if strings.Contains(tt.line, "who") || strings.Contains(tt.line, "file") {
			plain = append(plain, &cli.StringFlag{Name: "who"}, &cli.StringFlag{Name: "file", Usage: "`FILE`"})
		}
		a.Commands[0].Flags = plain
		known := command.Completions{
			"RUN": command.OneOf("17", "18"), "who": command.OneOf("alice", "bob"),
			"ROLE": func(arguments []string) []string { return []string{"of-" + arguments[0]} },
		}
		command.Complete(a, func() command.Completions { return known })
		text := run(t, a, append([]string{"__complete"}, strings.Split(tt.line, " ")...)...)
		var words []string
		for line := range strings.Lines(text) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			words = append(words, word)
		}
		if diff := cmp.Diff(strings.Fields(tt.want), words); diff != "" {
			t.Errorf("%q: %s", tt.line, diff)
		}
	}
}

// Flags that are repeated take several values at once.
func TestList(t *testing.T) {
	var got []string
	a := app(&got)
	var list []string
	a.Commands[0].Action = func(c *cli.Context) error {
		list = command.List(c, "set")
		return nil
	}
	run(t, a, "do", "--set", "a,b", "x", "--set", " c ,,")
	if !slices.Equal(list, []string{"a", "b", "c"}) {
		t.Errorf("%q", list)
	}
}
