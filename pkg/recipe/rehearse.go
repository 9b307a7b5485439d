package recipe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rehearse renders every template of a role, its files as a whole. The data is made up; what matters is that all of it
// can be rendered, and that structures can be merged.
func (s RoleSpec) Rehearse(d Data) error {
	texts := map[string]string{"dir": s.Dir, "release": s.Release}
	for k, v := range s.Env {
		texts["env."+k] = v
	}
	if s.Address != nil {
		texts["address"] = s.Address.File + s.Address.Text
	}
	if s.Version != nil {
		texts["version.url"] = s.Version.URL
	}
	commands := map[string][]Arg{"command": s.Command, "wrapper": s.Wrapper}
	for key, p := range s.probes() {
		maps.Copy(texts, p.texts(key))
		commands[key+".command"] = p.Command
	}
	if s.Results != nil {
		texts["results.files"] = s.Results.Files
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		text, err := Render(key, texts[key], d)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		isURL := strings.HasSuffix(key, ".url") && !strings.HasPrefix(key, "env.")
		if isURL && text != "" && !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://") {
			return fmt.Errorf("%s: %q: want http://… or https://…", key, text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(commands)) {
		if _, err := RenderArgs(key, commands[key], d); err != nil {
			return err
		}
	}
	for _, f := range s.Files {
		if _, err := f.Render(d); err != nil {
			return fmt.Errorf("files: %w", err)
		}
	}
	return nil
}
