package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"
)

// Node is the library's node, for types that decode themselves.
type Node = yaml.Node

// Block is a part of a document that is passed on as it stands. Aliases are resolved, so that the block can be cut out
// of its document; scalars keep their spelling, because the program that reads the block decides what `on` or `1e-3`
// mean. The zero Block is an absent one.
type Block struct{ node *yaml.Node }

// UnmarshalYAML keeps a copy of the node with its aliases resolved.
func (b *Block) UnmarshalYAML(n *yaml.Node) error {
	b.node = resolve(n)
	return nil
}

// resolve copies a tree with every alias replaced by what it stands for and every anchor dropped.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return resolve(n.Alias)
	}
	c := *n
	c.Anchor, c.Content = "", nil
	for _, child := range n.Content {
		c.Content = append(c.Content, resolve(child))
	}
	return &c
}

// Absent tells whether the document had no such block, or only `null`.
func (b Block) Absent() bool {
	return b.node == nil || b.node.Kind == 0 || b.node.Tag == "!!null"
}

// IsMapping tells whether the block is a mapping.
func (b Block) IsMapping() bool { return b.node != nil && b.node.Kind == yaml.MappingNode }

// Line is where the block begins, 0 if absent.
func (b Block) Line() int {
	if b.node == nil {
		return 0
	}
	return b.node.Line
}

// Get returns the block under key, absent if there is none.
func (b Block) Get(key string) Block {
	if i := b.index(key); i >= 0 {
		return Block{b.node.Content[i+1]}
	}
	return Block{}
}

func (b Block) index(key string) int {
	if !b.IsMapping() {
		return -1
	}
	for i := 0; i+1 < len(b.node.Content); i += 2 {
		if b.node.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// Scalar returns the block's text if it is a plain value.
func (b Block) Scalar() (string, bool) {
	if b.node == nil || b.node.Kind != yaml.ScalarNode {
		return "", false
	}
	return b.node.Value, true
}

// Decode reads the block into v. Unknown keys are fine: a block is somebody else's. The file and the key under which
// the block stands only serve errors, which are [*Error].
func (b Block) Decode(file, key string, v any) error {
	if b.Absent() {
		return nil
	}
	err := b.node.Decode(v)
	if err == nil {
		return nil
	}
	fault := &Error{File: file, Line: b.node.Line, Key: key, Problem: err.Error()}
	var list *yaml.TypeError
	if errors.As(err, &list) && len(list.Errors) > 0 {
		fault.Line, fault.Problem = splitLine(list.Errors[0])
		if inner := keyAt(b.node, fault.Line, ""); inner != "" {
			fault.Key += "." + inner
		}
	}
	return fault
}

// Text renders the block as YAML, ending in a newline; "" if absent.
func (b Block) Text() (string, error) {
	if b.Absent() {
		return "", nil
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(b.node); err != nil {
		return "", fmt.Errorf("cannot render block: %w", err)
	}
	return buf.String(), nil
}

// JoinPath returns the block with the text under a path of keys, if there is one and it is a relative path, joined to
// a folder.
func (b Block) JoinPath(folder string, keys ...string) Block {
	i := b.index(keys[0])
	if i < 0 {
		return b
	}
	child := Block{b.node.Content[i+1]}
	if len(keys) > 1 {
		child = child.JoinPath(folder, keys[1:]...)
	} else if s, ok := child.Scalar(); ok && !child.Absent() && !filepath.IsAbs(s) {
		leaf := *child.node
		leaf.Value, leaf.Style = filepath.Join(folder, s), yaml.DoubleQuotedStyle
		child = Block{&leaf}
	}
	c := *b.node
	c.Content = slices.Clone(b.node.Content)
	c.Content[i+1] = child.node
	return Block{&c}
}
