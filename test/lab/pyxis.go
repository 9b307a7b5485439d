package lab

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// pyxisSource is a stand-in for NVIDIA's pyxis, a plugin of Slurm's that runs steps in containers; pyxis/pyxis.h says
// what it does, and how its failures are planned.
//
//go:embed pyxis
var pyxisSource embed.FS

// plugstackTemplate is plugstack.conf. Hosts have containers of their own, as they have a /tmp of their own. What Slurm
// says of a plugin names its file.
const plugstackTemplate = `required {{.Dir}}/pyxis/spank_pyxis.so runtime_path=/tmp/pyxis registry={{.Dir}}/registry
`

// buildPyxis compiles the plugin against the Slurm that is installed: Slurm refuses one of another release.
func (d dir) buildPyxis(ctx context.Context) error {
	if err := os.CopyFS(string(d), pyxisSource); err != nil {
		return fmt.Errorf("cannot write the source of pyxis: %w", err)
	}
	if err := makeWorldWritable(d.registry()); err != nil {
		return fmt.Errorf("cannot make the registry: %w", err)
	}
	files, _ := filepath.Glob(d.path("pyxis", "*.c")) // the only error is a bad pattern
	argv := slices.Concat([]string{
		"gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared",
		"-Wl,-Bsymbolic", // its names are its own, also where Slurm's programs have the same
		"-o", d.path("pyxis", "spank_pyxis.so"),
	}, files)
	if _, err := output(d.command(ctx, "", "/", argv...)); err != nil {
		return fmt.Errorf("cannot compile pyxis: %w", err)
	}
	return nil
}

func (d dir) registry() string { return d.path("registry") }

// Registry is the folder that the lab's pyxis takes for a registry of images: nvidia/x:1 is the file nvidia+x+1.sqsh.
func (l *Lab) Registry() string { return l.dir.registry() }
