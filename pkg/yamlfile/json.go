package yamlfile

import (
	"bytes"
	"encoding/json"

	"gopkg.in/yaml.v3"
)

// JSON renders the block as indented JSON, ending in a newline; "" if absent. Keys keep their order, and numbers their
// spelling where JSON has it; what YAML alone knows, such as a date, becomes a text.
func (b Block) JSON() (string, error) {
	if b.Absent() {
		return "", nil
	}
	var compact, indented bytes.Buffer
	err := writeJSON(&compact, b.node, "")
	if err == nil {
		err = json.Indent(&indented, compact.Bytes(), "", "  ")
	}
	if err != nil {
		return "", err
	}
	indented.WriteByte('\n')
	return indented.String(), nil
}

func writeJSON(out *bytes.Buffer, n *yaml.Node, path string) error {
	open, end := byte('['), byte(']')
	switch n.Kind {
	case yaml.ScalarNode:
		return writeScalar(out, n, path)
	case yaml.MappingNode:
		open, end = '{', '}'
	}
	out.WriteByte(open)
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			out.WriteByte(':')
		} else if i > 0 {
			out.WriteByte(',')
		}
		var err error
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			err = writeText(out, c.Value)
		} else {
			err = writeJSON(out, c, childPath(n, i, path))
		}
		if err != nil {
			return err
		}
	}
	out.WriteByte(end)
	return nil
}

// writeScalar writes a value as JSON has it.
func writeScalar(out *bytes.Buffer, n *yaml.Node, path string) error {
	switch n.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
	default:
		return writeText(out, n.Value)
	}
	if json.Valid([]byte(n.Value)) {
		out.WriteString(n.Value)
		return nil
	}
	var v any
	err := n.Decode(&v)
	var data []byte
	if err == nil {
		data, err = json.Marshal(v)
	}
	if err != nil {
		return &Error{Key: path, Problem: "cannot be written as JSON: " + oneLine(err.Error())}
	}
	out.Write(data)
	return nil
}

func writeText(out *bytes.Buffer, text string) error {
	data, err := json.Marshal(text)
	out.Write(data)
	return err
}
