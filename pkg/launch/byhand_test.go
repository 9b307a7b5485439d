package launch

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler"
	"github.com/disagg/disagg/pkg/scheduler/fake"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
	"github.com/disagg/disagg/test/check"
)

var (
	gen   = roles.Role{Kind: roles.Gen}
	bench = roles.Hub().Role
)

// allocation plays Slurm for a shell inside an allocation of some nodes, and returns where that was asked for. A step
// prints its role and ends with code 4.
func allocation(t *testing.T, nodes int) string {
	t.Helper()
	dir := t.TempDir()
	pretend(t, "scontrol", fmt.Sprintf(`case "$*" in
"show config") echo "KillWait = 33 sec";;
*) printf 'JobId=7 JobName=x\n   EndTime=%s\n   NumNodes=%d NumCPUs=6\n   WorkDir=%s\n';;
esac`, time.Now().Add(2*time.Hour).Format("2006-01-02T15:04:05"), nodes, dir))
	pretend(t, "srun", `echo "srun starts $DISAGG_SERVING_TYPE"; exit 4`)
	t.Setenv("SLURM_JOB_ID", "7")
	return dir
}

// shell is a person's shell, in which one role is started.
func shell(t *testing.T, r roles.Role) (ByHand, *bytes.Buffer) {
	t.Helper()
	req := request(t)
	req.RunDir = ""
	var out bytes.Buffer
	b := ByHand{
		Request: req, Role: r, Scheduler: slurm.Slurm{}, Out: &out, Say: func(text string) { t.Log(text) },
	}
	return b, &out
}

// The first role that is started by hand makes the allocation's run, for as long as the allocation lasts; the next ones
// join it. Each ends with its step's code.
func TestByHand(t *testing.T) {
	dir := allocation(t, 9)
	var ids []string
	for _, r := range []roles.Role{gen, {Kind: roles.Ctx, Index: 1}} {
		b, out := shell(t, r)
		code, err := b.Run(t.Context())
		if code != 4 || err != nil || out.String() != "srun starts "+r.String()+"\n" {
			t.Errorf("%s: code %d, %v, %q", r, code, err, out)
		}
		p, err := rundir.ReadPlan(filepath.Join(dir, "runs", "allocation-7", "plan.json"))
		if err != nil {
			t.Fatal(err)
		}
		if !p.Policy.Interactive || p.Timeouts.Job.Std() < 110*time.Minute || p.Timeouts.Job.Std() > 2*time.Hour {
			t.Errorf("%+v, %v", p.Policy, p.Timeouts.Job)
		}
		ids = append(ids, p.ID)
	}
	if ids[0] != ids[1] {
		t.Errorf("two shells made two plans: %v", ids)
	}
}

// A role that the case does not have, and an allocation that is none, or too small, are refused.
func TestByHandFaults(t *testing.T) {
	tests := map[string]struct {
		role  roles.Role
		nodes int
		want  []string
	}{
		"no such role": {
			roles.Role{Kind: roles.Gen, Index: 5}, 9,
			[]string{"cannot start GEN_5: the case has no such role: it has GEN_0", "BENCHMARK"},
		},
		"too few nodes":     {gen, 1, []string{"the case needs ", "the allocation 7 has 1"}},
		"not an allocation": {gen, 0, []string{"cannot find allocation 7"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			allocation(t, tt.nodes)
			b, _ := shell(t, tt.role)
			_, err := b.Run(t.Context())
			fails(t, err, tt.want...)
		})
	}
	t.Setenv("SLURM_JOB_ID", "")
	b, _ := shell(t, gen)
	_, err := b.Run(t.Context())
	fails(t, err, "run salloc first")
}

// joining is a shell that joins what is in a request's run directory, where servers run, and what it says.
func joining(r Request, running ...string) (ByHand, *bytes.Buffer) {
	s := &fake.Scheduler{Running: map[string]bool{}}
	for _, step := range running {
		s.Running[step] = true
	}
	r.ByHand = true
	if r.Scheduler == nil {
		r.Scheduler = s
	}
	var said bytes.Buffer
	return ByHand{Request: r, Role: gen, Scheduler: s, Say: func(text string) { said.WriteString(text + "\n") }}, &said
}

// A second shell that asks for the same takes the plan that is there, whatever is left of the allocation's time and
// although the scheduler does not answer it. One that asks for something else is refused while a server runs, and told
// the difference; if none does, it plans anew beside, and says so.
func TestJoin(t *testing.T) {
	container := []string{"container: {image: good.sqsh}"}
	tests := map[string]struct {
		change func(*testing.T, *Request)
		differ []string // what is different; nil: it joins
	}{
		"the same": {func(*testing.T, *Request) {}, nil},
		"with less time": {
			func(_ *testing.T, r *Request) { r.Timeouts.Job = roles.Duration(90 * time.Minute) },
			nil,
		},
		"with hardly any time": {func(_ *testing.T, r *Request) { r.Timeouts.Job = 1 }, nil},
		"with another version": {func(_ *testing.T, r *Request) { r.Version = "other" }, nil},
		"with another comment": {
			func(t *testing.T, r *Request) { r.Case = edited(t, "metadata:", "# mine\nmetadata:") },
			nil,
		},
		"without the container": {
			func(t *testing.T, r *Request) { r.Profile = profileFile(t) },
			[]string{`cluster.container {"image":"good.sqsh"} -> none`},
		},
		"with another image": {
			func(t *testing.T, r *Request) { r.Profile = profileFile(t, "container: {image: bad.sqsh}") },
			[]string{"cluster.container.image good.sqsh -> bad.sqsh"},
		},
		"with another grace": {
			func(t *testing.T, r *Request) { r.Profile = profileFile(t, append(container, "kill_wait: 60s")...) },
			[]string{"cluster.kill_wait "},
		},
		"with another value": {
			func(_ *testing.T, r *Request) { r.Settings = []roles.Setting{{Key: "serve", Value: "mine"}} },
			[]string{"values.serve trtllm-serve -> mine"},
		},
		"with another partition": {
			func(_ *testing.T, r *Request) { r.Partition = "fast" },
			[]string{"cluster.partition "},
		},
		"with another size": {
			func(t *testing.T, r *Request) { r.Case = edited(t, "max_num_tokens: 128", "max_num_tokens: 64") },
			[]string{"case.worker_config.GEN.max_num_tokens 128 -> 64"},
		},
		"with a recipe": {
			func(_ *testing.T, r *Request) { r.Recipe = "trtllm-pytest" },
			[]string{"recipe.", " more"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := request(t)
			r.Timeouts.Job, r.Profile = roles.Duration(2*time.Hour), profileFile(t, container...)
			b, _ := joining(r)
			first, err := b.join(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			serving(t, first, "7.1")
			tt.change(t, &b.Request)
			alive, _ := joining(b.Request, "7.1")
			at, err := alive.join(t.Context())
			if tt.differ == nil {
				if err != nil || at.plan.ID != first.plan.ID || at.plan.Cluster.Container == nil {
					t.Errorf("%s, %v: want %s", at.plan.ID, err, first.plan.ID)
				}
				return
			}
			fails(t, err, append(tt.differ, "cannot start GEN_0: ", ", and CTX_0 of the run in ", " runs: stop ")...)
			alone, said := joining(b.Request)
			at, err = alone.join(t.Context())
			if err != nil || at.plan.ID == first.plan.ID || at.plan.RunDir != first.plan.RunDir+"-2" {
				t.Errorf("%s in %s, %v", at.plan.ID, at.plan.RunDir, err)
			}
			for _, want := range append(tt.differ, "planned again in "+first.plan.RunDir+"-2") {
				if !strings.Contains(said.String(), want) {
					t.Errorf("%s: want %q", said, want)
				}
			}
			if next, err := alone.join(t.Context()); err != nil || next.plan.ID != at.plan.ID {
				t.Errorf("the next shell does not join it: %s, %v", next.plan.ID, err)
			}
		})
	}
	r := request(t)
	b, _ := joining(r)
	if _, err := b.join(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Request.Recipe = "nope"
	_, err := b.join(t.Context())
	fails(t, err, "unknown recipe")
}

// edited is the request's case with one text in another's place.
func edited(t *testing.T, old, text string) string {
	t.Helper()
	name := request(t).Case
	data, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q: %v", name, old, err)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// serving makes a place one in which CTX_0 has published itself, as a step.
func serving(t *testing.T, at place, step string) {
	t.Helper()
	a := rundir.Dir(at.plan.RunDir).Attempt(at.attempt)
	if _, err := rundir.OpenAttempt(a, at.plan.Case.TestID); err != nil {
		t.Fatal(err)
	}
	err := rundir.Publish(a, protocol.Published{
		Task: roles.Task{Role: roles.Role{Kind: roles.Ctx}}, RunID: at.plan.RunID(at.attempt), Step: step,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// over gives the attempt of a place its verdict.
func over(t *testing.T, at place) {
	t.Helper()
	a := rundir.Dir(at.plan.RunDir).Attempt(at.attempt)
	err := a.Keep(protocol.Result{Schema: 1, Verdict: protocol.Passed, Kept: true}, nil)
	if err == nil {
		err = rundir.SetCurrent(rundir.Dir(at.plan.RunDir), at.attempt)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The next measurement is another attempt: on the servers that run, or a fresh one if none does. One with another load
// is a run of its own, on the same servers; a server that is started meanwhile is told nothing of that.
func TestJoinSession(t *testing.T) {
	b, _ := joining(request(t), "7.1")
	b.Role = bench
	first, err := b.join(t.Context())
	if err != nil || first.plan.Policy.Keep != plan.KeepAlways {
		t.Fatalf("keep %q, %v", first.plan.Policy.Keep, err)
	}
	home := rundir.Dir(first.plan.RunDir).Attempt(0)
	serving(t, first, "7.1")
	over(t, first)
	next, err := b.join(t.Context())
	a := rundir.Dir(next.plan.RunDir).Attempt(next.attempt)
	if err != nil || next.attempt != 1 || a.Home() != home {
		t.Fatalf("attempt %d of %s, %v", next.attempt, a.Home(), err)
	}
	if token, err := rundir.OpenAttempt(a, "t"); err != nil || token == "" {
		t.Errorf("it has no token: %v", err)
	}
	b.Request.Case = edited(t, "concurrency_list: 4 8 16", "concurrency_list: 32")
	server := b
	server.Role = gen
	if at, err := server.join(t.Context()); err != nil || at.plan.ID != first.plan.ID {
		t.Errorf("a server begins a run of its own: %v", err)
	}
	other, err := b.join(t.Context())
	a = rundir.Dir(other.plan.RunDir).Attempt(other.attempt)
	if err != nil || other.plan.ID == first.plan.ID || a.Home() != home {
		t.Errorf("%s of %s, %v", other.plan.RunDir, a.Home(), err)
	}
	over(t, other)
	alone, _ := joining(b.Request)
	last, err := alone.join(t.Context())
	a = rundir.Dir(last.plan.RunDir).Attempt(last.attempt)
	if err != nil || last.attempt != 1 || a.Continues() {
		t.Errorf("attempt %d continues %s, %v", last.attempt, a.Home(), err)
	}
}

// Of shells that start at once one makes the run, and all others join it.
func TestJoinAtOnce(t *testing.T) {
	b, _ := joining(request(t))
	const shells = 8
	plans, errs := make([]plan.Plan, shells), make([]error, shells)
	var all sync.WaitGroup
	for i := range shells {
		all.Go(func() {
			var at place
			at, errs[i] = b.join(context.Background())
			plans[i] = at.plan
		})
	}
	all.Wait()
	for i := range shells {
		if errs[i] != nil || plans[i].ID != plans[0].ID {
			t.Errorf("%s, %v: want %s", plans[i].ID, errs[i], plans[0].ID)
		}
	}
}

// A run directory that cannot be used, or whose plan cannot be read, is refused.
func TestJoinFaults(t *testing.T) {
	refused := func(change func(*Request), want string) {
		t.Helper()
		r := request(t)
		change(&r)
		b, _ := joining(r)
		_, err := b.join(t.Context())
		fails(t, err, want)
	}
	refused(func(r *Request) { r.RunDir = "/a\nb" }, "control character")
	refused(func(r *Request) {
		r.RunDir = t.TempDir()
		if err := os.WriteFile(rundir.Dir(r.RunDir).Plan(), []byte(`{"schema": 9}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}, "schema 9 is not supported")
	planted := t.TempDir()
	refused(func(r *Request) {
		r.RunDir = planted
		if err := os.Symlink("nowhere", rundir.Dir(r.RunDir).Plan()); err != nil {
			t.Fatal(err)
		}
	}, planted)
	refused(func(r *Request) { r.Checkout = "nope" }, "--trtllm-dir")
}

// The attempt that is under way is the first that has no verdict.
func TestFirstOpen(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	for want := range 3 {
		if got := firstOpen(d); got != want {
			t.Errorf("attempt %d: want %d", got, want)
		}
		r := protocol.Result{Schema: 1, Verdict: protocol.Failed, ExitCode: 1}
		if err := d.Attempt(want).Keep(r, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// The next benchmark that is started by hand, after a verdict, begins another attempt.
func TestByHandAgain(t *testing.T) {
	dir := rundir.Dir(filepath.Join(allocation(t, 9), "runs", "allocation-7"))
	for attempt := range 2 {
		b, _ := shell(t, bench)
		if code, err := b.Run(t.Context()); code != 4 || err != nil {
			t.Errorf("code %d, %v", code, err)
		}
		r, err := rundir.ReadResult(dir.Attempt(attempt))
		if err != nil || !strings.HasSuffix(r.RunID, fmt.Sprintf("-%d", attempt)) || r.JobID != "7" {
			t.Errorf("%s of job %s, %v", r.RunID, r.JobID, err)
		}
	}
}

// starting is a person's shell that really starts a role.
func starting(b ByHand, r roles.Role) ByHand {
	b.starts, b.Role = true, r
	return b
}

// publish makes a rank of a place one that runs as a step.
func publish(t *testing.T, at place, r roles.Role, step string) {
	t.Helper()
	a := rundir.Dir(at.plan.RunDir).Attempt(at.attempt)
	_, err := rundir.OpenAttempt(a, at.plan.Case.TestID)
	if err == nil {
		err = rundir.Publish(a, protocol.Published{
			Task: roles.Task{Role: r}, RunID: at.plan.RunID(at.attempt), Step: step, Hub: "127.0.0.1:1",
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// endingSteps is a scheduler whose steps all run until some time.
type endingSteps struct {
	scheduler.Scheduler
	until time.Time
}

func (e endingSteps) StepRuns(context.Context, string) (bool, error) {
	return time.Now().Before(e.until), nil
}

// What runs is not started a second time, whoever asks: only looked at. A step that is about to end is waited for.
func TestStartTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		role roles.Role
		all  bool
		ends bool
		want []string // nil: it is started
	}{
		"a server":            {gen, false, false, []string{"cannot start GEN_0: it runs already", "restart "}},
		"the benchmark":       {bench, false, false, []string{"cannot start BENCHMARK: it runs already", "wait until"}},
		"all":                 {bench, true, false, []string{"cannot start ", " runs already, in "}},
		"another server":      {roles.Role{Kind: roles.Ctx}, false, false, nil},
		"one that is ending":  {gen, false, true, nil},
		"a benchmark's pause": {bench, false, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := joining(request(t), "7.1", "7.2")
			first, err := b.join(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			publish(t, first, gen, "7.1")
			publish(t, first, bench, "7.2")
			if at, err := b.join(t.Context()); err != nil || at.plan.ID != first.plan.ID {
				t.Errorf("it cannot be looked at: %v", err)
			}
			synctest.Test(t, func(t *testing.T) {
				b = starting(b, tt.role)
				b.All = tt.all
				if tt.ends {
					b.Scheduler = endingSteps{b.Scheduler, time.Now().Add(time.Second)}
				}
				at, err := b.join(t.Context())
				if tt.want != nil {
					fails(t, err, tt.want...)
				} else if err != nil || at.plan.ID != first.plan.ID {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// An attempt whose hub is gone without a verdict gets one, and the next benchmark begins another; a server that is
// started does not.
func TestHubIsGone(t *testing.T) {
	for name, tt := range map[string]struct {
		role    roles.Role
		hub     bool // was there
		attempt int
	}{
		"the benchmark": {bench, true, 1}, "a server": {gen, true, 0}, "before the hub": {bench, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := joining(request(t), "7.1")
			first, err := b.join(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			serving(t, first, "7.1")
			a := rundir.Dir(first.plan.RunDir).Attempt(0)
			if tt.hub {
				publish(t, first, bench, "7.2")
				check.WriteJSON(t, a.State(), protocol.State{Schema: 1, Phase: protocol.Measuring})
			}
			at, err := starting(b, tt.role).join(t.Context())
			if err != nil || at.attempt != tt.attempt {
				t.Errorf("attempt %d, %v", at.attempt, err)
			}
			r, err := rundir.ReadResult(a)
			if tt.attempt > 0 && (err != nil || r.FirstCause == nil || r.FirstCause.Kind != protocol.HubLost) {
				t.Errorf("%+v, %v", r.FirstCause, err)
			}
			if tt.attempt == 0 && err == nil {
				t.Errorf("it has the verdict %s", r.Verdict)
			}
		})
	}
}
