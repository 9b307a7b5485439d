package command_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
)

// app is a small program: it prints what its command got.
func app(got *[]string) *cli.App {
	record := func(c *cli.Context) error {
		*got = append([]string{c.Command.Name, c.String("name")}, c.StringSlice("set")...)
		if c.Bool("json") {
			*got = append(*got, "json")
		}
		*got = append(append(*got, "|"), c.Args().Slice()...)
		switch c.Args().First() {
		case "fail":
			return errors.New("it failed")
		case "quiet":
			return command.Exit(3, nil)
		case "loud":
			return command.Exit(7, errors.New("it is loud"))
		}
		return nil
	}
	flags := func() []cli.Flag {
		return []cli.Flag{
			&cli.StringFlag{Name: "name", Aliases: []string{"n"}}, &cli.StringSliceFlag{Name: "set"},
			&cli.BoolFlag{Name: "json"}, &cli.IntFlag{Name: "count"}, &cli.BoolFlag{Name: "jsonl", Hidden: true},
		}
	}
	return &cli.App{
		Name: "tool", Usage: "do things", Version: "1.2", Action: command.Unknown,
		Commands: []*cli.Command{
			{Name: "do", Usage: "do it", Flags: flags(), Action: record},
			{
				Name: "sub", Usage: "do one of some",
				Subcommands: []*cli.Command{{Name: "deep", Usage: "do it there", Flags: flags(), Action: record}},
			},
		},
	}
}

// run runs a command line that must pass, and returns what it printed.
func run(t *testing.T, a *cli.App, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := command.Run(a, append([]string{a.Name}, args...), &out, &errs); code != 0 {
		t.Fatalf("%q: code %d: %s", args, code, &errs)
	}
	return out.String()
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	tests := []struct {
		args string
		want string
	}{
		{"do a --name x b --json", "do x json | a b"},
		{"do --name=x a", "do x | a"},
		{"do a -n x", "do x | a"},
		{"do a --set k=1,2 --set l=3", "do  k=1,2 l=3 | a"},
		{"do a -- --name x", "do  | a --name x"},
		{"do -- --name x", "do  | --name x"},
		{"sub deep a --name x", "deep x | a"},
		{"do sub", "do  | sub"},
		{"do -", "do  | -"},
		{"do a --name -x b", "do -x | a b"},
	}
	for _, tt := range tests {
		var got []string
		var out, errs bytes.Buffer
		if code := command.Run(app(&got), append([]string{"tool"}, strings.Fields(tt.args)...), &out,
			&errs); code != 0 {
			t.Errorf("%s: code %d: %s", tt.args, code, &errs)
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", tt.args, diff)
		}
	}
}

// An error carries its exit code, and is one line; one without words is none.
func TestExitCodes(t *testing.T) {
	tests := []struct {
		args string
		code int
		said string
	}{
		{"do", 0, ""},
		{"do fail", 64, "tool: it failed\n"},
		{"do quiet", 3, ""},
		{"do loud", 7, "tool: it is loud\n"},
		{"nothing", 64, "tool: unknown command \"nothing\": see tool --help\n"},
		{"sub nothing", 64, "tool: unknown command \"nothing\": see tool sub --help\n"},
		{"do --nope", 64, "tool: unknown flag --nope: see tool do --help\n"},
		{"--nope", 64, "tool: unknown flag --nope: see tool --help\n"},
		{"sub deep --nope", 64, "tool: unknown flag --nope: see tool sub deep --help\n"},
		{"do --nam x", 64, "tool: unknown flag --nam: did you mean --name? See tool do --help\n"},
		{"do a --name", 64, "tool: --name wants a value: see tool do --help\n"},
		{"do --count x", 64, "tool: cannot read --count \"x\": want a whole number: see tool do --help\n"},
		{"do --json=x", 64, "tool: cannot read --json \"x\": want true or false, or no value: see tool do --help\n"},
		{"sbu", 64, "tool: unknown command \"sbu\": did you mean sub? See tool --help\n"},
		{"sub dep", 64, "tool: unknown command \"dep\": did you mean deep? See tool sub --help\n"},
		{"help dooo", 64, "tool: unknown command \"dooo\": see tool help --help\n"},
		{"help sub dep", 64, "tool: unknown command \"dep\": did you mean deep? See tool help --help\n"},
		{"version x", 64, "tool: want no argument: see tool version --help\n"},
		{"completion", 64, "tool: want one SHELL, have 0: see tool completion --help\n"},
		{"completion csh", 64, "tool: unknown shell \"csh\", want bash, zsh, fish: see tool completion --help\n"},
	}
	for _, tt := range tests {
		var got []string
		var out, errs bytes.Buffer
		code := command.Run(app(&got), append([]string{"tool"}, strings.Fields(tt.args)...), &out, &errs)
		if code != tt.code || errs.String() != tt.said {
			t.Errorf("%s: code %d, %q, want %d, %q", tt.args, code, &errs, tt.code, tt.said)
		}
	}
}

// What is printed is as wide as COLUMNS says; where nothing tells it has a width that is readable.
func TestWidth(t *testing.T) {
	for text, want := range map[string]int{"100": 100, "7": 40, "x": 120, "": 120} {
		t.Setenv("COLUMNS", text)
		if got := command.Width(&bytes.Buffer{}); got != want {
			t.Errorf("COLUMNS=%s: %d columns, want %d", text, got, want)
		}
	}
}

// A path is shown as it is shortest to type: from the current folder, or from the home folder.
func TestShortPath(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	t.Chdir(dir)
	t.Setenv("HOME", home)
	for path, want := range map[string]string{
		dir + "/runs/x": "runs/x", "/x": "/x", home + "/runs/x": "~/runs/x", home + "/a b": home + "/a b", "a": "a",
		home: home, home + "x/y": home + "x/y",
	} {
		if got := command.ShortPath(path); got != want && len(got) >= len(path) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := command.ShortPath(home + "/runs/x"); got != "~/runs/x" {
		t.Errorf("in the home folder: %s", got)
	}
	if got := command.Relative(dir + "/runs/x"); got != "runs/x" {
		t.Errorf("for programs: %s", got)
	}
}
