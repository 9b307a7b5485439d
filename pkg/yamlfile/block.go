package yamlfile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Block is a part of a document that is passed on as it stands. Aliases and merge keys are resolved, so that the block
// can be cut out of its document; scalars keep their spelling, because the program that reads the block decides what
// `on` or `1e-3` mean. The zero Block is an absent one.
type Block struct{ node *yaml.Node }

// Kind is a kind of value, in words.
type Kind string

// The kinds.
const (
	Nothing Kind = "nothing"
	Number  Kind = "a number"
	Truth   Kind = "true or false"
	Text    Kind = "a text"
	List    Kind = "a list"
	Mapping Kind = "keys and values"
)

// resolve copies a tree with every alias replaced by what it stands for, merge keys by what they bring, and anchors
// dropped. A key that is given twice is a fault.
func (d *decoder) resolve(n *yaml.Node, path string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return d.resolve(n.Alias, path)
	}
	c := *n
	c.Anchor, c.Content = "", nil
	switch {
	case isNull(n):
		c.Value, c.Style = "null", 0 // in flow style the library would write an empty text for no value
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		c.Style = yaml.DoubleQuotedStyle // in theirs the library loses an empty line at the start
	}
	if n.Kind == yaml.MappingNode {
		for _, p := range d.pairs(n, path) {
			at := join(path, p.key.Value)
			c.Content = append(c.Content, d.resolve(p.key, at), d.resolve(p.value, at))
		}
		return &c
	}
	for i, child := range n.Content {
		c.Content = append(c.Content, d.resolve(child, fmt.Sprintf("%s[%d]", path, i)))
	}
	return &c
}

// ParseBlock reads a text that holds one YAML (or JSON) value, as [Decode] reads a file. An empty text is an absent
// block. The name of the file only serves errors.
func ParseBlock(file, text string) (Block, error) {
	if len(bytes.TrimSpace([]byte(text))) == 0 {
		return Block{}, nil
	}
	var b Block
	err := Decode(file, []byte(text), &b)
	return b, err
}

// Absent tells whether the document had no such block, or only `null`.
func (b Block) Absent() bool {
	return b.node == nil || b.node.Kind == 0 || isNull(b.node)
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

// At returns the block at a path of keys with dots between, absent if there is none.
func (b Block) At(path string) Block {
	for key := range strings.SplitSeq(path, ".") {
		b = b.Get(key)
	}
	return b
}

// KeyLine is the line on which a key stands, by a path as At takes it; 0 if there is none.
func (b Block) KeyLine(path string) int {
	parent, key := b, path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent, key = b.At(path[:i]), path[i+1:]
	}
	if i := parent.index(key); i >= 0 {
		return parent.node.Content[i].Line
	}
	return 0
}

// Paths lists the path of every key in the block's mappings, however deep, with dots between keys.
func (b Block) Paths() (paths []string) {
	if !b.IsMapping() {
		return nil
	}
	for i := 0; i+1 < len(b.node.Content); i += 2 {
		key := b.node.Content[i].Value
		paths = append(paths, key)
		for _, below := range (Block{b.node.Content[i+1]}).Paths() {
			paths = append(paths, key+"."+below)
		}
	}
	return paths
}

// Kind is what kind of value the block is.
func (b Block) Kind() Kind {
	switch {
	case b.Absent():
		return Nothing
	case b.node.Kind == yaml.MappingNode:
		return Mapping
	case b.node.Kind == yaml.SequenceNode:
		return List
	}
	switch b.node.ShortTag() {
	case "!!int", "!!float":
		return Number
	case "!!bool":
		return Truth
	}
	return Text
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

// Decode reads the block into v. Unknown keys are fine: a block is another program's. The file and the key under which
// the block stands only serve errors, which are [*Error].
func (b Block) Decode(file, key string, v any) error {
	if b.Absent() {
		return nil
	}
	d := decoder{file: file, lax: true}
	d.document(&yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{b.node}}, v)
	for _, f := range d.faults {
		f.Key = join(key, f.Key)
	}
	return d.fault()
}

// DecodeStrict reads the block into v as [Decode] reads a file: an unknown key is a fault.
func (b Block) DecodeStrict(file string, v any) error {
	d := decoder{file: file}
	d.document(&yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{b.node}}, v)
	return d.fault()
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

// Without returns the block without some of its keys.
func (b Block) Without(keys ...string) Block {
	if !b.IsMapping() {
		return b
	}
	c := *b.node
	c.Content = nil
	for i := 0; i+1 < len(b.node.Content); i += 2 {
		if key := b.node.Content[i]; !slices.Contains(keys, key.Value) {
			c.Content = append(c.Content, key, b.node.Content[i+1])
		}
	}
	return Block{&c}
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
