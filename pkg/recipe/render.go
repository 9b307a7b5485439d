package recipe

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/shellwords"
)

// templateFuncs are the functions of templates, besides those of text/template.
func templateFuncs() template.FuncMap {
	funcs := template.FuncMap{
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"join":     strings.Join,
		"joinpath": filepath.Join,
		"base":     filepath.Base,
		"seconds":  func(d roles.Duration) int { return int(d.Std().Seconds()) },
		"dir":      filepath.Dir,
		"port":     port,
		"host":     host,
		"model":    func(d Data) string { return d.ModelPath },
		"add":      add,
		"pytest":   pytest,
		"indent": func(n int, text string) string {
			pad := strings.Repeat(" ", n)
			return pad + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+pad)
		},
		"default": func(fallback, v string) string {
			if v == "" {
				return fallback
			}
			return v
		},
	}
	maps.Copy(funcs, keyFuncs)
	return funcs
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func host(addr string) string { return addr[:max(0, strings.LastIndexByte(addr, ':'))] }

// add adds a number to one that a value holds as text: a port and an index.
func add(text string, n int) (int, error) {
	v, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("cannot add to %q: want a number", text)
	}
	return v + n, nil
}

// pytest is a text as the id of a parameter in brackets. One with characters that pytest writes otherwise there, or
// takes for the end, is refused: the test would not be found, after all servers have loaded.
func pytest(id string) (string, error) {
	for _, c := range id {
		if c < ' ' || c > '~' || strings.ContainsRune(`[]\`, c) {
			const why = "command: pytest cannot be asked for test %q, because of its %q: rename the case's file"
			return "", Refusal{fmt.Errorf(why, id, c)}
		}
	}
	return id, nil
}

// empty is a template with the functions that all have. To prepare them costs more than most templates do.
var empty = sync.OnceValue(func() *template.Template {
	return template.New("").Option("missingkey=error").Funcs(templateFuncs())
})

// Render renders one template over the data. The name only serves errors.
func Render(name, text string, d Data) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, withoutNUL(text)
	}
	t, err := empty().Clone()
	if err == nil {
		t, err = t.New(name).Parse(text)
	}
	if err != nil {
		return "", fmt.Errorf("cannot read template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, d); err != nil {
		if own, ok := errors.AsType[Refusal](err); ok {
			return "", own
		}
		return "", fmt.Errorf("cannot render template: %w", err)
	}
	return b.String(), withoutNUL(b.String())
}

// withoutNUL refuses what no program can be given, neither as an argument nor in its environment.
func withoutNUL(text string) error {
	if strings.ContainsRune(text, 0) {
		return fmt.Errorf("%.200q has a NUL character", text)
	}
	return nil
}

// RenderArgs renders a command: empty texts are left out, words are split. The name only serves errors.
func RenderArgs(name string, args []Arg, d Data) ([]string, error) {
	var argv []string
	for i, a := range args {
		label := fmt.Sprintf("%s[%d]", name, i)
		text, err := Render(label, a.Text+a.Words, d)
		if _, own := errors.AsType[Refusal](err); own {
			return nil, err // it says itself what it is about
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", label, err)
		}
		switch {
		case a.Words != "":
			words, err := shellwords.Split(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", label, err)
			}
			argv = append(argv, words...)
		case text != "":
			argv = append(argv, text)
		}
	}
	return argv, nil
}
