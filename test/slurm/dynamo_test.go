package slurm

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/tool"
)

const dynamoCase = "dynamo_tiny_con4_ctx2_tp1_gen1_tp1" // coordinator and decode on gpu1, prefill on gpu2 and gpu3

// dynamo is a cluster with NVIDIA Dynamo on it.
type dynamo struct {
	*cluster
	flags []string
}

func startDynamo(t *testing.T) dynamo {
	t.Helper()
	venv := filepath.Join(tool.Root(), ".venv-engines")
	if _, err := os.Stat(filepath.Join(venv, "model", "config.json")); err != nil {
		t.Skip("the real engines are not installed: run test/engines/install")
	}
	if strings.HasPrefix(venv, "/tmp/") {
		t.Skip("the lab's hosts have a /tmp of their own, and do not see the engines in this one")
	}
	d := dynamo{cluster: start(t, standard(false))}
	models := filepath.Join(d.Shared(), "models")
	if err := os.CopyFS(filepath.Join(models, "tiny"), os.DirFS(filepath.Join(venv, "model"))); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(d.Shared(), "dynamo.yaml")
	text := fmt.Sprintf("schema: 1\nname: dynamo\nmodels_root: %s\nvalues: {python: %s}\npreflight: {off: [gpus, "+
		"gpu_processes]}\n", models, filepath.Join(venv, "bin", "python3"))
	if err := os.WriteFile(profile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d.flags = []string{"--recipe", "dynamo", "--profile", profile}
	return d
}

// run submits the case, changed.
func (d dynamo) run(t *testing.T, change func(string) string, flags ...string) *job {
	t.Helper()
	text, err := os.ReadFile(d.caseFile(dynamoCase))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ReplaceAll(t.Name(), "/", "_")
	if err := os.WriteFile(d.caseFile(name), []byte(change(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	return d.submitted(t, filepath.Join(d.Shared(), name), name, append(d.flags, flags...), nil)
}

func (j *job) awaitPhase(p protocol.Phase) {
	j.t.Helper()
	j.await("the phase "+string(p), func() bool {
		data, _ := os.ReadFile(filepath.Join(j.runDir, "current", "state.json"))
		return strings.Contains(string(data), `"phase": "`+string(p)+`"`)
	})
}

func (j *job) awaitVerdict() {
	j.t.Helper()
	j.await("there is a verdict", func() bool {
		_, err := os.Stat(filepath.Join(j.runDir, "current", "result.json"))
		return err == nil
	})
}

// clientLog is what the load has printed for the first point.
func (j *job) clientLog() string {
	data, _ := os.ReadFile(filepath.Join(j.runDir, "current", "work", "BENCHMARK.0", "client.0.log"))
	return string(data)
}

func asItIs(text string) string { return text }

// long makes streams that last for ten seconds and more.
func long(text string) string {
	return strings.Replace(text, "output_length: 16", "output_length: 2000", 1)
}

// TestDynamo runs the recipe dynamo: a real frontend, real discovery, real streams; only the work of the GPUs is
// mocked.
func TestDynamo(t *testing.T) {
	d := startDynamo(t)
	t.Run("passed", func(t *testing.T) { dynamoPasses(t, d) })
	t.Run("decode is killed", func(t *testing.T) { dynamoLosesDecode(t, d) })
	t.Run("the frontend drains", func(t *testing.T) { dynamoDrains(t, d) })
}

// Both kinds of worker served, and nobody was called ready before there was a real answer: the model is listed while it
// still loads.
func dynamoPasses(t *testing.T, d dynamo) {
	const loads = 3 * time.Second
	j := d.run(t, asItIs, "--set",
		"worker_args=--block-size 16 --max-model-len 8192 --kv-bytes-per-token 64 --startup-time 3")
	j.awaitVerdict()
	d.nothingLeft(t)
	r := readResult(t, j.runDir)
	if r.Verdict != protocol.Passed || len(r.Points) != 2 {
		t.Fatalf("%s with %d points: %v", r.Verdict, len(r.Points), r.FirstCause)
	}
	if r.Phases.Ready < loads.Seconds() {
		t.Errorf("ready after %.1f s, but loading takes %v", r.Phases.Ready, loads)
	}
	if ttft := r.Points[0].Metrics["mean_ttft"]; ttft > 1000 {
		t.Errorf("the first requests waited %.0f ms: the engine was not ready", ttft)
	}
	var client struct {
		ServedBy map[string][]string `json:"served_by"`
	}
	mustDecode(t, []byte(j.clientLog()), &client)
	for kind, want := range map[string]int{"prefill": 2, "decode": 1} {
		if got := client.ServedBy[kind]; len(got) != want {
			t.Errorf("served by %s workers %q, want %d of them", kind, got, want)
		}
	}
	if steps := d.steps(t, r.JobID); steps["job"] != "COMPLETED 0:0" {
		t.Errorf("sacct says %v", steps)
	}
	t.Logf("phases: %+v", r.Phases)
}

// Clients of a decode worker that dies in mid-stream see status 200, and then an error in the stream.
func dynamoLosesDecode(t *testing.T, d dynamo) {
	j := d.run(t, long)
	j.awaitPhase(protocol.Measuring)
	status, stream := d.stream(t, j)
	killed := time.Now()
	j.kill9(j.onlyChild("GEN_0"))
	j.awaitVerdict()
	took := time.Since(killed)
	r := readResult(t, j.runDir)
	const killedIt = "GEN_0.0 on gpu1: killed by SIGKILL" // and what its log says last
	if r.FirstCause == nil || !strings.HasPrefix(r.FirstCause.String(), killedIt) || took > bound(6*time.Second) {
		t.Errorf("%s after %v: %v", r.Verdict, took, r.FirstCause)
	}
	if rest, _ := io.ReadAll(stream); status != http.StatusOK || !strings.Contains(string(rest), "error") {
		t.Errorf("the client saw status %d, and then %q", status, rest)
	}
	d.nothingLeft(t)
	t.Logf("over after %v", took.Round(time.Millisecond))
}

// A frontend drains for as long as somebody reads a stream from it, whatever it is told. The end of the stop budget
// ends that.
func dynamoDrains(t *testing.T, d dynamo) {
	j := d.run(t, long)
	j.awaitPhase(protocol.Measuring)
	d.stream(t, j) // somebody else reads, too
	stopped := time.Now()
	j.scancel("--signal=TERM", j.step("BENCHMARK"))
	j.awaitVerdict()
	took := time.Since(stopped)
	r := readResult(t, j.runDir)
	killed := false
	for _, o := range r.Roles {
		killed = killed || o.Role.String() == "DISAGG_SERVER" && o.Outcome != nil && o.Outcome.Signal == "SIGKILL"
	}
	if r.Verdict != protocol.Cancelled || !killed || took > killWait {
		t.Errorf("%s after %v, the frontend killed: %v; %v", r.Verdict, took, killed, r.FirstCause)
	}
	d.nothingLeft(t)
	t.Logf("over after %v", took.Round(time.Millisecond))
}

// stream begins a stream that lasts for long, and returns its status and the rest of it once its first line has come.
func (d dynamo) stream(t *testing.T, j *job) (status int, rest io.Reader) {
	t.Helper()
	body := `{"model": "tiny", "prompt": [1000, 1001], "stream": true, "max_tokens": 8000, "ignore_eos": true}`
	resp, err := http.Post("http://"+d.serviceOf(j, "DISAGG_SERVER")+"/v1/completions", "application/json",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewReader(resp.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, lines
}

// serviceOf is the address of a role's service.
func (d dynamo) serviceOf(j *job, role string) string {
	var s protocol.State
	data, err := os.ReadFile(filepath.Join(j.runDir, "current", "state.json"))
	if err != nil {
		j.t.Fatal(err)
	}
	mustDecode(j.t, data, &s)
	for _, r := range s.Roles {
		if r.Role.String() == role {
			return r.Address
		}
	}
	j.t.Fatalf("no address of %s", role)
	return ""
}
