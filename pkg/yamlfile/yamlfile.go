// Package yamlfile reads the YAML that people write: cases, profiles and recipes.
//
// It is the only package that imports the YAML library, and it is always strict: an unknown key, a key given twice, a
// value of the wrong type or a second document is an error. Every error is one line that names the file, the line and
// the key, because it is read by somebody whose job did not start.
//
// Vocabulary: a block is a part of a document that is carried as it stands ([Block]), because somebody else's program
// gives it its meaning.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Error is a fault in a YAML file, told in one line.
type Error struct {
	File    string
	Line    int    // 1-based; 0 when the library did not say
	Key     string // dotted path of the key, "" when the text could not be parsed at all
	Problem string // what is wrong and what would be right
}

func (e *Error) Error() string {
	where := e.File
	if e.Line > 0 {
		where += ":" + strconv.Itoa(e.Line)
	}
	if e.Key != "" {
		where += ": " + e.Key
	}
	return where + ": " + e.Problem
}

// Decode reads the one document in data into v. The name of the file is only used in errors, which are [*Error].
func Decode(file string, data []byte, v any) error {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return syntaxError(file, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return &Error{File: file, Problem: "more than one YAML document: keep one"}
	}
	strict := yaml.NewDecoder(bytes.NewReader(data))
	strict.KnownFields(true)
	if err := strict.Decode(v); err != nil {
		return decodeError(file, &doc, err)
	}
	return nil
}

var linePrefix = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

func splitLine(msg string) (line int, rest string) {
	if m := linePrefix.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		return line, m[2]
	}
	return 0, strings.TrimPrefix(msg, "yaml: ")
}

func syntaxError(file string, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{File: file, Problem: "the file is empty"}
	}
	line, problem := splitLine(firstLine(err.Error()))
	return &Error{File: file, Line: line, Problem: "not valid YAML: " + problem}
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

var unknownField = regexp.MustCompile(`^field (\S+) not found in type \S+$`)

// decodeError turns the library's list of errors into the first of them, with the key that stands at its line.
func decodeError(file string, doc *yaml.Node, err error) error {
	var mine *Error
	if errors.As(err, &mine) {
		mine.File = file
		if mine.Key == "" {
			mine.Key = keyAt(doc, mine.Line, "")
		}
		return mine
	}
	var list *yaml.TypeError
	if !errors.As(err, &list) || len(list.Errors) == 0 {
		return syntaxError(file, err)
	}
	line, problem := splitLine(list.Errors[0])
	e := &Error{File: file, Line: line, Key: keyAt(doc, line, ""), Problem: problem}
	if m := unknownField.FindStringSubmatch(problem); m != nil {
		e.Key = keyAt(doc, line, m[1])
		e.Problem = "unknown key: check its spelling, or remove it"
	}
	if more := len(list.Errors) - 1; more > 0 {
		e.Problem += fmt.Sprintf(" (and %d more)", more)
	}
	return e
}

// keyAt finds the dotted path of the innermost key whose line is line. With a name, only a key of that name counts.
func keyAt(n *yaml.Node, line int, name string) string {
	best := ""
	walkKeys(n, "", func(path string, key *yaml.Node) {
		if key.Line == line && (name == "" || key.Value == name) {
			best = path
		}
	})
	return best
}

func walkKeys(n *yaml.Node, path string, visit func(path string, key *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			walkKeys(c, path, visit)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		p := n.Content[i].Value
		if path != "" {
			p = path + "." + p
		}
		visit(p, n.Content[i])
		walkKeys(n.Content[i+1], p, visit)
	}
}
