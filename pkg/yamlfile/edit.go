package yamlfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Set returns a document in which a key holds a value. Keys are added where there are none; comments, anchors and the
// spelling of everything else stay. If other places share what is changed, they keep what they have: the document is
// then written without anchors. The name of the file serves errors.
func Set(file string, data []byte, value Block, keys ...string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, &Error{File: file, Problem: oneLine(err.Error())}
	}
	if len(doc.Content) != 1 {
		return nil, &Error{File: file, Problem: "it is empty"}
	}
	if shared(doc.Content[0], keys) {
		d := decoder{file: file}
		doc.Content[0] = d.resolve(doc.Content[0], "")
		if err := d.fault(); err != nil {
			return nil, err
		}
	}
	if value.node == nil {
		value.node = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	if err := put(doc.Content[0], file, value.node, keys); err != nil {
		return nil, err
	}
	plainMergeKeys(&doc)
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", file, err)
	}
	return buf.Bytes(), nil
}

// put puts a value under a path of keys.
func put(at *yaml.Node, file string, value *yaml.Node, keys []string) error {
	for i, key := range keys {
		if isNull(at) {
			*at = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		if at.Kind != yaml.MappingNode {
			where := strings.Join(keys[:i+1], ".")
			return &Error{File: file, Line: at.Line, Key: where, Problem: "want keys and values above it"}
		}
		child := valueOf(at, key)
		if child == nil {
			child = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, child)
		}
		if i == len(keys)-1 {
			comment := child.LineComment
			*child = *value
			child.LineComment = comment
		}
		at = child
	}
	return nil
}

// shared tells whether other places of a document have a part in what a path of keys leads to: by an anchor, an alias,
// or a merge key that brings it.
func shared(at *yaml.Node, keys []string) bool {
	for _, key := range keys {
		if at.Kind == yaml.AliasNode || at.Anchor != "" {
			return true
		}
		child := valueOf(at, key)
		if child == nil {
			return slices.ContainsFunc(keysOf(at), func(k *yaml.Node) bool { return k.ShortTag() == "!!merge" })
		}
		at = child
	}
	return hasAnchors(at)
}

func keysOf(n *yaml.Node) (keys []*yaml.Node) {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			keys = append(keys, n.Content[i])
		}
	}
	return keys
}

// hasAnchors tells whether something may refer to a part of a tree.
func hasAnchors(n *yaml.Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, hasAnchors)
}

// plainMergeKeys has merge keys written as people do: the library would put a tag before them, which not every reader
// knows.
func plainMergeKeys(n *yaml.Node) {
	for _, key := range keysOf(n) {
		if key.ShortTag() == "!!merge" {
			key.Tag = ""
		}
	}
	for _, child := range n.Content {
		plainMergeKeys(child)
	}
}

// Encode is a key and its value as lines of a YAML mapping, with a line break after each.
func Encode(key string, value any) (string, error) {
	data, err := yaml.Marshal(map[string]any{key: value})
	if err != nil {
		return "", fmt.Errorf("cannot encode %s: %w", key, err)
	}
	return string(data), nil
}
