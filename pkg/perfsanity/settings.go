package perfsanity

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/spelling"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// UnknownKey says that a setting's key is none of a case's.
type UnknownKey struct {
	Key  string
	File string
	Near string // the whole key that was perhaps meant; "": none is like it
}

// Error implements error.
func (e *UnknownKey) Error() string {
	text := fmt.Sprintf("cannot set %s: %s has no such key", e.Key, e.File)
	if e.Near != "" {
		text += ": did you mean " + e.Near + "?"
	}
	return text
}

// settle writes settings into what was found, and returns them under their whole keys.
func (f *found) settle(asked []roles.Setting) (settled []roles.Setting, err error) {
	if len(asked) == 0 {
		return nil, nil
	}
	var doc yamlfile.Block
	if err := yamlfile.Decode(f.file, f.data, &doc); err != nil {
		return nil, err
	}
	own := ownPaths(f.id.OfServers())
	for _, s := range asked {
		if s.Key, err = f.wholeKey(s.Key, slices.Concat(own, pathsOf(doc))); err != nil {
			return nil, err
		}
		value, err := valueOf(s, doc, slices.Contains(own, s.Key))
		if err != nil {
			return nil, err
		}
		if f.data, err = yamlfile.Set(f.file, f.data, value, strings.Split(s.Key, ".")...); err != nil {
			return nil, err
		}
		settled = append(settled, s)
	}
	return settled, nil
}

// pathsOf are the paths that a config has, but for those that only hold what others refer to.
func pathsOf(doc yamlfile.Block) []string {
	return slices.DeleteFunc(doc.Paths(), func(path string) bool { return strings.HasPrefix(path, "x-") })
}

// ownPaths are the paths that a config may have, as far as the tool acts on them.
func ownPaths(ofServers bool) []string {
	if ofServers {
		return yamlfile.Paths(aggregated{})
	}
	return yamlfile.Paths(config{})
}

// enginePaths are the paths of a worker's block that the tool knows of, whether a config has them or not.
func enginePaths() (paths []string) {
	for _, block := range workerBlocks {
		for _, f := range engineFields {
			paths = append(paths, block+"."+f.path)
		}
		for _, path := range draftPaths {
			paths = append(paths, block+"."+path)
		}
	}
	return paths
}

// workerBlocks are the blocks of a config that workers' engines read.
var workerBlocks = [...]string{"worker_config.gen", "worker_config.ctx"}

// wholeKey is the path that a key means: itself, or the only one that ends with it.
func (f *found) wholeKey(key string, known []string) (string, error) {
	if !f.id.OfServers() {
		known = append(known, enginePaths()...)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	if key == modeKey {
		return "", fmt.Errorf("cannot set %s: choose with --mode", key)
	}
	if slices.Contains(known, key) {
		return key, nil
	}
	var ends []string
	for _, path := range known {
		if roles.EndsWith(path, key) {
			ends = append(ends, path)
		}
	}
	switch len(ends) {
	case 1:
		return f.wholeKey(ends[0], ends)
	case 0:
		return "", &UnknownKey{Key: key, File: filepath.Base(f.file), Near: near(key, known)}
	}
	return "", fmt.Errorf("cannot set %s: it may be %s: say which", key, strings.Join(ends, ", "))
}

// modeKey is the mode, which a test id and the command line have the say in.
const modeKey = "benchmark.mode"

// near is the path whose end is most like a key, of those that are known; "" if none is.
func near(key string, known []string) string {
	paths, ends := map[string]string{}, []string{}
	words := strings.Count(key, ".") + 1
	for _, path := range known {
		parts := strings.Split(path, ".")
		end := strings.Join(parts[max(0, len(parts)-words):], ".")
		if paths[end] == "" {
			paths[end] = path
		}
		ends = append(ends, end)
	}
	return paths[spelling.Nearest(key, ends)]
}

// valueOf is the value of a setting. What the engine reads is checked by what the config has: where that is a number,
// or true or false, a text is a slip.
func valueOf(s roles.Setting, doc yamlfile.Block, own bool) (yamlfile.Block, error) {
	if strings.TrimSpace(s.Value) == "" {
		return yamlfile.Block{}, fmt.Errorf("cannot set %s: want a value after =, such as null for none", s.Key)
	}
	value, err := yamlfile.ParseBlock(s.Key, s.Value)
	if err != nil {
		return value, fmt.Errorf("cannot set %s to %s: want a value as YAML has it: %w", s.Key, s.Value, err)
	}
	has, wants := doc.At(s.Key).Kind(), value.Kind()
	if !own && (has == yamlfile.Number || has == yamlfile.Truth) && wants != has && wants != yamlfile.Nothing {
		return value, fmt.Errorf("cannot set %s to %s: want %s, as the case has it", s.Key, s.Value, has)
	}
	return value, nil
}
