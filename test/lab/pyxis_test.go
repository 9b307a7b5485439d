package lab

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pyxisImage holds the machine's programs.
const pyxisImage = `#image
workdir /workspace
dir /usr
dir /bin
dir /lib
dir /lib64
dir /etc
env PATH=/usr/bin:/bin
env LOSES=image
env WINS=image
`

// startPyxis brings up a lab of one host, with an image as a file and in the registry.
func startPyxis(t *testing.T) (l *Lab, image string) {
	t.Helper()
	l = Start(t, Options{Hosts: 1, Pyxis: true})
	image = filepath.Join(l.Shared(), "x.sqsh")
	for _, file := range []string{image, filepath.Join(l.Registry(), "nvidia+x+1.sqsh")} {
		if err := os.WriteFile(file, []byte(pyxisImage), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return l, image
}

// pyxisCase is one step: what is planned to fail, the options of srun and the command, and what is printed.
type pyxisCase struct {
	name, plan, options, command string
	want                         []string
	fails                        bool
}

// TestPyxis tries what srun's options of the lab's pyxis lead to, and what it says where it fails.
func TestPyxis(t *testing.T) {
	l, image := startPyxis(t)
	const stepd = "slurmstepd-gpu1: error: "
	const failed = stepd + "spank: required plugin spank_pyxis.so: task_init() failed with rc=-1\n" +
		stepd + "Failed to invoke spank plugin stack\n"
	const e = stepd + "pyxis: "
	file, url := "--container-image="+image, e+"    [ERROR] URL https://registry.example/v2/nvidia/"
	for _, c := range []pyxisCase{
		{name: "a root of its own", options: file, command: "ls /; cat " + image, fails: true, want: []string{
			"bin\ndev\netc\nlib\nlib64\nproc\nroot\nsys\ntmp\nusr\nworkspace\n", image + ": No such file or directory",
		}},
		{name: "mounts", options: file + " --container-mounts=" + l.Shared() + ":/x:ro,tmpfs:/y", fails: true,
			command: "cat /x/x.sqsh; touch /y/a /x/a", want: []string{pyxisImage, "'/x/a': Read-only file system"}},
		{name: "variables", options: file + " --container-env=WINS", command: "echo $LOSES $WINS $PASSES ${LANG-}",
			want: []string{"image host host\n"}},
		{name: "the image's folder", options: file, command: "pwd; echo $PWD",
			want: []string{"/workspace\n/workspace\n"}},
		{name: "another folder", options: file + " --container-workdir=/usr", command: "pwd", want: []string{"/usr\n"}},
		{name: "no such folder", options: file + " --container-workdir=/none", command: "true", fails: true,
			want: []string{e + "couldn't chdir to /none: No such file or directory\n" + failed}},
		{name: "writable", options: file + " --container-writable", command: "touch /a"},
		{name: "read-only", options: file + " --container-readonly", command: "touch /a", fails: true},
		{name: "home", options: file + " --container-mount-home", command: "ls -d $HOME/."},
		{name: "no image", options: "--container-workdir=/usr", command: "ls " + image, want: []string{
			"error: pyxis: ignoring --container-workdir because neither --container-image nor --container-name is",
		}},
		{name: "from a registry", options: "--container-image=nvidia/x:1", command: "pwd", want: []string{
			"pyxis: importing docker image: nvidia/x:1\n", "pyxis: imported docker image: nvidia/x:1\n", "/workspace\n",
		}},
		{name: "not in the registry", options: "--container-image=nvidia/y:1", fails: true, want: []string{
			e + "failed to import docker image: nvidia/y:1\n" + e + "printing enroot log file:\n",
			url + "y/manifests/1 returned error code: 404 Not Found\n" + failed,
		}},
		{name: "the registry fails", plan: "import=503:1", options: "--container-image=nvidia/x:1", fails: true,
			want: []string{url + "x/manifests/1 returned error code: 503 Service Unavailable\n" + failed}},
		{name: "no such file", options: "--container-image=/none.sqsh", fails: true, want: []string{
			e + "failed to create container filesystem for image: /none.sqsh\n" + e + "printing enroot log file:\n" +
				e + "    [ERROR] No such file or directory: /none.sqsh\n" + failed,
		}},
		{name: "no image in the file", options: "--container-image=/etc/passwd", fails: true,
			want: []string{e + "    [ERROR] Invalid image format: /etc/passwd\n" + failed}},
		{name: "no such source", options: file + " --container-mounts=/none:/x", fails: true, want: []string{
			e + "--container-mounts: source path does not exist: /none\n" +
				e + "couldn't create enroot start configuration script\n",
			e + "container was not started successfully by another task\n" + failed,
		}},
		{name: "made", options: file + " --container-name=n", command: "true"},
		{name: "found gone", plan: "race=1", options: file + " --container-name=n", fails: true, want: []string{
			e + "unable to open user namespace file: No such file or directory\n" +
				e + "couldn't get container namespaces\n" + failed,
		}},
		{name: "by name alone", options: "--container-name=n", command: "pwd", want: []string{"/workspace\n"}},
		{name: "locked", plan: "lock=1", options: "--container-name=n", fails: true,
			want: []string{e + "    [ERROR] Could not acquire rootfs lock\n"}},
		{name: "no such name", options: "--container-name=m", fails: true, want: []string{
			`a container with name "pyxis_m" does not exist, and --container-image is not set` + "\n",
		}},
		{name: "saved", options: "--container-name=n --container-save=" + l.Shared() + "/saved.sqsh", command: "true",
			want: []string{"pyxis: exported container pyxis_n to " + l.Shared() + "/saved.sqsh\n"}},
		{name: "read again", options: "--container-image=" + l.Shared() + "/saved.sqsh", command: "true"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) { c.try(t, l) })
	}
	if left := on(t, l, "gpu1", "ls", "/tmp/pyxis/data"); left != "pyxis_n" {
		t.Errorf("containers that are left: %s", left)
	}
}

func (c pyxisCase) try(t *testing.T, l *Lab) {
	args := append([]string{"srun"}, strings.Fields(c.options)...)
	cmd := l.Command(t.Context(), "", append(args, "sh", "-c", c.command)...)
	cmd.Env = append(cmd.Env, "PYXIS_STUB="+c.plan, "LOSES=host", "WINS=host", "PASSES=host", "LANG=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if (exitCode(t, err) != 0) != c.fails {
		t.Errorf("%v", err)
	}
	said := strings.SplitAfter(string(out), "\n")
	// What srun says of the end may come between two lines of a plugin.
	said = slices.DeleteFunc(said, func(line string) bool {
		return strings.HasPrefix(line, "srun: error: gpu1: task ")
	})
	for _, want := range c.want {
		if !strings.Contains(strings.Join(said, ""), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A program that is not in the container is what Slurm says of it.
func TestPyxisHidesTheHost(t *testing.T) {
	l, image := startPyxis(t)
	program := filepath.Join(l.Shared(), "program")
	out, err := l.Command(t.Context(), "", "srun", "--container-image="+image, program).CombinedOutput()
	if want := "execve(): " + program + ": No such file or directory"; exitCode(t, err) != 2 ||
		!strings.Contains(string(out), want) {
		t.Errorf("%v: no %q in %s", err, want, out)
	}
}

// A step that enters a container while another one makes it fails, as it would in an image that is half unpacked; one
// that comes later joins those that run in it.
func TestPyxisSharesContainers(t *testing.T) {
	l, image := startPyxis(t)
	const steps = `enter() { srun --overlap --container-image="$0" --container-name=n "$@"; }
enter sh -c 'echo in; sleep 3' &
sleep 0.5; enter echo in
sleep 1.5; enter --container-mounts=/var echo in
wait`
	cmd := l.Command(t.Context(), "", "salloc", "--quiet", "-N1", "bash", "-c", steps, image)
	cmd.Env = append(cmd.Env, "PYXIS_STUB=unpack=1:1")
	out, _ := cmd.CombinedOutput()
	if strings.Count("\n"+string(out), "\nin\n") != 2 {
		t.Errorf("want two steps that enter and one that fails:\n%s", out)
	}
	for _, want := range []string{
		"enroot-switchroot: failed to execute: /bin/sh: No such file or directory",
		"pyxis: ignoring --container-mounts when attaching to a running container",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
