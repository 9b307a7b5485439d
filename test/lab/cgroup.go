package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// hierarchy is one mounted cgroup v1 hierarchy.
type hierarchy struct {
	mount       string
	controllers []string
}

// hierarchies returns the mounted ones.
func hierarchies() []hierarchy {
	text, _ := os.ReadFile("/proc/self/mounts") // no /proc, no cgroups
	var found []hierarchy
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 4 && fields[2] == "cgroup" {
			found = append(found, hierarchy{fields[1], strings.Split(fields[3], ",")})
		}
	}
	return found
}

// controllerMount returns where a controller is mounted, or "".
func controllerMount(controller string) string {
	for _, h := range hierarchies() {
		if slices.Contains(h.controllers, controller) {
			return h.mount
		}
	}
	return ""
}

// cgroupRoot is the folder of the hierarchies, as CgroupMountpoint wants it.
func cgroupRoot() string {
	if mount := controllerMount("freezer"); mount != "" {
		return filepath.Dir(mount)
	}
	return "/sys/fs/cgroup"
}

// cgroupsOf returns the trees Slurm made for a host, one in each hierarchy it uses.
func cgroupsOf(host string) []string {
	var trees []string
	for _, h := range hierarchies() {
		tree := filepath.Join(h.mount, "slurm_"+host)
		if _, err := os.Stat(tree); err == nil {
			trees = append(trees, tree)
		}
	}
	return trees
}

// thaw lets frozen processes of a host run, as they cannot die otherwise. Slurm freezes a job for the moment it kills
// it, and may itself be killed in that moment.
func thaw(host string) {
	for _, tree := range cgroupsOf(host) {
		_ = filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && filepath.Base(path) == "freezer.state" {
				err = os.WriteFile(path, []byte("THAWED"), 0)
			}
			return err
		}) // whoever stays frozen is reported as not to be killed
	}
}

// removeCgroups removes a host's trees, whose processes have ended.
func removeCgroups(host string) error {
	var errs []error
	for _, tree := range cgroupsOf(host) {
		errs = append(errs, removeTree(tree))
	}
	return errors.Join(errs...)
}

// removeTree removes a cgroup and those below it. A killed process leaves its cgroup a moment after its namespaces, so
// a busy one is tried again for a second.
func removeTree(tree string) error {
	var folders []string
	_ = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil
	})
	slices.Reverse(folders) // children first
	for _, folder := range folders {
		if err := removeBusy(folder, time.Now().Add(time.Second)); err != nil {
			return fmt.Errorf("cannot remove a cgroup: %w", err)
		}
	}
	return nil
}

func removeBusy(folder string, deadline time.Time) error {
	for {
		err := os.Remove(folder)
		if err == nil || errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			return ignoreNotExist(err)
		}
		time.Sleep(killPoll)
	}
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
