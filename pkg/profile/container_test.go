package profile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/profile"
)

// Apptainer and Singularity are programs before the agent; what srun's plugin does has none.
func TestExec(t *testing.T) {
	for _, kind := range []string{profile.Apptainer, profile.Singularity} {
		c := &profile.Container{Kind: kind, Image: "i.sif"}
		if diff := cmp.Diff([]string{kind, "exec", "i.sif"}, c.Exec()); diff != "" {
			t.Error(diff)
		}
		c.Args, c.Mounts, c.Dir = []string{"--nv", "-B"}, []string{"/a", "/b:/c"}, "/w"
		want := []string{kind, "exec", "--nv", "-B", "--bind", "/a", "--bind", "/b:/c", "--pwd", "/w", "i.sif"}
		if diff := cmp.Diff(want, c.Exec()); diff != "" {
			t.Error(diff)
		}
		if len(c.Args) != 2 {
			t.Errorf("the arguments are now %q", c.Args)
		}
	}
	for _, c := range []*profile.Container{nil, {Image: "i"}, {Kind: profile.Pyxis, Image: "i"}} {
		if got := c.Exec(); got != nil {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// Steps share a container of the plugin's that has a name.
func TestShared(t *testing.T) {
	for _, tt := range []struct {
		c    *profile.Container
		want bool
	}{
		{nil, false}, {&profile.Container{}, false}, {&profile.Container{Name: "n"}, true},
		{&profile.Container{Kind: profile.Pyxis, Name: "n"}, true},
		{&profile.Container{Kind: profile.Apptainer, Name: "n"}, false},
	} {
		if got := tt.c.Shared(); got != tt.want {
			t.Errorf("%+v: %v", tt.c, got)
		}
	}
}

// Each fault of a profile is told with its line, in the same order each time, with what is good instead.
func TestEveryFaultIsTold(t *testing.T) {
	text := `schema: 2
gpus: all
container: {kind: docker, image: "", args: [--nv]}
arch: sparc
run_root: relative
preflight: {off: [all, nothing]}
sbatch_args: [--good, bad]
comment: "a\nb"
account: "c\u009b1m"
`
	const want = `p.yaml:1: schema: 2 is not supported: want 1
p.yaml: name: missing
p.yaml:2: gpus: "all": want gpus-per-node, gres or none
p.yaml:3: container.image: missing
p.yaml:3: container.kind: "docker": want pyxis, apptainer or singularity
p.yaml:3: container: args are for apptainer, and name is for pyxis
p.yaml:4: arch: "sparc": want amd64 or arm64
p.yaml:5: run_root: "relative": want an absolute path
p.yaml:6: preflight.off: no check "nothing": want all, or some of CHECKS
p.yaml: sbatch_args, srun_args: "bad": want one option per item, such as --comment=x
p.yaml:9: account: "c\u009b1m" has a control character
p.yaml:8: comment: "a\nb" has a control character`
	for range 20 { // a map has another order each time
		_, err := profile.Parse("p.yaml", []byte(text))
		if err == nil {
			t.Fatal("no fault was found")
		}
		got := err.Error()
		if from, rest, ok := strings.Cut(got, "or some of "); ok {
			_, rest, _ = strings.Cut(rest, "\n")
			got = from + "or some of CHECKS\n" + rest
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
}

// What is of one kind of container is refused of the other.
func TestContainerKinds(t *testing.T) {
	const fault = "container: args are for apptainer, and name is for pyxis"
	for text, want := range map[string]string{
		"{image: i, name: n}":                         "",
		"{kind: pyxis, image: i, name: n}":            "",
		"{kind: apptainer, image: i, args: [--nv]}":   "",
		"{kind: singularity, image: i, args: [--nv]}": "",
		"{image: i, args: [--nv]}":                    fault,
		"{kind: pyxis, image: i, args: [--nv]}":       fault,
		"{kind: apptainer, image: i, name: n}":        fault,
		"{kind: singularity, image: i, name: n}":      fault,
	} {
		_, err := profile.Parse("p.yaml", []byte("schema: 1\nname: x\ncontainer: "+text+"\n"))
		if (err != nil) != (want != "") || err != nil && err.Error() != "p.yaml:3: "+want {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// What is good is taken: every architecture, every way to ask for GPUs, an absolute root, one sink or several.
func TestWhatIsGood(t *testing.T) {
	for _, line := range []string{
		"arch: amd64", "arch: arm64", "gpus: none", "gpus: gres", "run_root: /runs", "preflight: {off: [all]}",
		"srun_args: [-x, --long=y]", "comment: 'plain é – text'",
	} {
		parse(t, line+"\n")
	}
	for text, want := range map[string][]string{
		"dir:///a": {"dir:///a"}, "[dir:///a, dir:///b]": {"dir:///a", "dir:///b"},
	} {
		if diff := cmp.Diff(profile.URLs(want), parse(t, "upload: "+text+"\n").Upload); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := profile.Parse("p.yaml", []byte("schema: 1\nname: x\nupload: {a: b}\n")); err == nil {
		t.Error("a mapping is no sink")
	}
}

// A profile extends up to eight others, one after the other, and its errors name the file that is wrong.
func TestHowDeep(t *testing.T) {
	read := func(name, beside string) (string, []byte, error) {
		var n int
		if _, err := fmt.Sscanf(name, "b%d", &n); err != nil {
			return "", nil, err
		}
		if n == 1 {
			return "file-" + name, []byte("schema: 1\nname: b1\naccount: deep\n"), nil
		}
		if n > 1 && beside == "file-b99" {
			return "", nil, errors.New("no other")
		}
		return "file-" + name, fmt.Appendf(nil, "extends: b%d\npartition: p%d\n", n-1, n), nil
	}
	for n, want := range map[int]string{
		1: "", 8: "", 9: "file-b2: extends: b1: more than 8 profiles deep, or a profile that extends itself",
		99: "file-b99: extends: no other",
	} {
		p, err := profile.ParseExtending("own", fmt.Appendf(nil, "name: own\nextends: b%d\n", n), read)
		if want == "" && (err != nil || p.Account != "deep" || p.Name != "own" || p.Schema != 1) {
			t.Errorf("%d: %+v, %v", n, p, err)
		}
		if want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%d: got %v, want %s", n, err, want)
		}
	}
	_, err := profile.Parse("p.yaml", []byte("schema: 1\nname: x\nextends: other\n"))
	if err == nil || err.Error() != "p.yaml: extends: other: no profile can be extended here" {
		t.Errorf("%v", err)
	}
	_, err = profile.ParseExtending("own", []byte("extends: b1\npartitoin: x\n"), read)
	if err == nil || !strings.HasPrefix(err.Error(), "own (with what it extends)") {
		t.Errorf("%v", err)
	}
}

// What a GPU adds is beside what is for all, and changes nothing of the profile that it is taken from.
func TestForLeavesTheProfile(t *testing.T) {
	p := parse(t, "unset: [X]\nby_gpu: {B200: {env: {A: b}, unset: [Y]}, H200: {env: {A: h}}}\n")
	own := p.For([]string{"B200", "H200"})
	if diff := cmp.Diff(map[string]string{"A": "b"}, own.Env); diff != "" || len(own.Unset) != 2 || own.ByGPU != nil {
		t.Errorf("%s: %+v", diff, own)
	}
	if p.Env != nil || len(p.Unset) != 1 || len(p.ByGPU) != 2 {
		t.Errorf("the profile is now %+v", p)
	}
}

// The text of a profile that comes with the tool is what is read of it; of none there is no text.
func TestText(t *testing.T) {
	for _, name := range profile.Builtin() {
		if strings.HasSuffix(name, ".yaml") {
			t.Error(name)
		}
		if text, ok := profile.Text(name); !ok || !strings.Contains(string(text), "name: "+name) {
			t.Errorf("%s: %v, %.60s", name, ok, text)
		}
	}
	if text, ok := profile.Text("none"); ok || text != nil {
		t.Errorf("%v, %q", ok, text)
	}
}
