// Package yamlfile reads the YAML that people write (cases, profiles, recipes, test lists) and writes the YAML and JSON
// that engines read.
//
// It is the only package that imports the YAML library. Reading is always strict: an unknown key, a key given twice, a
// value of the wrong type or a second document is an error. Every error is one line that names the file, the line and
// the key, because it is read by somebody whose job did not start. Positions come from the nodes of the document, never
// from the texts of the library's messages. Files for engines are merged as data and encoded by the library; text is
// never glued together.
//
// Terms: a block is a part of a document that is carried as it stands ([Block]), because another program gives it its
// meaning.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

// Error is a fault in a YAML file, told in one line.
type Error struct {
	File    string
	Line    int    // 1-based; 0 when it is not known
	Key     string // dotted path of the key, "" when the text could not be parsed at all
	Problem string // what is wrong and what would be right
}

// Error implements error: file:line: key: problem.
func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place += ":" + strconv.Itoa(e.Line)
	}
	key := e.Key
	if strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
		key = strconv.Quote(key)
	}
	var parts []string
	for _, part := range []string{place, clip(key), clip(e.Problem)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// In is the faults that were found in a file, each a key's path with what is wrong ("a.b: missing"): one per line, with
// the file's name and, if the file has the key, its line. It is nil if there are none.
func In(file string, data []byte, faults []error) error {
	whole, err := ParseBlock(file, string(data))
	if err != nil {
		whole = Block{}
	}
	var errs []error
	for _, fault := range faults {
		key, _, _ := strings.Cut(fault.Error(), ": ")
		place := (&Error{File: file, Line: whole.KeyLine(key)}).Error()
		errs = append(errs, fmt.Errorf("%s: %w", place, fault))
	}
	return errors.Join(errs...)
}

// SchemaFault tells what is wrong with the number of a file's schema, "" if nothing is.
func SchemaFault(schema int) string {
	switch schema {
	case 0:
		return "schema: missing: add schema: 1"
	case 1:
		return ""
	}
	return fmt.Sprintf("schema: %d is not supported: want 1", schema)
}

// mostShown is how many bytes of a key, and of a problem, an error shows: both may quote what the file holds.
const mostShown = 500

// clip cuts a text to what an error shows of it, not within a character.
func clip(text string) string {
	if len(text) <= mostShown {
		return text
	}
	return strings.ToValidUTF8(text[:mostShown], "") + "…"
}

// MaxSize bounds a file, in bytes. The largest that people write have a hundredth of it, and the library needs up to
// forty times the memory of what it reads.
const MaxSize = 1 << 20

// Decode reads the one document in data into v, a pointer. The name of the file is only used in errors, which are
// [*Error]. Struct fields are matched by their `yaml` tags; a map field with the option "inline" takes the keys that no
// other field has.
func Decode(file string, data []byte, v any) error {
	doc, err := parse(file, data)
	if err != nil {
		return err
	}
	d := decoder{file: file}
	d.document(doc, v)
	return d.fault()
}

// parse reads the one document in data, and refuses what could not be decoded in reason.
func parse(file string, data []byte) (*yaml.Node, error) {
	if len(data) > MaxSize {
		return nil, &Error{File: file, Problem: fmt.Sprintf("it is too large: want at most %d KiB", MaxSize>>10)}
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return nil, syntaxError(file, data, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &Error{File: file, Problem: "more than one YAML document: keep one"}
	}
	return &doc, checkAliases(file, &doc)
}

var (
	linePrefix  = lazyregexp.New(`^(?:yaml: )?line (\d+): (.*)$`)
	parserFault = lazyregexp.New(`^did not find expected (key|node content|'-' indicator|',' or|<)`)
	keyPattern  = lazyregexp.New(`^[\s-]*["']?([\w.-]+)["']?\s*:`)
)

// syntaxError tells where the text stops being YAML. There is no tree then: the line is only in the library's message,
// and the key is read off the line.
func syntaxError(file string, data []byte, err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{File: file, Problem: "the file is empty"}
	}
	line, problem := 0, strings.TrimPrefix(oneLine(err.Error()), "yaml: ")
	if m := linePrefix().FindStringSubmatch(oneLine(err.Error())); m != nil {
		line, _ = strconv.Atoi(m[1])
		problem = m[2]
	}
	if parserFault().MatchString(problem) {
		line++ // the library counts the lines of these from 0
	}
	return &Error{File: file, Line: line, Key: keyInText(data, line), Problem: "not valid YAML: " + problem}
}

// oneLine puts a text that may quote a value of several lines into one.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func keyInText(data []byte, line int) string {
	lines := bytes.Split(data, []byte{'\n'})
	if line < 1 || line > len(lines) {
		return ""
	}
	if m := keyPattern().FindSubmatch(lines[line-1]); m != nil {
		return string(m[1])
	}
	return ""
}

// maxNodes bounds a document after its aliases are resolved, as MaxSize bounds its texts: a few lines of aliases of
// aliases can stand for more than any memory holds.
const maxNodes = 100_000

// extent is the size of a part of a document whose aliases are resolved.
type extent struct{ nodes, bytes int }

// fault tells what is too much, "" if nothing is.
func (e extent) fault() string {
	switch {
	case e.nodes > maxNodes:
		return fmt.Sprintf("more than %d values once aliases are resolved", maxNodes)
	case e.bytes > MaxSize:
		return fmt.Sprintf("more than %d KiB of text once aliases are resolved", MaxSize>>10)
	}
	return ""
}

// checkAliases refuses documents whose aliases cannot be resolved in reason.
func checkAliases(file string, doc *yaml.Node) error {
	size := map[*yaml.Node]extent{} // no nodes while a node is being counted
	var count func(n *yaml.Node, path string) (extent, error)
	count = func(n *yaml.Node, path string) (extent, error) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		switch known, begun := size[n]; {
		case begun && known.nodes == 0:
			return known, &Error{File: file, Line: n.Line, Key: path, Problem: "the anchor contains an alias of itself"}
		case begun:
			return known, nil
		}
		size[n] = extent{}
		total := extent{nodes: 1, bytes: len(n.Value)}
		for i, c := range n.Content {
			part, err := count(c, childPath(n, i, path))
			if err != nil {
				return total, err
			}
			total = extent{total.nodes + part.nodes, total.bytes + part.bytes}
			if problem := total.fault(); problem != "" {
				return total, &Error{File: file, Line: n.Line, Problem: problem}
			}
		}
		size[n] = total
		return total, nil
	}
	_, err := count(doc, "")
	return err
}

// childPath is the dotted path of a node's i-th child: values of mappings add their key.
func childPath(n *yaml.Node, i int, path string) string {
	if n.Kind != yaml.MappingNode || i%2 == 0 {
		return path
	}
	return join(path, n.Content[i-1].Value)
}

func join(path, key string) string {
	if path == "" || strings.HasPrefix(key, "[") { // an entry of a list
		return path + key
	}
	return path + "." + key
}
