package slurm

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// registered is an image of the lab's registry.
const registered = "nvidia/sim:1"

// containers is a cluster whose steps may run in containers.
type containers struct {
	*cluster
	python []string // folders that python3 is made of, where the image has none
}

func startContainers(t *testing.T, cgroup bool) containers {
	t.Helper()
	o := standard(cgroup)
	o.Pyxis, o.KillWait = true, killWait
	c := containers{cluster: start(t, o)}
	const folders = "import sys; print(sys.prefix, sys.base_prefix)"
	out, err := exec.CommandContext(t.Context(), "python3", "-c", folders).Output()
	if err != nil {
		t.Fatal(err)
	}
	c.python = slices.DeleteFunc(strings.Fields(string(out)), func(dir string) bool {
		return strings.HasPrefix(dir+"/", "/usr/")
	})
	c.write(t, c.image(), image())
	c.write(t, filepath.Join(c.Registry(), "nvidia+sim+1.sqsh"), image())
	// Of the profile for the sim only the way to python3 changes: the image has a PATH of its own.
	profile := filepath.Join(c.examples(), "profiles", "sim.yaml")
	text, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	const path = "{{.Checkout}}/bin:"
	with := path
	for _, dir := range c.python {
		with += filepath.Join(dir, "bin") + ":"
	}
	change := strings.NewReplacer(path, with, "env:\n", "env:\n  FROM_PROFILE: 'yes'\n")
	c.write(t, profile, change.Replace(string(text)))
	return c
}

func (c containers) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (c containers) image() string { return filepath.Join(c.Shared(), "image.sqsh") }

// image is what an image holds: the machine's programs, and variables, among them all that batch sets for its agents.
func image() string {
	text := "#image\nworkdir /workspace\nenv PATH=/usr/local/bin:/usr/bin:/bin\nenv BOTH=image\n" +
		"env ONLY_IMAGE=image\nenv EXPORTED=image\n"
	for _, dir := range []string{"/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc"} {
		if _, err := os.Lstat(dir); err == nil {
			text += "dir " + dir + "\n"
		}
	}
	for _, v := range protocol.Variables() {
		if v.SetBy == "batch" {
			text += "env " + v.Name + "=image\n"
		}
	}
	return text
}

// profile is the part of a profile that puts roles into containers of an image, with mounts beside python3's folders.
func (c containers) profile(image, name string, mounts ...string) string {
	mounts = append(mounts, c.python...)
	return fmt.Sprintf("container: {image: '%s', name: '%s', mounts: ['%s']}\n", image, name,
		strings.Join(mounts, "', '"))
}

// contained is a way in which a job in containers can end.
type contained struct {
	fault
	says []string // what the batch script must say meanwhile
}

func (c containers) faults() []contained {
	const refused = "[ERROR] URL https://registry.example/v2/nvidia/sim/manifests/1 returned error code: 401"
	shared := c.Shared()
	named, own := c.profile(c.image(), "sim", shared), c.profile(registered, "", shared)
	stub := func(plan string) []string { return []string{"PYXIS_STUB=" + plan} }
	list := []contained{
		{fault: fault{name: "one container a step", profile: own, flags: []string{"--recipe", "trtllm-pytest"}}},
		{
			fault: fault{name: "steps race for a container", profile: named, env: stub("unpack=1:1 race=1")},
			says:  []string{"the step of CTX_0 never began: trying again in 1s"},
		},
		{
			fault: fault{
				name: "a registry fails and a root is locked", profile: c.profile(registered, "sim", shared),
				env: stub("import=503:1 lock=1"),
			},
			says: []string{"preparing the nodes never began: trying again in 2s"},
		},
		{
			fault: fault{name: "a registry fails twice", profile: own, env: stub("import=503:2")},
			says:  []string{"the step of CTX_1 never began: trying again in 2s"},
		},
	}
	for i := range list {
		list[i].verdict, list[i].state = protocol.Passed, "COMPLETED 0:0"
	}
	for _, f := range []fault{
		{
			name: "a registry refuses", profile: c.profile(registered, "sim", shared), env: stub("import=401:99"),
			cause: "BENCHMARK.0: installing ended with code 1 (tried 3 times): " + refused,
		},
		{
			name: "a registry refuses each step", profile: own, env: stub("import=401:99"),
			cause: "BENCHMARK.0: the step never began: it ended with code 1 (tried 3 times): " + refused,
		},
		{
			name: "an image is not there", profile: c.profile("/images/none.sqsh", "sim", shared),
			cause: "BENCHMARK.0: installing ended with code 1: [ERROR] No such file or directory: " +
				"/images/none.sqsh",
		},
		{
			name: "a mount's source is missing", profile: c.profile(c.image(), "", shared, "/none"),
			cause: "BENCHMARK.0: the step never began: it ended with code 1: " +
				"pyxis: --container-mounts: source path does not exist: /none",
		},
		{
			name: "the agent is under no mount", profile: c.profile(c.image(), "sim"), flags: []string{"--no-doctor"},
			cause:  "BENCHMARK.0: installing ended with code 2: execve(): ",
			detail: "disagg-agent: No such file or directory",
		},
		{
			name: "the run directory is under no mount", profile: c.profile(c.image(), "", c.bin),
			flags:  []string{"--no-doctor"},
			cause:  "BENCHMARK.0: ",
			detail: "plan.json: no such file or directory", state: "FAILED 64:0",
		},
		{
			name: "decode crashes", profile: named, sim: "GEN_0:crash=3@0.2", env: []string{loading},
			cause: "GEN_0.0 on gpu1: exited with code 3",
		},
		{
			name: "kill -9 of an agent", profile: named, env: []string{loading}, when: "started",
			act:   func(j *job) { j.kill9(j.published("CTX_0").PID) },
			cause: "CTX_0.0 on gpu2: its agent is lost", both: true, within: 5 * time.Second,
		},
	} {
		f.verdict, f.state = protocol.Failed, cmp.Or(f.state, "FAILED 1:0")
		list = append(list, contained{fault: f})
	}
	return append(list, contained{fault: fault{
		name: "scancel", profile: named, env: []string{loading}, when: "started", act: func(j *job) { j.scancel(j.id) },
		verdict: protocol.Cancelled, detail: "cancelled", state: "CANCELLED", within: killWait + 2*time.Second,
		both: true,
	}})
}

// TestContainers runs jobs in containers, by the lab's pyxis: they pass, again after what passes by itself, and fail
// with the line of pyxis' that says why.
func TestContainers(t *testing.T) {
	for _, cgroup := range []bool{false, true} {
		t.Run(fmt.Sprintf("cgroup=%v", cgroup), func(t *testing.T) {
			c := startContainers(t, cgroup)
			for _, f := range c.faults() {
				if !cgroup || f.both {
					t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) { f.try(t, c) })
				}
			}
			t.Run("variables", func(t *testing.T) { variablesInContainer(t, c) })
		})
	}
}

func (f contained) try(t *testing.T, c containers) {
	t.Helper()
	begun := time.Now()
	f.fault.try(t, c.cluster, 0)
	t.Logf("%v from the submission until nothing was left", time.Since(begun).Round(100*time.Millisecond))
	runDir := filepath.Join(c.Shared(), "runs", filepath.Base(t.Name())+"-0")
	if f.verdict == protocol.Passed {
		everyRankJoinedMPI(t, readPlan(t, runDir), logs(t, runDir))
	}
	files, err := filepath.Glob(filepath.Join(runDir, "slurm-*.out"))
	if err != nil || len(files) != 1 {
		t.Fatalf("output of the batch script: %v, %v", files, err)
	}
	out, err := os.ReadFile(files[0])
	for _, line := range f.says {
		if !strings.Contains(string(out), line) {
			t.Errorf("the batch script does not say %q: %v\n%s", line, err, out)
		}
	}
}

// variablesInContainer checks what a child in a container sees: of the host what is mounted, and the image's variables
// but for those of disagg, those that the profile sets, and those that it wants from the host.
func variablesInContainer(t *testing.T, c containers) {
	runDir := filepath.Join(c.Shared(), "runs", "variables")
	f := fault{profile: c.profile(c.image(), "sim", c.Shared()) + "srun_args: ['--container-env=EXPORTED']\n"}
	env := []string{loading, "BOTH=host", "ONLY_HOST=host", "EXPORTED=host"}
	j := c.submitted(t, runDir, smallCase, f.submitFlags(t, c.cluster, runDir), env)
	j.awaitStarted()
	child := fmt.Sprintf("/proc/%d/", j.childOf("GEN_0"))
	data, err := os.ReadFile(child + "environ")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for kv := range bytes.SplitSeq(data, []byte{0}) {
		name, value, _ := strings.Cut(string(kv), "=")
		got[name] = value
	}
	for name, want := range map[string]string{
		"BOTH": "image", "ONLY_IMAGE": "image", "ONLY_HOST": "host", "EXPORTED": "host",
		"FROM_PROFILE":   "yes",
		protocol.EnvRole: "GEN_0", protocol.EnvPlan: filepath.Join(runDir, "plan.json"), protocol.EnvAttempt: "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	for _, v := range protocol.Variables() {
		if got[v.Name] == "image" {
			t.Errorf("%s has the image's value", v.Name)
		}
	}
	if path := got["PATH"]; !strings.HasSuffix(path, ":/usr/local/bin:/usr/bin:/bin") {
		t.Errorf("PATH is %s, and does not end with the image's", path)
	}
	if _, err := os.Stat(child + "root" + c.bin); err != nil {
		t.Errorf("what is mounted is not seen: %v", err)
	}
	if _, err := os.Stat(child + "root" + filepath.Dir(c.Shared()) + "/etc"); err == nil {
		t.Error("what is not mounted is seen")
	}
	j.scancel(j.id)
	j.awaitVerdict()
	c.nothingLeft(t)
}
