package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/test/bench"
	"github.com/disagg/disagg/test/lab"
	"github.com/disagg/disagg/test/tool"
)

// What children are told in their environment; see the commands child and least.
const (
	dirVar   = "BENCH_DIR"
	holdVar  = "BENCH_HOLD"
	pollVar  = "BENCH_POLL"
	countVar = "BENCH_COUNT"
)

// shape is the size of a job.
type shape struct {
	gen, ctx           int // servers
	genNodes, ctxNodes int // of each
}

func (s shape) nodes() int { return s.gen*s.genNodes + s.ctx*s.ctxNodes }

// children is how many processes play the job's roles.
func (s shape) children() int { return s.nodes()*ranks + 2 }

// job is what is started of that size.
func (s shape) job() bench.Job {
	return bench.Job{
		Gen: s.gen, Ctx: s.ctx, GPUsPerNode: ranks, GenGPUs: s.genNodes * ranks, CtxGPUs: s.ctxNodes * ranks,
	}
}

const ranks = 4 // a node

// cluster is a lab with what a measure needs on it.
type cluster struct {
	*lab.Lab
	ctx   context.Context
	shape shape
	runs  int
}

func up(ctx context.Context, s shape) (*cluster, error) {
	o := lab.Defaults()
	o.Hosts, o.Accounting, o.Replace = s.nodes(), false, true
	l, err := lab.Up(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &cluster{Lab: l, ctx: ctx, shape: s}
	if err := c.equip(); err != nil {
		return nil, errors.Join(err, l.Down())
	}
	return c, nil
}

func (c *cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.Shared()}, elem...)...)
}

// equip puts the programs and their input where the hosts see them.
func (c *cluster) equip() error {
	if err := tool.Build(c.path("bin")); err != nil {
		return err
	}
	build := exec.CommandContext(c.ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", c.path(),
		"./test/bench/slurm/child", "./test/bench/slurm/least")
	build.Dir, build.Env = tool.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the children: %w: %s", err, out)
	}
	for name, text := range map[string]string{
		"recipe.yaml": bench.Recipe(c.path("child")), "case.yaml": c.shape.job().Case(), "profile.yaml": profile,
	} {
		if err := os.WriteFile(c.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const profile = "schema: 1\nname: bench\nmpi: none\n"

// try is one job under way.
type try struct {
	*cluster
	id  string
	dir string // where its children note what happens
	run string // disagg's run directory
}

func (c *cluster) newTry() (*try, error) {
	c.runs++
	t := &try{cluster: c, dir: c.path("notes", strconv.Itoa(c.runs)), run: c.path("runs", strconv.Itoa(c.runs))}
	return t, os.MkdirAll(t.dir, 0o755)
}

// disagg submits the job as a user does.
func (c *cluster) disagg(env ...string) (*try, error) {
	t, err := c.newTry()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(c.ctx, c.path("bin", "disagg-submit"), "run", "--detach", "--launcher", "slurm",
		"--recipe", c.path("recipe.yaml"),
		"--profile", c.path("profile.yaml"), "--run-dir", t.run, "--upload",
		"sqlite://"+c.path("results.db"), c.path("case.yaml"))
	cmd.Env = append(append(append(os.Environ(), c.Env()...), dirVar+"="+t.dir), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot submit: %w: %s", err, out)
	}
	var s protocol.Submission
	data, err := os.ReadFile(filepath.Join(t.run, "submission.json"))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	t.id = s.JobID
	return t, err
}

// script submits a batch script of the folder of this benchmark.
func (c *cluster) script(text string, env ...string) (*try, error) {
	t, err := c.newTry()
	if err != nil {
		return nil, err
	}
	cmd := c.Command(c.ctx, "", "sbatch", "--parsable", "--exclusive", "--nodes="+strconv.Itoa(c.shape.nodes()),
		"--output="+filepath.Join(t.dir, "out"), "--time=10")
	cmd.Stdin = strings.NewReader(text)
	s := c.shape
	cmd.Env = append(cmd.Env, dirVar+"="+t.dir, "CHILD="+c.path("child"), fmt.Sprintf("GEN=%d", s.gen),
		fmt.Sprintf("CTX=%d", s.ctx),
		fmt.Sprintf("GEN_NODES=%d", s.genNodes), fmt.Sprintf("CTX_NODES=%d", s.ctxNodes),
		fmt.Sprintf("RANKS=%d", ranks))
	cmd.Env = append(cmd.Env, env...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot submit: %w: %s", err, errOut.String())
	}
	t.id = strings.TrimSpace(string(out))
	return t, nil
}

// notes are the times of what children noted, in order of nobody.
func (t *try) notes(what string) (at map[string]time.Time, pids map[string]int) {
	at, pids = map[string]time.Time{}, map[string]int{}
	files, _ := filepath.Glob(filepath.Join(t.dir, what+".*"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		fields := strings.Fields(string(data))
		if err != nil || len(fields) != 2 || strings.HasSuffix(f, ".tmp") {
			continue
		}
		name := strings.TrimPrefix(filepath.Base(f), what+".")
		ns, _ := strconv.ParseInt(fields[0], 10, 64)
		at[name] = time.Unix(0, ns)
		pids[name], _ = strconv.Atoi(fields[1])
	}
	return at, pids
}

// lookEvery is how often the notes are read. They hold the times, so it may be seldom, and must be: whoever looks takes
// the machine from those that are measured.
const lookEvery = 50 * time.Millisecond

// await waits until so many children have noted something, and returns the time of the last of them.
func (t *try) await(what string, count int, bound time.Duration) (last time.Time, err error) {
	for deadline := time.Now().Add(bound); ; time.Sleep(lookEvery) {
		at, _ := t.notes(what)
		if len(at) >= count {
			for _, a := range at {
				if a.After(last) {
					last = a
				}
			}
			return last, nil
		}
		if time.Now().After(deadline) {
			return last, fmt.Errorf("job %s: %d of %d children %s within %v: see %s", t.id, len(at), count, what, bound,
				t.dir)
		}
	}
}

// released waits until the queue no longer has the job, and returns when that was.
func (t *try) released(bound time.Duration) (time.Time, error) {
	for deadline := time.Now().Add(bound); ; {
		out, err := t.Command(t.ctx, "", "squeue", "--noheader", "--jobs="+t.id).CombinedOutput()
		if len(bytes.TrimSpace(out)) == 0 || err != nil && bytes.Contains(out, []byte("Invalid job id")) {
			return time.Now(), nil
		}
		if time.Now().After(deadline) {
			return time.Now(), fmt.Errorf("job %s is still there after %v: %s", t.id, bound, out)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// cancel ends the job and waits until it is gone.
func (t *try) cancel() error {
	if out, err := t.Command(t.ctx, "", "scancel", t.id).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot cancel job %s: %w: %s", t.id, err, out)
	}
	_, err := t.released(time.Minute)
	return err
}

// began is when the batch script of a job started, as it tells its children.
func (t *try) began() (time.Time, error) {
	pattern := filepath.Join(t.dir, "began")
	data, err := os.ReadFile(pattern)
	if err != nil {
		return time.Time{}, err
	}
	s, err := strconv.ParseFloat(strings.TrimSpace(string(data)), 64)
	return time.UnixMicro(int64(s * 1e6)), err
}
