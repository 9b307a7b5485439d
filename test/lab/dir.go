package lab

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// dir is the state directory; its methods are the map of what lies where.
type dir string

func (d dir) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

func (d dir) slurmConf() string    { return d.path("etc", "slurm.conf") }
func (d dir) slurmdbdConf() string { return d.path("etc", "slurmdbd.conf") }
func (d dir) hostsFile() string    { return d.path("etc", "hosts") }
func (d dir) mungeKey() string     { return d.path("etc", "munge.key") }
func (d dir) mungeSocket() string  { return d.path("munge", "socket") }
func (d dir) database() string     { return d.path("mariadb") }
func (d dir) databaseSocket() string {
	return d.path("mariadb", "socket")
}
func (d dir) log(name string) string     { return d.path("log", name) }
func (d dir) pin(host, ns string) string { return d.path("ns", host+"."+ns) }
func (d dir) ready() string              { return d.path("lab.json") }

// lock is one file for all labs below the same parent: they would fight over names even in different directories.
func (d dir) lock() string { return filepath.Join(filepath.Dir(string(d)), "disagg-lab.lock") }

// mountSource marks the tmpfs of a lab among the machine's mounts. A directory without one is no lab's, whatever it
// holds.
const mountSource = "disagg-lab"

// prepare mounts the state directory and makes its folders. The tmpfs makes the database and Slurm's state files as
// fast as memory, and makes removing them one call.
func (d dir) prepare() error {
	if err := d.makeEmpty(); err != nil {
		return fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := unix.Mount(mountSource, string(d), "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("cannot mount the state directory %s: %w", d, err)
	}
	// The kernel refuses to pin a mount namespace below a shared mount.
	if err := unix.Mount("", string(d), "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make the mount %s private: %w", d, err)
	}
	return d.makeFolders()
}

// makeEmpty makes the directory the tmpfs is mounted on, and rules out that it hides anything.
func (d dir) makeEmpty() error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(string(d))
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s holds something else, as %s", d, entries[0].Name())
	}
	return err
}

func (d dir) makeFolders() error {
	for _, name := range []string{"etc", "log", "ns", "dev", "run", "state", "spool", "munge"} {
		if err := os.Mkdir(d.path(name), 0o755); err != nil {
			return err
		}
	}
	// The database asks for no password, so only root may reach its socket.
	if err := os.Mkdir(d.database(), 0o700); err != nil {
		return err
	}
	return makeWorldWritable(d.path("shared"))
}

// makeWorldWritable makes a folder like /tmp; Mkdir alone would be subject to the umask.
func makeWorldWritable(path string) error {
	if err := os.Mkdir(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777|fs.ModeSticky)
}

// mounts returns the mount points of the lab, outer ones first; none if there is no lab in d.
func (d dir) mounts() []string {
	text, _ := os.ReadFile("/proc/self/mounts") // no /proc, no lab
	var found []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		ours := len(fields) > 1 && fields[0] == mountSource && fields[1] == string(d)
		below := len(found) > 0 && strings.HasPrefix(fields[1], string(d)+"/")
		if ours || below {
			found = append(found, fields[1])
		}
	}
	return found
}

// exists tells whether anything of a lab is left in d.
func (d dir) exists() bool { return len(d.mounts()) > 0 }

// pinned returns the hosts that have pins, the head among them, in no particular order. It asks the file system and not
// lab.json, so that it also knows a lab that never came up.
func (d dir) pinned() []string {
	files, _ := filepath.Glob(d.pin("*", "net")) // the only error is a bad pattern
	hosts := make([]string, len(files))
	for i, file := range files {
		hosts[i] = strings.TrimSuffix(filepath.Base(file), ".net")
	}
	return hosts
}

// writeReady records that the lab is up, for Open.
func (d dir) writeReady(o Options) error {
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(d.ready(), append(text, '\n'), 0o644)
}

func (d dir) readReady() (Options, error) {
	var o Options
	text, err := os.ReadFile(d.ready())
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(text, &o)
}
