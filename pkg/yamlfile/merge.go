package yamlfile

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

// RawTag marks a template in a structure whose rendered text is itself YAML (or JSON) and is put in as data; without
// the tag a rendered template is always a text, whatever it looks like.
const RawTag = "!yaml"

// Expand returns the block with every text in it rendered. The result of one that is tagged [RawTag] is parsed and
// takes its place; a value that is absent then is left out with its key. The name serves errors.
func (b Block) Expand(name string, render func(text string) (string, error)) (Block, error) {
	if b.node == nil {
		return b, nil
	}
	n, err := expand(b.node, name, render)
	return Block{n}, err
}

func expand(n *yaml.Node, path string, render func(string) (string, error)) (*yaml.Node, error) {
	if n.Kind == yaml.ScalarNode {
		return expandScalar(n, path, render)
	}
	c := *n
	c.Content, c.Style = nil, 0
	for i := 0; i < len(n.Content); i++ {
		key := (*yaml.Node)(nil)
		at := fmt.Sprintf("%s[%d]", path, i)
		if n.Kind == yaml.MappingNode {
			key = n.Content[i]
			at = join(path, key.Value)
			i++
		}
		v, err := expand(n.Content[i], at, render)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		if key != nil {
			c.Content = append(c.Content, key)
		}
		c.Content = append(c.Content, v)
	}
	return &c, nil
}

func expandScalar(n *yaml.Node, path string, render func(string) (string, error)) (*yaml.Node, error) {
	raw := n.Tag == RawTag
	if !raw && n.ShortTag() != "!!str" {
		return n, nil // a number, true, false or null
	}
	text, err := render(n.Value)
	if err != nil {
		return nil, &Error{Key: path, Problem: err.Error()}
	}
	if raw {
		b, err := ParseBlock(path, text)
		if err != nil || b.Absent() {
			return nil, err
		}
		return b.node, nil
	}
	c := *n
	c.Value, c.Tag, c.Style = text, "!!str", yaml.DoubleQuotedStyle
	return &c, nil
}

// Over returns the defaults with the keys of a block in place of their own, at the top: a key that both have is the
// block's whole.
func Over(defaults, b Block) (Block, error) {
	switch {
	case defaults.Absent():
		return b, nil
	case b.Absent():
		return defaults, nil
	}
	for _, part := range []Block{defaults, b} {
		if !part.IsMapping() {
			return Block{}, &Error{Line: part.Line(), Problem: kindName(part.node) + ": want keys and values"}
		}
	}
	out := Block{defaults.node}
	for i := 0; i+1 < len(b.node.Content); i += 2 {
		out = out.Without(b.node.Content[i].Value)
	}
	both := *out.node
	both.Content = slices.Concat(both.Content, b.node.Content)
	return Block{&both}, nil
}

// Merge puts blocks together into one mapping, deeply. A key that two of them give, and that is not a mapping in both,
// is refused by name; the defaults give way to all of them. The names say who gives what, for errors.
func Merge(defaults Block, blocks []Block, names []string) (Block, error) {
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	givers := map[string]string{}
	for i, b := range blocks {
		if b.Absent() {
			continue
		}
		if !b.IsMapping() {
			return Block{}, &Error{Problem: names[i] + " is " + kindName(b.node) + ": want keys and values"}
		}
		if err := mergeInto(out, b.node, "", names[i], givers); err != nil {
			return Block{}, err
		}
	}
	if defaults.Absent() {
		return Block{out}, nil
	}
	if !defaults.IsMapping() {
		return Block{}, &Error{Problem: "the defaults are " + kindName(defaults.node) + ": want keys and values"}
	}
	fillIn(out, defaults.node)
	return Block{out}, nil
}

func mergeInto(to, from *yaml.Node, path, name string, givers map[string]string) error {
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		at := join(path, key.Value)
		have := valueOf(to, key.Value)
		switch {
		case have == nil:
			givers[at] = name
			to.Content = append(to.Content, key, value)
		case have.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			own := *have // the block that gave it keeps its own
			own.Content = slices.Clone(have.Content)
			setValue(to, key.Value, &own)
			if err := mergeInto(&own, value, at, name, givers); err != nil {
				return err
			}
		default:
			problem := fmt.Sprintf("is given by %s and by %s: remove it from one of them", giver(givers, at), name)
			return &Error{Key: at, Problem: problem}
		}
	}
	return nil
}

// giver says who gave a key, or the mapping that it stands in.
func giver(givers map[string]string, path string) string {
	for p := path; ; {
		if who, ok := givers[p]; ok {
			return who
		}
		cut := len(p) - 1
		for cut >= 0 && p[cut] != '.' {
			cut--
		}
		if cut < 0 {
			return "another part"
		}
		p = p[:cut]
	}
}

// fillIn adds what is missing.
func fillIn(to, defaults *yaml.Node) {
	for i := 0; i+1 < len(defaults.Content); i += 2 {
		key, value := defaults.Content[i], defaults.Content[i+1]
		switch have := valueOf(to, key.Value); {
		case have == nil:
			to.Content = append(to.Content, key, value)
		case have.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			own := *have
			own.Content = slices.Clone(have.Content)
			setValue(to, key.Value, &own)
			fillIn(&own, value)
		}
	}
}

func valueOf(n *yaml.Node, key string) *yaml.Node { return Block{n}.Get(key).node }

func setValue(n *yaml.Node, key string, v *yaml.Node) { n.Content[Block{n}.index(key)+1] = v }
