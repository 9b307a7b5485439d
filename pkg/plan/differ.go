package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Difference is a member in which two plans differ: its path, such as "cluster.container.image", and both values; nil
// where a plan has no such member.
type Difference struct {
	Path string `json:"path"`
	A    any    `json:"a"`
	B    any    `json:"b"`
}

// String is the difference in a line.
func (d Difference) String() string {
	return fmt.Sprintf("%s %s -> %s", d.Path, show(d.A), show(d.B))
}

// mostShown is how much of a value is shown, in bytes.
const mostShown = 120

func show(v any) string {
	if v == nil {
		return "none"
	}
	text, ok := v.(string)
	if !ok || profile.HasControl(text) {
		data, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		text = string(data)
	}
	if len(text) > mostShown {
		return strings.ToValidUTF8(text[:mostShown], "") + "…"
	}
	return text
}

// ownOfEach are the members of a plan in which any two plans of the same request differ.
var ownOfEach = [...]string{"id", "created_at", "tool", "timeouts", "series"}

// Differences names the members in which two plans differ: those that decide what runs, not when the plan was made.
func Differences(a, b Plan) (paths []string) {
	for _, d := range Differ(a, b) {
		paths = append(paths, d.Path)
	}
	return paths
}

// ofMeasurement are the members of a plan that no server depends on: a measurement with others can be made on the same
// servers.
var ofMeasurement = [...]string{"case.load", "case.env.BENCHMARK", "gate", "upload", "policy.measurements", "timeouts"}

// OfMeasurement tells whether a member in which two plans differ leaves the servers as they are.
func OfMeasurement(path string) bool {
	return slices.ContainsFunc(ofMeasurement[:], func(m string) bool {
		return path == m || strings.HasPrefix(path, m+".")
	})
}

// Differ lists the members in which two plans differ, sorted by their paths. Configurations that are texts of YAML in a
// plan are looked into.
func Differ(a, b Plan) (list []Difference) {
	x, y := tree(a), tree(b)
	for _, name := range ownOfEach {
		delete(x, name)
		delete(y, name)
	}
	differ("", x, y, &list)
	return list
}

// tree is a plan as generic JSON, without what is only told to people or follows from the rest.
func tree(p Plan) map[string]any {
	p.Case.Notes, p.Case.Document, p.Case.PointDocuments, p.Case.Settings = nil, nil, nil, nil
	p.Case.Origin = roles.Origin{} // a comment may have changed
	p.Provenance = protocol.Provenance{}
	var m map[string]any
	data, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil { // a plan always encodes
		return nil
	}
	if c, ok := m["case"].(map[string]any); ok {
		expand(c, "worker_config")
		expand(c, "routers")
		byName(c, "env")
	}
	return m
}

// expand replaces the texts of YAML in a mapping by what they hold. One that cannot be read stays a text.
func expand(of map[string]any, key string) {
	texts, ok := of[key].(map[string]any)
	if !ok {
		return
	}
	for name, text := range texts {
		s, isText := text.(string)
		block, err := yamlfile.ParseBlock("", s)
		held := map[string]any{}
		if isText && err == nil && block.Decode("", "", &held) == nil {
			texts[name] = held
		}
	}
}

// byName replaces lists of variables in a mapping by their values by name; a later one wins, as in a role.
func byName(of map[string]any, key string) {
	lists, _ := of[key].(map[string]any)
	for kind, list := range lists {
		vars, _ := list.([]any)
		values := map[string]any{}
		for _, v := range vars {
			if m, ok := v.(map[string]any); ok {
				values[fmt.Sprint(m["name"])] = m["value"]
			}
		}
		lists[kind] = values
	}
}

func differ(path string, a, b any, list *[]Difference) {
	x, isMap := a.(map[string]any)
	y, both := b.(map[string]any)
	if !isMap || !both {
		if !reflect.DeepEqual(a, b) {
			*list = append(*list, Difference{path, a, b})
		}
		return
	}
	names := maps.Clone(x)
	maps.Copy(names, y)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		below := name
		if path != "" {
			below = path + "." + name
		}
		differ(below, x[name], y[name], list)
	}
}
