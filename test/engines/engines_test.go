// Package engines runs whole jobs of the recipes sglang and vllm on this machine. The routers are the engines' own, and
// so are the client and everything of the tool; the servers, which need GPUs, are played by test/engines/stubs.
//
// Rules: a test is skipped, with the reason, where the routers are not installed. Every job has ports of its own.
package engines

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/check"
	"github.com/disagg/disagg/test/tool"
)

var bin string // folder of the programs, set once before any test

func TestMain(m *testing.M) { check.Programs(m, &bin) }

// engine is one of the engines.
type engine struct {
	name   string
	router string   // its module
	ports  []string // values of the recipe that are ports
	server string   // what a server's command line has and no other
	decode string   // how a decode server begins the line for a request
}

var all = []engine{
	{
		name: "sglang", router: "sglang_router.launch_router", server: "sglang.launch_server", decode: "decode for ",
		ports: []string{"port", "metrics_port", "gen_port", "ctx_port", "bootstrap_port", "dist_port"},
	},
	{
		name: "vllm", router: "vllm_router.launch_router", server: "vllm\x00serve", decode: "decode of ",
		ports: []string{
			"port", "metrics_port", "gen_port", "ctx_port", "gen_nixl_port", "ctx_nixl_port", "master_port",
		},
	},
}

// job is a job that goes on.
type job struct {
	t       *testing.T
	runDir  string
	router  string // host:port of it
	command *exec.Cmd
	output  strings.Builder
}

// start starts the example of an engine, changed.
func (e engine) start(t *testing.T, change func(string) string) *job {
	t.Helper()
	venv := filepath.Join(tool.Root(), ".venv-engines", "bin")
	if err := exec.Command(filepath.Join(venv, "python3"), "-c", "import yaml, "+e.router).Run(); err != nil {
		t.Skipf("the router of %s is not installed: run test/engines/install", e.name)
	}
	dir := t.TempDir()
	example := e.name + "_tiny_con4_ctx1_tp1_gen1_dep4.yaml"
	text, err := os.ReadFile(filepath.Join(tool.Root(), "examples", "cases", example))
	if err != nil {
		t.Fatal(err)
	}
	stubs := filepath.Join(tool.Root(), "test", "engines", "stubs")
	for name, text := range map[string]string{
		"tiny.yaml": change(string(text)),
		"profile.yaml": fmt.Sprintf(`{schema: 1, name: stubs, interface: lo, preflight: {off: [all]}, env: {
  PATH: '%s:%s:{{.Env "PATH"}}', PYTHONPATH: '%s', PYTHONDONTWRITEBYTECODE: "1", STUB_LOAD_SECONDS: "%d"}}`,
			venv, stubs, stubs, loads/time.Second),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	j := &job{t: t, runDir: filepath.Join(dir, "run")}
	args := []string{
		"run", "--launcher", "local", "--recipe", e.name, "--profile", "profile.yaml", "--run-dir", j.runDir,
	}
	ports := freePorts(len(e.ports))
	j.router = fmt.Sprintf("127.0.0.1:%d", ports[0])
	for i, port := range ports {
		args = append(args, "--set", fmt.Sprintf("%s=%d", e.ports[i], port))
	}
	j.command = exec.Command(filepath.Join(bin, "disagg-submit"), append(args, "tiny.yaml")...)
	j.command.Dir, j.command.Env = dir, append(os.Environ(), "XDG_DATA_HOME="+dir)
	j.command.Stdout, j.command.Stderr = &j.output, &j.output
	if err := j.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if j.command.ProcessState == nil { // the test has failed
			_ = j.command.Process.Signal(syscall.SIGTERM)
			_ = j.command.Wait()
		}
	})
	return j
}

// loads is how long a server loads.
const loads = time.Second

// freePorts lists ports of this machine that nobody listens on. The system gives none of them to a connection: it takes
// higher ones.
func freePorts(n int) (ports []int) {
	for len(ports) < n {
		port := 10_000 + rand.IntN(20_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close() // all at once, so that no port is found twice
		ports = append(ports, port)
	}
	return ports
}

// result waits for the end of the job.
func (j *job) result() (r protocol.Result) {
	j.t.Helper()
	if err := j.command.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			j.t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(j.runDir, "current", "result.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		j.t.Fatalf("%v\n%s", err, &j.output)
	}
	return r
}

// read is the content of a file of the attempt, "" if there is none.
func (j *job) read(path ...string) string {
	data, _ := os.ReadFile(filepath.Join(j.runDir, "current", filepath.Join(path...)))
	return string(data)
}

// child is the process that the agent of a rank runs.
func (j *job) child(rank, commandLine string) int {
	j.t.Helper()
	var agent protocol.Published
	if err := json.Unmarshal([]byte(j.read("agents", rank+".json")), &agent); err != nil {
		j.t.Fatal(err)
	}
	for _, pid := range check.ChildrenOf(agent.PID) {
		if args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(args), commandLine) {
			return pid
		}
	}
	j.t.Fatalf("%s runs no %q", rank, commandLine)
	return 0
}

// stream begins a stream that lasts for long, and returns its status and the rest of it once its first line has come.
func (j *job) stream() (status int, rest io.Reader) {
	j.t.Helper()
	resp, err := http.Post("http://"+j.router+"/v1/completions", "application/json",
		strings.NewReader(`{"model": "tiny", "prompt": "one two", "stream": true, "max_tokens": 8000}`))
	if err != nil {
		j.t.Fatal(err)
	}
	j.t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewReader(resp.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		j.t.Fatal(err)
	}
	return resp.StatusCode, lines
}

func asItIs(text string) string { return text }

// A job passes with the engine's own router: it is ready only once the servers are, and every request went through a
// prefill server to a decode server, which fetched what the other had kept for it.
func TestPassed(t *testing.T) {
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			j := e.start(t, asItIs)
			r := j.result()
			if r.Verdict != protocol.Passed || len(r.Points) != 2 {
				t.Fatalf("%s with %d points: %v\n%s", r.Verdict, len(r.Points), r.FirstCause, &j.output)
			}
			if r.Phases.Ready < loads.Seconds() {
				t.Errorf("ready after %.1f s, but loading takes %v", r.Phases.Ready, loads)
			}
			asked := r.Points[0].Successful + r.Points[1].Successful + 1 // and the probe's
			if got := strings.Count(j.read("logs", "gen_server_0.log"), e.decode); got != asked || asked != 4*(4+8)+1 {
				t.Errorf("the decode server had %d requests, want %d", got, asked)
			}
			t.Logf("ready after %.1f s, %v", r.Phases.Ready, r.Points[1].Metrics)
		})
	}
}

// A server that has more GPUs than a node has runs one process a node, and they meet where the first one is.
func TestSeveralNodes(t *testing.T) {
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			j := e.start(t, func(text string) string { return strings.ReplaceAll(text, "_size: 4", "_size: 8") })
			r := j.result()
			if r.Verdict != protocol.Passed || len(r.Roles) != 5 {
				t.Fatalf("%s with %d ranks: %v\n%s", r.Verdict, len(r.Roles), r.FirstCause, &j.output)
			}
			config := j.read("work", "GEN_0.1", "engine.yaml")
			if !strings.Contains(config, "nnodes: 2\nnode-rank: 1\n") {
				t.Errorf("the second node's process has the options\n%s", config)
			}
		})
	}
}

// A server that dies while the benchmark runs is named at once. The router does not tell: a client sees status 200, and
// a stream that ends.
func TestServerIsKilled(t *testing.T) {
	for _, e := range all {
		for _, role := range []string{"GEN_0", "CTX_0"} {
			t.Run(e.name+" "+role, func(t *testing.T) {
				j := e.start(t, func(text string) string {
					return strings.Replace(text, "output_length: 16", "output_length: 2000", 1)
				})
				check.Eventually(t, "the benchmark's requests are decoded", func() bool {
					return strings.Count(j.read("logs", "gen_server_0.log"), e.decode) > 1
				})
				status, stream := j.stream()
				killed := time.Now()
				if err := syscall.Kill(j.child(role+".0", e.server), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				r := j.result()
				took := time.Since(killed)
				if r.FirstCause == nil || r.Verdict != protocol.Failed || took > 5*time.Second ||
					r.FirstCause.Task().String() != role+".0" || r.FirstCause.Kind != protocol.ChildSignal {
					t.Errorf("%s after %v: %v", r.Verdict, took, r.FirstCause)
				}
				if rest, _ := io.ReadAll(stream); status != http.StatusOK || strings.Contains(string(rest), "[DONE]") {
					t.Errorf("a client saw status %d, and a whole stream", status)
				}
				t.Logf("over after %v: %v", took.Round(time.Millisecond), r.FirstCause)
			})
		}
	}
}
