package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// requirement is a Debian package the lab needs and what shows that it is there: programs, or files by pattern.
type requirement struct {
	pkg   string
	tools []string
	files []string
}

// requirements returns what a lab with these options needs.
func requirements(o Options) []requirement {
	needs := []requirement{
		{pkg: "slurm-wlm", tools: []string{"slurmctld", "slurmd", "srun", "sbatch", "sinfo"}},
		{pkg: "munge", tools: []string{"munged"}},
		{pkg: "iproute2", tools: []string{"ip"}},
		{pkg: "util-linux", tools: []string{"nsenter", "unshare", "setsid", "mount", "taskset"}},
		{pkg: "hostname", tools: []string{"hostname"}},
		// Slurm's PMIx plugin opens the library by its unversioned name, which comes with the headers.
		{pkg: "libpmix-dev", files: []string{"/usr/lib/*/libpmix.so", "/usr/lib*/libpmix.so"}},
	}
	if o.Accounting {
		needs = append(needs,
			requirement{pkg: "slurmdbd", tools: []string{"slurmdbd"}},
			requirement{pkg: "mariadb-server", tools: []string{"mariadbd", "mariadb-install-db"}})
	}
	if o.Pyxis {
		needs = append(needs,
			requirement{pkg: "gcc", tools: []string{"gcc"}},
			requirement{pkg: "libc6-dev", files: []string{"/usr/include/stdio.h"}},
			requirement{pkg: "libslurm-dev", files: []string{"/usr/include/slurm/spank.h"}})
	}
	return needs
}

func (r requirement) met() bool {
	for _, name := range r.tools {
		if _, err := tool(name); err != nil {
			return false
		}
	}
	for _, pattern := range r.files {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return true
		}
	}
	return len(r.files) == 0
}

// Missing returns what Up would fail for the want of: names of packages, features of the kernel, rights. Up can work if
// there is nothing.
func Missing(o Options) []string {
	var missing []string
	for _, need := range requirements(o) {
		if !need.met() {
			missing = append(missing, "package "+need.pkg)
		}
	}
	if o.Cgroup {
		missing = append(missing, missingControllers()...)
	}
	if os.Geteuid() != 0 {
		return append(missing, "root's rights")
	}
	if len(missing) == 0 {
		missing = missingKernel()
	}
	return missing
}

func missingControllers() []string {
	var missing []string
	for _, controller := range []string{"freezer", "memory"} {
		if controllerMount(controller) == "" {
			missing = append(missing,
				fmt.Sprintf("cgroup v1 controller %s (mount -t cgroup -o %[1]s none /sys/fs/cgroup/%[1]s)", controller))
		}
	}
	return missing
}

// missingKernel tries what a host is made of, in namespaces that end with the try.
func missingKernel() []string {
	const try = `hostname try && mount -t tmpfs tmpfs /tmp && ip link add name try0 type bridge ` +
		`&& ip link add name try1 type veth peer name try2`
	out, err := exec.Command("unshare", "--net", "--uts", "--mount", "sh", "-c", try).CombinedOutput()
	if err != nil {
		return []string{"namespaces, tmpfs, bridge or veth in the kernel: " + strings.TrimSpace(string(out))}
	}
	return nil
}
