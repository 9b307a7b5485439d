package profile_test

import (
	"errors"
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
		"schema: 1\nname: x\npartitoin: y\n":                  "p.yaml:3: partitoin: unknown key",
		"schema: 1\nname: x\nkill_wait: 30\n":                 `p.yaml:3: kill_wait: "30" is not a duration`,
		"schema: 3\nname: x\n":                                "schema: 3 is not supported",
		"schema: 1\n":                                         "name: missing",
		"{}\n":                                                "schema: missing: add schema: 1\np.yaml: name: missing",
		"schema: 1\nname: x\ngpus: some\n":                    `gpus: "some": want gpus-per-node, gres or none`,
		"schema: 1\nname: x\nsbatch_args: [x]\n":              `sbatch_args, srun_args: "x"`,
		"schema: 1\nname: x\nsrun_args: [--a --b]\n":          `"--a --b": want one option per item`,
		"schema: 1\nname: x\nunset: ['[']\n":                  `unset: "[" is not a valid pattern: want`,
		"schema: 1\nname: x\nagent: rel\n":                    `agent: "rel": want an absolute path`,
		"schema: 1\nname: x\npreflight: {min_disk_mib: -1}\n": "preflight.min_disk_mib: -1: want at least 0",
		"schema: 1\nname: x\nsrun_args: [x]\n":                `sbatch_args, srun_args: "x"`,
		"schema: 1\nname: x\ncontainer: {name: y}\n":          "container.image: missing",
		"schema: 1\nname: x\npreflight: {off: [gpu]}\n":       `preflight.off: no check "gpu": want all, or some of`,
		"schema: 1\nname: x\nsbatch_args: [\"-x\\ny\"]\n":     `sbatch_args: "-x\ny" has a control character`,
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

// What a profile does not say is that of the one it extends, key by key; a list is taken as a whole.
func TestExtends(t *testing.T) {
	files := map[string]string{
		"base": "schema: 1\nname: base\nextends: root\npartition: gpu\nenv: {A: base, B: base}\nunset: [X]\n",
		"root": "schema: 1\nname: root\naccount: ours\ncontainer: {image: i, mounts: [/a]}\n",
		"ring": "extends: ring\n", "bad": "partition: [\n",
	}
	read := func(name, beside string) (string, []byte, error) {
		text, ok := files[name]
		if !ok {
			return name, nil, errors.New("there is no " + name + " beside " + beside)
		}
		return name, []byte(text), nil
	}
	p, err := profile.ParseExtending("own", []byte("schema: 1\nname: own\nextends: base\nenv: {A: own}\nunset: [Y]\n"+
		"container: {dir: /w}\n"), read)
	if err != nil || p.Name != "own" || p.Partition != "gpu" || p.Account != "ours" || p.Env["A"] != "own" ||
		p.Env["B"] != "base" || len(p.Unset) != 1 || p.Unset[0] != "Y" || p.Container.Image != "i" ||
		p.Container.Dir != "/w" || p.MPI != "pmix" {
		t.Errorf("%+v, %v", p, err)
	}
	for text, want := range map[string]string{
		"schema: 1\nname: x\nextends: gone":                 "own: extends: there is no gone beside own",
		"schema: 1\nname: x\nextends: ring":                 "ring: extends: ring: more than 8 profiles deep",
		"schema: 1\nname: x\nextends: bad":                  "bad:2: ",
		"schema: 1\nname: x\nextends: root\npartitoin: gpu": "partitoin: unknown key",
		"schema: 1\nname: x\nextends: root\narch: sparc":    `arch: "sparc": want amd64 or arm64`,
	} {
		_, err := profile.ParseExtending("own", []byte(text), read)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What differs with the GPU is that of the cluster's own, or of the first that the case names.
func TestFor(t *testing.T) {
	const text = "schema: 1\nname: x\nenv: {A: all}\nunset: [X]\n" +
		"by_gpu: {B200: {env: {A: b, B: b}}, GB300: {unset: [Y]}}\n"
	for gpu, tt := range map[string]struct {
		own, cases string
		a          string
		unset      int
	}{
		"the case's":         {"", "H200 B200 GB300", "b", 1},
		"the cluster's":      {"GB300", "B200", "all", 2},
		"one without a word": {"H200", "B200", "all", 1},
		"none":               {"", "", "all", 1},
	} {
		p, err := profile.Parse("x", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		p.GPU = tt.own
		own := p.For(strings.Fields(tt.cases))
		if own.Env["A"] != tt.a || len(own.Unset) != tt.unset || own.ByGPU != nil || p.Env["A"] != "all" {
			t.Errorf("%s: %v, %v", gpu, own.Env, own.Unset)
		}
	}
}

// A container sees what is mounted where the host has it.
func TestHolds(t *testing.T) {
	c := &profile.Container{Mounts: []string{"/a", "/b:/b:ro", "/c:/d", "/e/f/:/e/f"}}
	for dir, want := range map[string]bool{
		"/a": true, "/a/x": true, "/ab": false, "/b/x": true, "/c/x": false, "/d/x": false, "/e/f/g": true, "/e": false,
	} {
		if got := c.Holds(dir); got != want {
			t.Errorf("%s: %t", dir, got)
		}
	}
	if !(*profile.Container)(nil).Holds("/x") || !(&profile.Container{Mounts: []string{"/:/"}}).Holds("/x") {
		t.Error("a bare host, and one that is mounted as a whole, have everything")
	}
}

// Variables of a profile have names that every shell takes, and are not those that the tool sets.
func TestVariables(t *testing.T) {
	for env, want := range map[string]string{
		"{A: x, DISAGG_CONFIG_FOLDER: y}": "", "{'A B': x}": `env: "A B" is not a name of a variable`,
		"{DISAGG_SERVING_TYPE: x}": `env: "DISAGG_SERVING_TYPE" is set by the tool`,
	} {
		_, err := profile.Parse("p.yaml", []byte("schema: 1\nname: p\nenv: "+env))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", env, err, want)
		}
	}
}
