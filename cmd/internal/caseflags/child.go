package caseflags

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/disagg/disagg/pkg/agent"
)

// PrintChild prints what a rank runs, as lines for a shell: the variables that a shell's own environment does not have,
// the folder, and the command.
func PrintChild(out io.Writer, child agent.Child, environ []string) error {
	var lines []string
	for _, v := range slices.Sorted(slices.Values(child.Env)) {
		if !slices.Contains(environ, v) {
			lines = append(lines, "export "+quoted(v))
		}
	}
	lines = append(lines, "cd "+quoted(child.Dir), line(child.Argv))
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

// line is a command line as a shell reads it.
func line(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	q, err := syntax.Quote(word, syntax.LangBash)
	if err != nil { // it has a NUL byte, which no word has
		return word
	}
	return q
}
