package testlist

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// Parse reads a list. The name of the file says which form it has, and serves errors.
func Parse(file string, data []byte) ([]Test, error) {
	switch ext := filepath.Ext(file); ext {
	case ".yml", ".yaml":
		return parseYAML(file, data)
	case ".txt":
		return parseText(file, data)
	default:
		return nil, fmt.Errorf("cannot read list %s: want a file that ends in .yml, .yaml or .txt", file)
	}
}

// parseText reads one test a line.
func parseText(file string, data []byte) (tests []Test, err error) {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		t, ok, err := parseLine(line, fmt.Sprintf("%s:%d", file, n))
		if err != nil {
			return nil, err
		}
		if ok {
			tests = append(tests, t)
		}
	}
	return tests, nil
}

// document is a YAML list: a version, and one or more lists by name.
type document struct {
	Version string            `yaml:"version"`
	Lists   map[string]blocks `yaml:",inline"`
}

// blocks are the blocks of one list: a sequence of them, or a single one.
type blocks []block

type block struct {
	Condition condition `yaml:"condition"`
	Tests     []line    `yaml:"tests"`
}

// line is one test, and where it stands.
type line struct {
	text string
	line int
}

func (l *line) UnmarshalYAML(n *yamlfile.Node) error {
	l.line = n.Line
	if err := n.Decode(&l.text); err != nil {
		return &yamlfile.Error{Line: n.Line, Problem: "want the text of a test"}
	}
	return nil
}

func (b *blocks) UnmarshalYAML(n *yamlfile.Node) error {
	one, several := block{}, []block{}
	if n.Tag == "!!map" {
		err := yamlfile.DecodeNode(n, &one)
		*b = blocks{one}
		return err
	}
	err := yamlfile.DecodeNode(n, &several)
	*b = several
	return err
}

func parseYAML(file string, data []byte) (tests []Test, err error) {
	var d document
	if err := yamlfile.Decode(file, data, &d); err != nil {
		return nil, err
	}
	for _, list := range d.Lists {
		for i := range list {
			for _, l := range list[i].Tests {
				t, ok, err := parseLine(l.text, fmt.Sprintf("%s:%d", file, l.line))
				if err != nil {
					return nil, err
				}
				if t.block = &list[i]; ok {
					tests = append(tests, t)
				}
			}
		}
	}
	inOrder(tests)
	return tests, nil
}
