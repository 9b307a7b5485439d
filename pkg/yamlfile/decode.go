package yamlfile

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/disagg/disagg/pkg/spelling"
)

// Node is the library's node, for types that decode themselves with UnmarshalYAML(*Node).
type Node = yaml.Node

// decoder fills values from nodes and keeps the faults it meets, in the order of the document.
type decoder struct {
	file   string
	lax    bool // unknown keys are fine: the block is another program's
	faults []*Error
}

// fault is the first fault, and how many more there are; nil if there is none.
func (d *decoder) fault() error {
	if len(d.faults) == 0 {
		return nil
	}
	first := *d.faults[0]
	if more := len(d.faults) - 1; more > 0 {
		first.Problem += fmt.Sprintf(" (and %d more)", more)
	}
	return &first
}

func (d *decoder) fail(n *yaml.Node, path, problem string, args ...any) {
	d.faults = append(d.faults, &Error{File: d.file, Line: n.Line, Key: path, Problem: fmt.Sprintf(problem, args...)})
}

func (d *decoder) document(doc *yaml.Node, v any) {
	if len(doc.Content) == 1 {
		d.value(doc.Content[0], reflect.ValueOf(v).Elem(), "")
	}
}

var blockType = reflect.TypeFor[Block]()

// value fills one value. A null leaves it as it is.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if v.Type() == blockType {
		v.Set(reflect.ValueOf(Block{d.resolve(n, path)}))
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if isNull(n) || d.custom(n, v, path) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		d.value(n, fresh.Elem(), path)
		v.Set(fresh)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.sequence(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// custom lets types that read themselves do so.
func (d *decoder) custom(n *yaml.Node, v reflect.Value, path string) bool {
	var err error
	switch u := v.Addr().Interface().(type) {
	case interface{ UnmarshalYAML(*Node) error }:
		err = u.UnmarshalYAML(n)
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode {
			d.fail(n, path, "%s: want one value", kindName(n))
			return true
		}
		err = u.UnmarshalText([]byte(n.Value))
	default:
		return false
	}
	if fault, ok := errors.AsType[*Error](err); ok {
		own := *fault
		if own.Line == 0 {
			own.Line = n.Line
		}
		own.File, own.Key = d.file, join(path, own.Key)
		if fault.Key == "" {
			own.Key = path
		}
		d.faults = append(d.faults, &own)
	} else if err != nil {
		d.fail(n, path, "%s", oneLine(err.Error()))
	}
	return true
}

// pair is one entry of a mapping, after merge keys (<<) were resolved.
type pair struct{ key, value *yaml.Node }

// pairs lists a mapping's entries in order: its own keys first, then those of merged mappings that it does not give
// itself.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	var own, merged []pair
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, d.merged(value, path)...)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			d.fail(key, path, "a key must be a plain text")
			continue
		}
		if first := seen[key.Value]; first != nil {
			d.fail(key, join(path, key.Value), "is given twice, first in line %d: keep one", first.Line)
			continue
		}
		seen[key.Value] = key
		own = append(own, pair{key, value})
	}
	for _, p := range merged {
		if seen[p.key.Value] == nil {
			seen[p.key.Value] = p.key
			own = append(own, p)
		}
	}
	return own
}

// merged lists what a merge key brings: the entries of one mapping, or of several, of which the first wins.
func (d *decoder) merged(n *yaml.Node, path string) []pair {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		return d.pairs(n, path)
	case yaml.SequenceNode:
		var list []pair
		for _, c := range n.Content {
			list = append(list, d.merged(c, path)...)
		}
		return list
	}
	d.fail(n, join(path, "<<"), "want a mapping, or a list of mappings")
	return nil
}

// anchorsPrefix begins top-level keys that hold nothing but what is referred to elsewhere.
const anchorsPrefix = "x-"

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "%s: want keys and values", kindName(n))
		return
	}
	fields, inline := fieldsOf(v)
	for _, p := range d.pairs(n, path) {
		at := join(path, p.key.Value)
		switch field, known := fields[p.key.Value]; {
		case known:
			d.value(p.value, field, at)
		case inline.IsValid():
			d.entry(p, inline, at)
		case path == "" && strings.HasPrefix(p.key.Value, anchorsPrefix):
		case !d.lax:
			d.fail(p.key, at, "unknown key: %s", advice(p.key.Value, fields))
		}
	}
}

// advice is what to do about an unknown key.
func advice(key string, fields map[string]reflect.Value) string {
	if hint := spelling.Hint(key, slices.Sorted(maps.Keys(fields))); hint != "" {
		return hint
	}
	return "check its spelling, or remove it"
}

// fieldsOf lists a struct's fields by their names in YAML, and the map that takes all other keys.
func fieldsOf(v reflect.Value) (fields map[string]reflect.Value, inline reflect.Value) {
	fields = map[string]reflect.Value{}
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch {
		case option == "inline":
			inline = v.Field(i)
		case name != "" && name != "-":
			fields[name] = v.Field(i)
		}
	}
	return fields, inline
}

// Paths lists the path of every key that a struct has a field for, however deep, with dots between keys. What reads
// itself, and a block, has no keys here.
func Paths(v any) []string { return pathsOf(reflect.TypeOf(v)) }

func pathsOf(t reflect.Type) (paths []string) {
	if t.Kind() != reflect.Struct || t == blockType {
		return nil
	}
	for i := range t.NumField() {
		field := t.Field(i)
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		paths = append(paths, key)
		for _, below := range pathsOf(field.Type) {
			paths = append(paths, key+"."+below)
		}
	}
	return paths
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "%s: want keys and values", kindName(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, p := range d.pairs(n, path) {
		d.entry(p, v, join(path, p.key.Value))
	}
}

// entry adds one entry to a map.
func (d *decoder) entry(p pair, m reflect.Value, path string) {
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	key, value := reflect.New(m.Type().Key()).Elem(), reflect.New(m.Type().Elem()).Elem()
	d.value(p.key, key, path)
	d.value(p.value, value, path)
	m.SetMapIndex(key, value)
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "%s: want a list", kindName(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(c, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(list)
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if v.Kind() == reflect.Interface {
		if err := n.Decode(v.Addr().Interface()); err != nil {
			d.fail(n, path, "%s", oneLine(err.Error()))
		}
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "%s: want %s", kindName(n), wanted(v))
		return
	}
	if v.Kind() == reflect.String {
		v.SetString(n.Value)
		return
	}
	if v.CanInt() {
		// YAML 1.1 reads 0644 and 1_000 in its own way; in a number that people write both are more likely mistakes.
		digits := strings.TrimLeft(n.Value, "+-")
		octal := len(digits) > 1 && digits[0] == '0'
		if i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits()); err == nil && !octal && n.ShortTag() == "!!int" {
			v.SetInt(i)
			return
		}
	} else if n.Decode(v.Addr().Interface()) == nil {
		return
	}
	d.fail(n, path, "%q: want %s", n.Value, wanted(v))
}

func wanted(v reflect.Value) string {
	switch {
	case v.CanInt(), v.CanUint():
		return "a whole number"
	case v.CanFloat():
		return "a number"
	case v.Kind() == reflect.Bool:
		return "true or false"
	}
	return "a text"
}

// kindName says what a node is, for errors.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(n.Value)
}

// DecodeNode reads a node into v as strictly as [Decode], for types that read a part of themselves. Errors are [*Error]
// whose keys begin at the node.
func DecodeNode(n *Node, v any) error {
	d := decoder{}
	d.document(&yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{n}}, v)
	return d.fault()
}
