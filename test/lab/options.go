package lab

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DirVariable is the environment variable that names the state directory where Options.Dir does not.
const DirVariable = "DISAGG_LAB_DIR"

const (
	defaultDir = "/run/disagg-lab"
	// Addresses are 10.78.0.<10+number>, so 200 leaves the /24 some room.
	maxHosts = 200
)

// Options says what the lab shall be.
type Options struct {
	// Hosts is the number of hosts, up to 200; 0 means 4.
	Hosts int
	// GPUs is the number of device nodes each host offers as GRES "gpu"; 0 means none.
	GPUs int
	// CPUs is the number of CPUs each host claims to have, whatever the machine has; 0 means 8.
	CPUs int
	// MemoryMB is the memory each host claims to have, in MiB; 0 means 4000.
	MemoryMB int
	// KillWait is the time Slurm leaves between SIGTERM and SIGKILL, in whole seconds; 0 means 10 s. Slurm itself never
	// waits for less than 5 s.
	KillWait time.Duration
	// NodeTimeout is how long a host may be silent before Slurm gives it up, in whole seconds; 0 means 30 s.
	NodeTimeout time.Duration
	// Accounting starts slurmdbd on a private MariaDB, so that sacct works.
	Accounting bool
	// Cgroup tracks processes and limits memory by cgroups (v1) instead of by proctrack/linuxproc.
	Cgroup bool
	// LimitMemory makes memory a resource without Cgroup too: slurmstepd looks at it once a second and kills a step
	// that uses more than it was given (OverMemoryKill). It needs Accounting, whose gatherer does the looking.
	LimitMemory bool
	// Pyxis lets steps run in containers, by a stand-in for NVIDIA's pyxis and enroot: srun has the options
	// --container-*. It is compiled when the lab is brought up.
	Pyxis bool
	// Disk is the path of labdisk (cmd/labdisk): with it the lab has a folder that can be frozen (Lab.Disk,
	// Lab.Freeze). "": it has none.
	Disk string
	// Dir is the state directory; "" means $DISAGG_LAB_DIR, or else /run/disagg-lab.
	Dir string
	// Replace takes down an earlier lab that is still up instead of refusing. What is left of a dead one always goes.
	Replace bool
	// LockWait bounds the wait for another user of the lab; 0 means 5 minutes.
	LockWait time.Duration
}

// Defaults returns what `lab up` brings up without flags: four hosts of four GPUs, with accounting.
func Defaults() Options {
	return Options{GPUs: 4, Accounting: true}.withDefaults()
}

// Dir returns the state directory for dir as Options.Dir understands it. Symbolic links above it are resolved, because
// the machine's table of mounts, where a lab is looked up, has none.
func Dir(dir string) string {
	path := filepath.Clean(cmp.Or(dir, os.Getenv(DirVariable), defaultDir))
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(parent, filepath.Base(path))
}

func (o Options) withDefaults() Options {
	o.Hosts = cmp.Or(o.Hosts, 4)
	o.CPUs = cmp.Or(o.CPUs, 8)
	o.MemoryMB = cmp.Or(o.MemoryMB, 4000)
	o.KillWait = cmp.Or(o.KillWait, 10*time.Second)
	o.NodeTimeout = cmp.Or(o.NodeTimeout, 30*time.Second)
	o.LockWait = cmp.Or(o.LockWait, 5*time.Minute)
	o.Dir = Dir(o.Dir)
	return o
}

// validate joins everything that is wrong with o, which has its defaults.
func (o Options) validate() error {
	var errs []error
	reject := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	reject(o.Hosts < 1 || o.Hosts > maxHosts, "%d hosts: want 1 to %d", o.Hosts, maxHosts)
	reject(o.GPUs < 0, "%d GPUs: want 0 or more", o.GPUs)
	reject(o.CPUs < 1, "%d CPUs: want 1 or more", o.CPUs)
	reject(o.MemoryMB < 1, "%d MiB of memory: want 1 or more", o.MemoryMB)
	reject(o.LimitMemory && !o.Accounting, "LimitMemory needs Accounting")
	reject(!wholeSeconds(o.KillWait), "KillWait %s: want whole seconds, 1 or more", o.KillWait)
	reject(!wholeSeconds(o.NodeTimeout), "NodeTimeout %s: want whole seconds, 1 or more", o.NodeTimeout)
	reject(!filepath.IsAbs(o.Dir), "state directory %s: want an absolute path", o.Dir)
	reject(strings.ContainsAny(o.Dir, " \t\n#=,"), "state directory %q: Slurm's files cannot name it", o.Dir)
	for _, own := range []string{"/tmp", "/dev/shm"} {
		reject(strings.HasPrefix(o.Dir, own+"/"), "state directory %s: each host has its own %s", o.Dir, own)
	}
	return errors.Join(errs...)
}

func wholeSeconds(d time.Duration) bool {
	return d >= time.Second && d%time.Second == 0
}
