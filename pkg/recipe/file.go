package recipe

import (
	"fmt"
	"path"
	"strings"

	"github.com/disagg/disagg/pkg/yamlfile"
)

// File is written on the node before the role starts. Exactly one of Text, From, YAML and JSON is set.
type File struct {
	// Path is relative to the rank's own folder.
	Path string `yaml:"path" json:"path"`
	// Text is a template.
	Text string `yaml:"text" json:"text,omitempty"`
	// From is the name of a file beside the recipe, which is written as it is: a program, say.
	From string `yaml:"from" json:"from,omitempty"`
	// YAML and JSON are structures that are merged and encoded.
	YAML *Document `yaml:"yaml" json:"yaml,omitempty"`
	JSON *Document `yaml:"json" json:"json,omitempty"`
	// Content is what was in From when the recipe was read.
	Content string `yaml:"-" json:"content,omitempty"`
}

// load reads what is written as it is.
func (f *File) load(read func(name string) ([]byte, error)) error {
	if f.From == "" {
		return nil
	}
	if f.From != path.Base(f.From) || read == nil {
		return fmt.Errorf("%s: from: %q: want the name of a file beside the recipe", f.Path, f.From)
	}
	data, err := read(f.From)
	if err != nil {
		return fmt.Errorf("%s: from: %w", f.Path, err)
	}
	f.Content = string(data)
	return nil
}

// Document is a structure for an engine, made of parts that are merged as data. The text of a part is a YAML mapping
// whose texts are templates; one tagged !yaml renders to data instead of a text, and is left out, with its key, if that
// is empty.
type Document struct {
	// Defaults give way to every part.
	Defaults string `json:"defaults,omitempty"`
	// Merge are the parts. A key that two of them give is an error.
	Merge []string `json:"merge"`
}

// UnmarshalYAML reads {defaults: {…}, merge: [{…}, …]}.
func (doc *Document) UnmarshalYAML(n *yamlfile.Node) error {
	var raw struct {
		Defaults yamlfile.Block   `yaml:"defaults"`
		Merge    []yamlfile.Block `yaml:"merge"`
	}
	if err := yamlfile.DecodeNode(n, &raw); err != nil {
		return err
	}
	if len(raw.Merge) == 0 {
		return &yamlfile.Error{Line: n.Line, Problem: "want {merge: [PART, …]}"}
	}
	var err error
	if doc.Defaults, err = raw.Defaults.Text(); err != nil {
		return err
	}
	for _, part := range raw.Merge {
		text, err := part.Text()
		if err != nil {
			return err
		}
		doc.Merge = append(doc.Merge, text)
	}
	return nil
}

// Render is the file's content.
func (f File) Render(d Data) (string, error) {
	switch {
	case f.From != "":
		return f.Content, nil
	case f.YAML != nil:
		b, err := f.YAML.build(f.Path, d)
		if err != nil {
			return "", err
		}
		return b.Text()
	case f.JSON != nil:
		b, err := f.JSON.build(f.Path, d)
		if err != nil {
			return "", err
		}
		return b.JSON()
	}
	return Render("files."+f.Path, f.Text, d)
}

// build renders the parts and merges them.
func (doc Document) build(file string, d Data) (yamlfile.Block, error) {
	part := func(text string) (yamlfile.Block, error) {
		b, err := yamlfile.ParseBlock(file, text)
		if err != nil {
			return b, err
		}
		return b.Expand("", func(text string) (string, error) { return Render("files."+file, text, d) })
	}
	defaults, err := part(doc.Defaults)
	if err != nil {
		return defaults, err
	}
	var parts []yamlfile.Block
	var names []string
	for _, text := range doc.Merge {
		b, err := part(text)
		if err != nil {
			return b, err
		}
		parts = append(parts, b)
		names = append(names, partName(text))
	}
	b, err := yamlfile.Merge(defaults, parts, names)
	if err != nil {
		return b, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

// partName says whose a part is: a part of the case is named by its template.
func partName(text string) string {
	if rest, ok := strings.CutPrefix(strings.TrimSpace(text), yamlfile.RawTag); ok {
		return "the case (" + strings.Trim(rest, ` '"`) + ")"
	}
	return "the recipe"
}
