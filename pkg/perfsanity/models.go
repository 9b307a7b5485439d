package perfsanity

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// modelFiles are where upstream names the folders of models, the ones that win first.
var modelFiles = [...]string{TestFile, "tests/integration/defs/perf/_model_paths.py"}

// modelEntry is an entry of upstream's dictionary of models: "name": "folder".
const modelEntry = `"([\w.+-]+)"\s*:\s*\(?\s*"([^"\n]+)"`

// findModels reads upstream's dictionaries of models.
func findModels(checkout string, read func(file string) ([]byte, error)) (map[string][]string, error) {
	models := map[string][]string{}
	for _, name := range modelFiles {
		data, err := read(filepath.Join(checkout, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the checkout's models: %w", err)
		}
		for model, dir := range dictionary(string(data)) {
			models[model] = append(models[model], dir)
		}
	}
	return models, nil
}

// modelDirs lists where a model may be below the models root, the better ones first: where the profile says, where the
// checkout says, then in a folder of its own name.
func (src Source) modelDirs(m metadata) (dirs []string) {
	all := []string{src.Models[m.ModelName]}
	if src.Test != nil {
		all = append(all, src.Test.Models[m.ModelName]...)
	}
	for _, dir := range append(all, m.ModelDirName, m.ModelName) {
		if dir = filepath.Clean(dir); dir != "." && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// dictionary reads the entries of MODEL_PATH_DICT from a Python text.
func dictionary(text string) map[string]string {
	entries := map[string]string{}
	for {
		_, rest, ok := strings.Cut(text, "MODEL_PATH_DICT")
		if !ok {
			return entries
		}
		body, after, _ := strings.Cut(rest, "\n}")
		if head, _, _ := strings.Cut(body, "\n"); strings.Contains(head, "= {") {
			for _, m := range regexp.MustCompile(modelEntry).FindAllStringSubmatch(body, -1) {
				entries[m[1]] = m[2]
			}
			text = after
			continue
		}
		text = rest
	}
}
