// Package hostile runs whole jobs in surroundings that mean harm, or are worn out: strangers on every port, files made
// to harm, planted links, full disks, small limits. Each job ends with a clear line and the right exit code, keeps its
// verdict and its points where any place can still be written, and leaves nothing running.
//
// Rules: the programs are those that are shipped, started as users start them. What needs a mount name space or another
// user is skipped, with the reason, where this process may not have one.
package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/test/check"
)

var bin string // folder of the programs, set once before any test

func TestMain(m *testing.M) {
	keepInherited()
	if len(os.Args) > 3 && os.Args[1] == measuring {
		os.Exit(measure(os.Args[2], os.Args[3:]))
	}
	check.Programs(m, &bin)
}

// keepInherited keeps what files the tests were started with to themselves: a lock of whoever runs them, say, would
// count among the few that a program may have open.
func keepInherited() {
	const first = 3 // behind stdin, stdout and stderr
	for fd := range 1024 - first {
		syscall.CloseOnExec(first + fd) // of one that is not open it does nothing
	}
}

// light is a recipe of shells: nothing has to load. The benchmark writes its result at once, and waits for a file if it
// is told to.
const light = `schema: 1
name: light
about: shells that play the roles
values: {hold: ""}
roles:
  GEN: &worker {tasks: gpu, command: [sh, -c, 'exec sleep 600'], stop: {signal: TERM, to: group, grace: 1s}}
  CTX: *worker
  DISAGG_SERVER: {tasks: one, command: [sh, -c, 'exec sleep 600'], stop: {signal: TERM, to: group, grace: 1s}}
  BENCHMARK:
    tasks: one
    needs: {ready: [GEN, CTX, DISAGG_SERVER]}
    command:
    - sh
    - -ec
    - |
      echo '{"successful_requests": 1, "metrics": {"token_throughput": 5}}' >client.0.json
      while [ -n "$1" ] && [ ! -e "$1" ]; do sleep 0.02; done
    - sh
    - '{{.Values.hold}}'
    stop: {signal: TERM, to: group, grace: 1s}
    results: {format: json, files: '{{joinpath .Dirs.Work "client.{index}.json"}}'}
`

const goodCase = `metadata: {model_name: none}
slurm: {job_time: 00:10:00}
benchmark: {mode: e2e, concurrency_list: 1, input_length: 1, output_length: 1}
hardware: {gpus_per_node: 2, num_ctx_servers: 1, num_gen_servers: 1}
worker_config:
  gen: {tensor_parallel_size: 2}
  ctx: {tensor_parallel_size: 1}
`

// place is where one job runs: a folder that every user can enter.
type place struct {
	t    *testing.T
	dir  string
	user uint32   // 0: this one
	wrap []string // before the command, such as a limit
	hold string   // the benchmark ends once this file is there; "": at once
	off  string   // the preflight checks that are left out
	more string   // lines of the profile
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "disagg-hostile-")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: dir, off: "gpus, gpu_processes"}
	p.must(os.Chmod(dir, 0o755))
	for _, name := range []string{"tmp", "data", "runs"} {
		p.must(os.Mkdir(p.path(name), 0o755))
	}
	p.write("light.yaml", light)
	p.write("case.yaml", goodCase)
	t.Cleanup(func() {
		p.nothingIsLeft()
		p.must(os.RemoveAll(dir))
	})
	return p
}

// as lets the job be another user's, who has the folders that users have.
func (p *place) as(user uint32) {
	p.t.Helper()
	p.user = user
	for _, name := range []string{"tmp", "data", "runs"} {
		p.must(os.Chown(p.path(name), int(user), int(user)))
	}
}

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) run() rundir.Dir { return rundir.Dir(p.path("runs/run")) }

func (p *place) write(name, text string) {
	p.t.Helper()
	p.must(os.WriteFile(p.path(name), []byte(text), 0o644))
}

// outcome is how a command ended.
type outcome struct {
	code   int
	stdout string
	stderr string
	took   time.Duration
}

// command is one of the programs, in the surroundings of the place.
func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	p.write("profile.yaml", "schema: 1\nname: hostile\npreflight: {off: ["+p.off+"]}\n"+p.more)
	args[0] = filepath.Join(bin, args[0])
	args = append(append([]string{}, p.wrap...), args...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.WaitDelay = p.dir, time.Second
	cmd.Env = append(os.Environ(), "TMPDIR="+p.path("tmp"), "XDG_DATA_HOME="+p.path("data"), "HOST_DIR="+p.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if p.user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.user, Gid: p.user}}
	}
	return cmd
}

// runArgs is the command line of a job.
func (p *place) runArgs(more ...string) []string {
	args := []string{
		"disagg-submit", "run", "--launcher", "local", "--profile", "profile.yaml", "--recipe", "light.yaml",
		"--run-dir", string(p.run()), "--set", "hold=" + p.hold,
	}
	if len(more) == 0 {
		more = []string{"case.yaml"}
	}
	return append(args, more...)
}

// see sees a command through.
func (p *place) see(args ...string) outcome {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*check.Bound)
	defer cancel()
	return finish(p.command(ctx, args...))
}

func finish(cmd *exec.Cmd) outcome {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begun := time.Now()
	err := cmd.Run()
	o := outcome{code: -1, stdout: stdout.String(), stderr: stderr.String(), took: time.Since(begun)}
	if cmd.ProcessState == nil {
		o.stderr += err.Error()
		return o
	}
	o.code = cmd.ProcessState.ExitCode()
	return o
}

// begin starts a job in the background, and waits until its benchmark runs. The result waits for its end.
func (p *place) begin() func() outcome {
	p.t.Helper()
	p.hold = p.path("hold")
	ended := make(chan outcome, 1)
	cmd := p.command(p.t.Context(), p.runArgs()...)
	go func() { ended <- finish(cmd) }()
	check.Eventually(p.t, "the benchmark has its result", func() bool {
		files, _ := filepath.Glob(p.run().Attempt(0).Records() + "/*.json")
		return len(files) == 1
	})
	return func() outcome {
		p.t.Helper()
		p.must(os.WriteFile(p.hold, nil, 0o644))
		select {
		case o := <-ended:
			return o
		case <-time.After(check.Bound):
			p.t.Fatal("the job does not end")
			return outcome{}
		}
	}
}

// passes checks that a job has passed, with its point.
func (p *place) passes(o outcome) {
	p.t.Helper()
	r, err := rundir.ReadResult(p.run().Attempt(0))
	if o.code != 0 || err != nil || r.Verdict != protocol.Passed || len(r.Points) != 1 || r.Lost != "" {
		p.t.Errorf("code %d, %v, %+v\n%s%s", o.code, err, r, o.stdout, o.stderr)
	}
}

// oneLine checks that a command was refused in one line that says something.
func (o outcome) oneLine(t *testing.T, code int, want string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.stderr, want) || strings.Count(o.stderr, "\n") != 1 ||
		len(o.stderr) > 1200 {
		t.Errorf("code %d, want %d: %q in\n%.2000s", o.code, code, want, o.stderr)
	}
}

// kept is the verdict, in the run directory or where it was kept in its place.
func (p *place) kept() (r protocol.Result, ok bool) {
	p.t.Helper()
	if r, err := rundir.ReadResult(p.run().Attempt(0)); err == nil {
		return r, true
	}
	files, _ := filepath.Glob(p.path("tmp/disagg-verdict-*"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil && json.Unmarshal(data, &r) == nil {
			return r, true
		}
	}
	return r, false
}

// nothingIsLeft checks that no process of the place's jobs is left: all have its folder in their environment.
func (p *place) nothingIsLeft() {
	p.t.Helper()
	check.Eventually(p.t, "no process is left: "+strings.Join(p.processes(), ", "), func() bool {
		return len(p.processes()) == 0
	})
}

// processes lists the processes of the place's jobs.
func (p *place) processes() (list []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		if env, err := os.ReadFile(f); err == nil && bytes.Contains(env, []byte("HOST_DIR="+p.dir+"\x00")) {
			list = append(list, filepath.Base(filepath.Dir(f)))
		}
	}
	return list
}

// needsRoot skips a test that needs to be another user, or to have a mount name space.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user, or mount")
	}
}

// needsMounts skips a test that needs a mount name space.
func needsMounts(t *testing.T) {
	t.Helper()
	needsRoot(t)
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skipf("no mount name space can be had here: %v", err)
	}
}
