// Package snippets reads pieces of logs that tests share: pkg/known/testdata/*.snippets, of our own making.
//
// A piece begins with a line "=== ID what distinguishes it"; ID is that of a known cause, or "-". The line that
// explains has ">>> " before it. A line "@400 text" stands for 400 of text.
package snippets

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disagg/disagg/test/tool"
)

// Snippet is a piece of a log, with the line that explains.
type Snippet struct {
	Name string // the id of the cause, and what distinguishes it from others of that
	ID   string // of the cause; "-": none is known
	Log  string
	Line int // that explains, from 1
}

// All reads every snippet.
func All() (list []Snippet, err error) {
	files, err := filepath.Glob(filepath.Join(tool.Root(), "pkg", "known", "testdata", "*.snippets"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
			name, body, _ := strings.Cut(part, "\n")
			id, _, _ := strings.Cut(name, " ")
			s := Snippet{Name: name, ID: id}
			s.Log, s.Line = unfold(strings.TrimSuffix(body, "\n"))
			list = append(list, s)
		}
	}
	return list, nil
}

// Named is the snippet of a name.
func Named(name string) (Snippet, error) {
	list, err := All()
	for _, s := range list {
		if s.Name == name {
			return s, nil
		}
	}
	return Snippet{}, fmt.Errorf("no snippet %q: %w", name, err)
}

// unfold is the log of a piece, and the number of the line that explains.
func unfold(body string) (log string, line int) {
	var all []string
	for l := range strings.SplitSeq(body, "\n") {
		times := 1
		if rest, ok := strings.CutPrefix(l, "@"); ok {
			count, text, _ := strings.Cut(rest, " ")
			if n, err := strconv.Atoi(count); err == nil {
				times, l = n, text
			}
		}
		if rest, ok := strings.CutPrefix(l, ">>> "); ok {
			l, line = rest, len(all)+1
		}
		for range times {
			all = append(all, l)
		}
	}
	return strings.Join(all, "\n") + "\n", line
}
