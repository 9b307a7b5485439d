package yamlfile

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Set returns a document in which a key holds a text. Keys are added where there are none; comments, anchors and the
// spelling of everything else stay. The name of the file serves errors.
func Set(file string, data []byte, text string, keys ...string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, &Error{File: file, Problem: oneLine(err.Error())}
	}
	if len(doc.Content) != 1 {
		return nil, &Error{File: file, Problem: "it is empty"}
	}
	at := doc.Content[0]
	for i, key := range keys {
		if at.Kind == yaml.AliasNode {
			at = at.Alias
		}
		if at.Kind != yaml.MappingNode {
			where := strings.Join(keys[:i+1], ".")
			return nil, &Error{File: file, Line: at.Line, Key: where, Problem: "want keys and values above it"}
		}
		last := i == len(keys)-1
		child := valueOf(at, key)
		switch {
		case child == nil && last:
			child = &yaml.Node{Kind: yaml.ScalarNode}
		case child == nil:
			child = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		if last {
			*child = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, LineComment: child.LineComment}
		}
		if valueOf(at, key) == nil {
			at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, child)
		}
		at = child
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

// plainMergeKeys has merge keys written as people do: the library would put a tag before them, which not every reader
// knows.
func plainMergeKeys(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; key.ShortTag() == "!!merge" {
				key.Tag = ""
			}
		}
	}
	for _, child := range n.Content {
		plainMergeKeys(child)
	}
}

// Encode is a key and its value as lines of a YAML mapping, with a line break behind each.
func Encode(key string, value any) (string, error) {
	data, err := yaml.Marshal(map[string]any{key: value})
	if err != nil {
		return "", fmt.Errorf("cannot encode %s: %w", key, err)
	}
	return string(data), nil
}
