package slurm

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/test/check"
)

// planted is a fault of a profile or of nodes, and how doctor must name it. docs/howto/first-run.md lists them.
type planted struct {
	name    string
	profile string   // lines that are added to the profile of the sim engine
	flags   []string // more of them
	want    string   // begins a line
}

// onBareHosts are faults on a cluster without pyxis. The last ones are only to be seen on the nodes.
func onBareHosts() []planted {
	otherArch := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	return []planted{
		{name: "a partition that is not there", flags: []string{"--partition", "nights"},
			want: "FAIL  there is no partition nights: there is batch: "},
		{name: "an MPI plugin that srun has not", profile: "mpi: pmix_v9",
			want: "FAIL  srun has no plugin pmix_v9 for MPI"},
		{name: "pyxis that is not installed", profile: "container: {image: /images/x.sqsh, mounts: ['/']}",
			want: "FAIL  srun has no option --container-image"},
		{name: "a reservation that is not there", profile: "reservation: perf",
			want: "FAIL  Slurm would not take the job: "},
		{name: "a constraint that no node has", profile: "constraint: h200",
			want: "FAIL  Slurm would not take the job: "},
		{name: "more time to stop than KillWait", profile: "kill_wait: 5m",
			want: "FAIL  the profile gives jobs 5m0s to stop, and Slurm's KillWait is "},
		{name: "nodes of another architecture", profile: "arch: " + otherArch + "\nagent: /none/disagg-agent",
			want: "FAIL  node gpu1 is "},
		{name: "an agent that the nodes do not see", profile: "agent: /none/disagg-agent",
			want: "FAIL  2 of 2 nodes did not answer: "},
		{name: "an interface that the nodes have not", profile: "interface: ib7",
			want: "FAIL  gpu1, gpu2: it has no address: "},
		{name: "models that the nodes do not see",
			profile: "models_root: /none/models\npreflight: {require_model: true}",
			want:    "FAIL  gpu1, gpu2: there is no /none/models"},
		{name: "an engine that is not in PATH", flags: []string{"--set", "serve=no-such-serve"},
			want: "FAIL  gpu1, gpu2: no-such-serve (GEN) is not found in PATH"},
	}
}

// doctor lets two nodes be examined, and returns the exit code and what was printed.
func (c *cluster) doctor(t *testing.T, profile string, flags ...string) (code int, output string) {
	t.Helper()
	args := []string{
		"doctor", "--launcher", "slurm", "--nodes", "2", "--profile", profile,
		"--trtllm-dir", filepath.Join(c.examples(), "sim"),
	}
	cmd := c.command(t.Context(), "disagg-submit", append(append(args, flags...), c.caseFile(smallCase))...)
	cmd.Dir = c.Shared()
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("%v:\n%s", time.Since(begun).Round(10*time.Millisecond), out)
	c.nothingLeft(t)
	return cmd.ProcessState.ExitCode(), string(out)
}

// profileWith writes the profile of the sim engine with more lines; those that have its keys replace them.
func (c *cluster) profileWith(t *testing.T, name, lines string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.examples(), "profiles", "sim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(c.Shared(), "base.yaml")
	file := filepath.Join(c.Shared(), strings.ReplaceAll(name, " ", "-")+".yaml")
	err = os.WriteFile(base, text, 0o644)
	if err == nil {
		err = os.WriteFile(file, []byte("schema: 1\nname: planted\nextends: base.yaml\n"+lines+"\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestDoctor plants faults, each of which doctor must find, and tries kinds of profile that fit, with which nothing may
// fail.
func TestDoctor(t *testing.T) {
	c := start(t, standard(false))
	for _, p := range onBareHosts() {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			code, out := c.doctor(t, c.profileWith(t, p.name, p.profile), p.flags...)
			if code != 1 || !strings.Contains("\n"+out, "\n"+p.want) {
				t.Errorf("exit code %d, want a line that begins with %q", code, p.want)
			}
		})
	}
	t.Run("run stops", func(t *testing.T) {
		begun := time.Now()
		runDir := filepath.Join(c.Shared(), "stopped")
		code, out := c.submit(t, runDir, smallCase, nil, "--partition", "nights")
		t.Logf("%v:\n%s", time.Since(begun).Round(10*time.Millisecond), out)
		if code != 69 || !strings.Contains(out, "disagg-submit: FAIL  there is no partition nights: ") {
			t.Errorf("exit code %d", code)
		}
		if _, err := os.Stat(runDir); err == nil {
			t.Error("a run directory is left behind")
		}
	})
	t.Run("a run directory that the nodes do not see", func(t *testing.T) {
		code, out := c.doctor(t, c.profileWith(t, "rundir", ""), "--run-dir", filepath.Join(t.TempDir(), "run"))
		if code != 1 || !strings.Contains(out, "is not seen there: ") {
			t.Errorf("exit code %d", code)
		}
	})
	apptainer(t, c)
	for name, lines := range map[string]string{
		"bare hosts": "mpi: pmix\ngpus: gpus-per-node", "GPUs as a resource": "mpi: pmix\ngpus: gres",
		"without GPUs and MPI": "gpus: none\nmpi: none", "apptainer": "container: {kind: apptainer, image: x.sif, " +
			"mounts: ['" + c.Shared() + "']}",
	} {
		t.Run("fits: "+name, func(t *testing.T) { c.fits(t, c.profileWith(t, name, lines)) })
	}
}

// fits checks that nothing fails with a profile that fits.
func (c *cluster) fits(t *testing.T, profile string) {
	t.Helper()
	code, out := c.doctor(t, profile)
	if code != 0 || strings.Contains(out, "FAIL") || !strings.Contains(out,
		"ok    gpu1, gpu2: the way to 1 other node is open") {
		t.Errorf("exit code %d", code)
	}
}

// apptainer puts a program of that name into the way, which starts the command after the image on the bare host.
func apptainer(t *testing.T, c *cluster) {
	t.Helper()
	const script = "#!/bin/sh\nwhile [ \"$1\" != x.sif ]; do shift; done\nshift\nexec \"$@\"\n"
	check.Script(t, filepath.Join(c.bin, "apptainer"), script)
	t.Setenv("PATH", c.bin+":"+os.Getenv("PATH"))
}

// TestDoctorInContainers looks at nodes in containers, by the lab's pyxis.
func TestDoctorInContainers(t *testing.T) {
	c := startContainers(t, false)
	in := func(name, lines string) string { return c.profileWith(t, name, lines) }
	t.Run("fits: pyxis", func(t *testing.T) {
		code, out := c.doctor(t, in("pyxis", c.profile(c.image(), "sim", c.Shared())))
		if code != 0 || strings.Contains(out, "FAIL") || !strings.Contains(out,
			"ok    gpu1, gpu2: the way to 1 other node is open") {
			t.Errorf("exit code %d", code)
		}
	})
	for _, p := range []planted{
		{name: "an agent under no mount", profile: c.profile(c.image(), "sim"), want: "FAIL  agent " + c.bin},
		{name: "an image that is not there", profile: c.profile("/images/none.sqsh", "", c.Shared()),
			want: "FAIL  2 of 2 nodes did not answer: "},
	} {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			code, out := c.doctor(t, in(p.name, p.profile))
			if code != 1 || !strings.Contains("\n"+out, "\n"+p.want) {
				t.Errorf("exit code %d, want a line that begins with %q", code, p.want)
			}
		})
	}
}
