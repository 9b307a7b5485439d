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
	"sync"

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
		return syntaxError(file, data, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return &Error{File: file, Problem: "more than one YAML document: keep one"}
	}
	if err := checkAliases(file, &doc); err != nil {
		return err
	}
	strict := yaml.NewDecoder(bytes.NewReader(data))
	strict.KnownFields(true)
	if err := strict.Decode(v); err != nil {
		return decodeError(file, &doc, err)
	}
	return nil
}

// maxNodes bounds a document after its aliases are resolved: a few lines of aliases of aliases can stand for more than
// any memory holds.
const maxNodes = 100_000

// checkAliases refuses documents whose aliases cannot be resolved in reason.
func checkAliases(file string, doc *yaml.Node) error {
	size := map[*yaml.Node]int{} // -1 while a node is being counted
	var count func(n *yaml.Node) (int, error)
	count = func(n *yaml.Node) (int, error) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		switch known := size[n]; {
		case known < 0:
			return 0, &Error{File: file, Line: n.Line, Key: keyAt(doc, n.Line, ""), Problem: "the anchor contains an alias of itself"}
		case known > 0:
			return known, nil
		}
		size[n] = -1
		total := 1
		for _, c := range n.Content {
			part, err := count(c)
			if err != nil {
				return 0, err
			}
			if total += part; total > maxNodes {
				return 0, &Error{File: file, Line: n.Line, Problem: fmt.Sprintf("more than %d values once aliases are resolved", maxNodes)}
			}
		}
		size[n] = total
		return total, nil
	}
	_, err := count(doc)
	return err
}

// form compiles an expression when it is first used: most programs that read a file find no fault in it.
func form(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

var linePrefix = form(`^(?:yaml: )?line (\d+): (.*)$`)

func splitLine(msg string) (line int, rest string) {
	msg = strings.Join(strings.Fields(msg), " ") // it may quote a value of several lines
	if m := linePrefix().FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		return line, m[2]
	}
	return 0, strings.TrimPrefix(msg, "yaml: ")
}

// syntaxError tells where the text stops being YAML. There is no tree then, so the key is read off the line.
func syntaxError(file string, data []byte, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{File: file, Problem: "the file is empty"}
	}
	line, problem := splitLine(err.Error())
	if parserFault().MatchString(problem) {
		line++ // the library counts the lines of these from 0
	}
	return &Error{File: file, Line: line, Key: keyInText(data, line), Problem: "not valid YAML: " + problem}
}

var parserFault = form(`^did not find expected (key|node content|'-' indicator|',' or|<)`)

var keyForm = form(`^[\s-]*["']?([\w.-]+)["']?\s*:`)

func keyInText(data []byte, line int) string {
	lines := bytes.Split(data, []byte{'\n'})
	if line < 1 || line > len(lines) {
		return ""
	}
	if m := keyForm().FindSubmatch(lines[line-1]); m != nil {
		return string(m[1])
	}
	return ""
}

var unknownField = form(`^field (\S+) not found in type `)

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
		return syntaxError(file, nil, err)
	}
	line, problem := splitLine(list.Errors[0])
	e := &Error{File: file, Line: line, Key: keyAt(doc, line, ""), Problem: problem}
	if m := unknownField().FindStringSubmatch(problem); m != nil {
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
