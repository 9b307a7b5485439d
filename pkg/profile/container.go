package profile

import (
	"path"
	"slices"
	"strings"
)

// The kinds of container.
const (
	Pyxis       = "pyxis"       // srun's own options, by the plugin
	Apptainer   = "apptainer"   // a program that is put before the agent
	Singularity = "singularity" // likewise
)

// Container is how roles are put into a container.
type Container struct {
	// Kind is pyxis (default), apptainer or singularity.
	Kind  string `yaml:"kind" json:"kind,omitempty"`
	Image string `yaml:"image" json:"image"`
	// Name is shared by the steps of a job, with the job's id after it; "": none. Only pyxis has it.
	Name   string   `yaml:"name" json:"name,omitempty"`
	Mounts []string `yaml:"mounts" json:"mounts,omitempty"`
	Dir    string   `yaml:"dir" json:"dir,omitempty"` // working directory; "": the image's
	// Args are more options of apptainer exec, one per item, such as --nv.
	Args []string `yaml:"args" json:"args,omitempty"`
}

// Exec is the program that runs a command in the container, with its arguments; nil where srun's plugin does that.
func (c *Container) Exec() []string {
	if c == nil || c.Kind != Apptainer && c.Kind != Singularity {
		return nil
	}
	argv := append([]string{c.Kind, "exec"}, c.Args...)
	for _, m := range c.Mounts {
		argv = append(argv, "--bind", m)
	}
	if c.Dir != "" {
		argv = append(argv, "--pwd", c.Dir)
	}
	return append(argv, c.Image)
}

// Shared tells whether the steps of a job enter one container, by its name.
func (c *Container) Shared() bool { return c != nil && c.Exec() == nil && c.Name != "" }

// Holds tells whether a path of the host is seen in the container at the same place.
func (c *Container) Holds(dir string) bool {
	return c == nil || slices.ContainsFunc(c.Mounts, func(mount string) bool {
		from, rest, bound := strings.Cut(mount, ":")
		to, _, _ := strings.Cut(rest, ":")
		if !bound || to == "" {
			to = from
		}
		from, to = path.Clean(from), path.Clean(to)
		return from == to && (dir == to || to == "/" || strings.HasPrefix(dir, to+"/"))
	})
}
