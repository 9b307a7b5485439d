// Package clusters reads what upstream's scripts say of a cluster, in an INI file or in lines of NAME=VALUE, and makes
// a draft of a profile of it. It is a package of its own because no agent needs a reader of INI files.
package clusters

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/ini.v1"

	"github.com/disagg/disagg/pkg/profile"
)

// Import makes a draft of a cluster that upstream's scripts describe: a section of an INI file, or a file of
// NAME=VALUE lines that a shell reads. The section may be left out if there is only one.
func Import(file string, data []byte, section string) (*profile.Draft, error) {
	f, err := ini.LoadSources(ini.LoadOptions{
		SpaceBeforeInlineComment: true, KeyValueDelimiters: "=", AllowBooleanKeys: true,
		UnescapeValueDoubleQuotes: true,
	}, data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	s, err := chosen(f, file, section)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	for _, k := range s.Keys() {
		vars[strings.TrimPrefix(k.Name(), "export ")] = strings.TrimSpace(k.Value())
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(vars)), isKnown) {
		return nil, fmt.Errorf("cannot import %s: no setting of a cluster is in it: want upstream's INI file, or "+
			"lines of NAME=VALUE such as CLUSTER_PARTITION=gpu", file)
	}
	return fromVars(file, s.Name(), vars), nil
}

// isKnown tells whether upstream's scripts have a variable of that name.
func isKnown(name string) bool {
	return strings.HasPrefix(name, "CLUSTER_") ||
		slices.Contains([]string{"MPI_TYPE", "DOCKER_IMAGE", "EXTRA_SRUN_PARAMS"}, name)
}

// chosen is the section that is meant.
func chosen(f *ini.File, file, section string) (*ini.Section, error) {
	var names []string
	for _, s := range f.Sections() {
		if len(s.Keys()) > 0 {
			names = append(names, s.Name())
		}
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("cannot import %s: it has no NAME=VALUE", file)
	case section == "" && len(names) == 1:
		return f.Section(names[0]), nil
	case section == "":
		return nil, fmt.Errorf("cannot import %s: name one of its clusters: %s", file, strings.Join(names, ", "))
	case !slices.Contains(names, section):
		return nil, fmt.Errorf("cannot import %s: it has no cluster %q: it has %s", file, section,
			strings.Join(names, ", "))
	}
	return f.Section(section), nil
}

// fromVars takes over what a profile can say, and names the rest.
func fromVars(file, section string, vars map[string]string) *profile.Draft {
	take := func(name string) string {
		v := vars[name]
		delete(vars, name)
		return v
	}
	name := cmp.Or(take("CLUSTER_NAME"), section)
	if name == ini.DefaultSection {
		name = "imported"
	}
	d := profile.NewDraft(strings.ToLower(name), "Imported from "+filepath.Base(file)+": look it over.")
	d.Set("partition", take("CLUSTER_PARTITION"), "")
	d.Set("account", take("CLUSTER_ACCOUNT"), "")
	if mpi := take("MPI_TYPE"); mpi != "" {
		d.Set("mpi", mpi, "")
	}
	storage, models := take("CLUSTER_STORAGE"), take("CLUSTER_LLM_DATA")
	d.Set("models_root", models, "")
	c := profile.Container{Image: take("DOCKER_IMAGE")}
	args := takeContainer(&c, strings.Fields(take("EXTRA_SRUN_PARAMS")))
	if len(args) > 0 {
		d.Set("srun_args", args, "")
	}
	if c.Image != "" {
		for _, dir := range []string{storage, models} {
			if dir != "" && !c.Holds(dir) {
				c.Mounts = append(c.Mounts, dir+":"+dir)
			}
		}
		d.Set("container", block(c), "")
	}
	if storage != "" {
		d.Note("Run directories belong on a file system that all nodes share: start from " + storage +
			", or use --run-dir.")
	}
	if host := take("CLUSTER_HOST"); host != "" && take("CLUSTER_TYPE") != "local" {
		d.Note("Jobs are submitted on the cluster itself: run disagg-submit on " + host + ".")
	}
	delete(vars, "CLUSTER_USER")
	delete(vars, "CLUSTER_TYPE")
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		d.Note(name + " (" + vars[name] + ") has no place in a profile.")
	}
	return d
}

// takeContainer takes options for pyxis out of srun's, and returns the others.
func takeContainer(c *profile.Container, args []string) (others []string) {
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "--container-") {
			others = append(others, args[i])
			continue
		}
		if !joined && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			value = args[i]
		}
		switch name {
		case "--container-image":
			c.Image = value
		case "--container-mounts":
			c.Mounts = append(c.Mounts, strings.Split(value, ",")...)
		case "--container-name":
			c.Name = value
		case "--container-workdir":
			c.Dir = value
		default:
			others = append(others, strings.TrimSuffix(name+"="+value, "="))
		}
	}
	return others
}

// block is what a profile says of the container.
func block(c profile.Container) map[string]any {
	b := map[string]any{"image": c.Image}
	if len(c.Mounts) > 0 {
		b["mounts"] = c.Mounts
	}
	for key, value := range map[string]string{"name": c.Name, "dir": c.Dir} {
		if value != "" {
			b[key] = value
		}
	}
	return b
}
