package profile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// The profiles that come with the tool can be read, under their own names.
func TestBuiltinProfilesLoad(t *testing.T) {
	if len(profile.Builtin()) == 0 {
		t.Error("no profile comes with the tool")
	}
	for _, name := range profile.Builtin() {
		p, ok, err := profile.Load(name)
		if err != nil || !ok || p.Name != name {
			t.Errorf("%s: %v %v, it calls itself %q", name, ok, err, p.Name)
		}
	}
	if _, ok, _ := profile.Load("none"); ok {
		t.Error("a profile that is not there was found")
	}
}

// parse reads a profile that must be right, but for schema and name.
func parse(t *testing.T, text string) profile.Profile {
	t.Helper()
	p, err := profile.Parse("p.yaml", []byte("schema: 1\nname: x\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What a profile leaves open is filled in, and what it says stays.
func TestDefaults(t *testing.T) {
	want := profile.Profile{
		Schema: 1, Name: "x", GPUs: "gpus-per-node", MPI: "pmix", Bash: "/bin/bash",
		Preflight: profile.Preflight{
			MinDiskMiB: 1024, MinMemoryMiB: 512, MaxShmMiB: 1024, MinShmMiB: 1024,
			MaxSkew: roles.Duration(10 * time.Second),
		},
	}
	if diff := cmp.Diff(want, parse(t, "")); diff != "" {
		t.Error(diff)
	}
	want.GPUs, want.MPI, want.Bash = "gres", "", "/opt/bash"
	want.Preflight.MinDiskMiB, want.Preflight.MaxShmMiB, want.Preflight.MaxSkew = 1, 5, roles.Duration(time.Minute)
	got := parse(t, "gpus: gres\nmpi: none\nbash: /opt/bash\n"+
		"preflight: {min_disk_mib: 1, max_shm_mib: 5, max_skew: 1m}\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Preflight checks are switched off one by one, or all.
func TestChecksAreSwitchedOff(t *testing.T) {
	one, all := parse(t, "preflight: {off: [gpus]}\n").Preflight, parse(t, "preflight: {off: [all]}\n").Preflight
	if !one.IsOff("gpus") || one.IsOff("disk") || !all.IsOff("disk") {
		t.Error("what is switched off is not off, or more is")
	}
}

// What no cluster can need is refused, by file and key, and of several faults each is told.
func TestProfileFaults(t *testing.T) {
	for text, want := range map[string]string{
		"schema: 1\nname: x\npartitoin: y\n":              "p.yaml:3: partitoin: unknown key",
		"schema: 1\nname: x\nkill_wait: 30\n":             `p.yaml:3: kill_wait: "30" is not a duration`,
		"schema: 3\nname: x\n":                            "schema: 3 is not supported",
		"schema: 1\n":                                     "name: missing",
		"{}\n":                                            "schema: 0 is not supported: want 1\nname: missing",
		"schema: 1\nname: x\ngpus: some\n":                `gpus: "some": want gpus-per-node, gres or none`,
		"schema: 1\nname: x\nsbatch_args: [x]\n":          `sbatch_args, srun_args: "x"`,
		"schema: 1\nname: x\nsrun_args: [x]\n":            `sbatch_args, srun_args: "x"`,
		"schema: 1\nname: x\ncontainer: {name: y}\n":      "container.image: missing",
		"schema: 1\nname: x\npreflight: {off: [gpu]}\n":   `preflight.off: no check "gpu": want all, or some of gpus,`,
		"schema: 1\nname: x\nsbatch_args: [\"-x\\ny\"]\n": `sbatch_args: "-x\ny" has a control character`,
	} {
		_, err := profile.Parse("p.yaml", []byte(text))
		fails(t, text, err, want)
	}
}

func fails(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), "p.yaml:") || !strings.Contains(err.Error(), want) {
		t.Errorf("%q: got %v, want %q", name, err, want)
	}
}

// Nothing that reaches the batch script or a command line can end a line there, or act on a terminal.
func TestControlCharacters(t *testing.T) {
	for _, line := range []string{
		"partition: X", "account: X", "mpi: X", "agent: X", "bash: X", "interface: X", "sbatch_args: [X]",
		"srun_args: [X]", "container: {image: X}", "container: {image: i, name: X}", "container: {image: i, dir: X}",
		"container: {image: i, mounts: [X]}",
	} {
		for _, bad := range []string{`"-a\nb"`, `"-a\rb"`, `"-a\e[1m"`, `"-a\x7f"`} {
			text := "schema: 1\nname: x\n" + strings.ReplaceAll(line, "X", bad) + "\n"
			_, err := profile.Parse("p.yaml", []byte(text))
			fails(t, text, err, "has a control character")
		}
	}
	_, err := profile.Parse("p.yaml", []byte("schema: 1\nname: \"x\\ny\"\n"))
	fails(t, "name", err, "name: \"x\\ny\" has a control character")
	if profile.HasControl("plain é — text") {
		t.Error("a plain text has a control character")
	}
}
