package plan

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// ownOfEach are the members of a plan in which any two plans of the same request differ.
var ownOfEach = [...]string{"id", "created_at", "tool", "timeouts", "provenance"}

// Differences names the members in which two plans differ, such as "cluster.container.image": those that decide what
// runs, not when the plan was made.
func Differences(a, b Plan) (paths []string) {
	a.Case.Notes, b.Case.Notes = nil, nil // what is told to people
	a.Case.Document, b.Case.Document = nil, nil
	x, y := tree(a), tree(b)
	for _, name := range ownOfEach {
		delete(x, name)
		delete(y, name)
	}
	differ("", x, y, &paths)
	return paths
}

// tree is a plan as generic JSON.
func tree(p Plan) map[string]any {
	var m map[string]any
	data, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil { // a plan always encodes
		return nil
	}
	return m
}

func differ(path string, a, b any, paths *[]string) {
	x, isMap := a.(map[string]any)
	y, both := b.(map[string]any)
	if !isMap || !both {
		if !reflect.DeepEqual(a, b) {
			*paths = append(*paths, path)
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
		differ(below, x[name], y[name], paths)
	}
}
