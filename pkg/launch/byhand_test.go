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
	"time"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
	"github.com/disagg/disagg/pkg/scheduler/fake"
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
	return ByHand{Request: req, Role: r, Out: &out, Say: func(text string) { t.Log(text) }}, &out
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
	fails(t, err, "begin with salloc")
}

// A second shell that asks for the same takes the plan that is there, whatever is left of the allocation's time and
// although the scheduler does not answer it. One that asks for something else is refused, and told the difference: what
// the first shell chose would not hold for it.
func TestJoin(t *testing.T) {
	container := []string{"container: {image: good.sqsh}"}
	tests := map[string]struct {
		change func(*testing.T, *Request)
		want   []string // of the refusal; nil: it joins
	}{
		"the same": {func(*testing.T, *Request) {}, nil},
		"with less time": {
			func(_ *testing.T, r *Request) { r.Timeouts.Job = roles.Duration(90 * time.Minute) },
			nil,
		},
		"with hardly any time":  {func(_ *testing.T, r *Request) { r.Timeouts.Job = 1 }, nil},
		"without the scheduler": {func(_ *testing.T, r *Request) { r.Scheduler = &fake.Scheduler{} }, nil},
		"with another version":  {func(_ *testing.T, r *Request) { r.Version = "other" }, nil},
		"without the container": {
			func(t *testing.T, r *Request) { r.Profile = profileFile(t) },
			[]string{"asks for another cluster.container: give the same options, or another --run-dir"},
		},
		"with another image": {
			func(t *testing.T, r *Request) { r.Profile = profileFile(t, "container: {image: bad.sqsh}") },
			[]string{"another cluster.container.image:"},
		},
		"with another grace": {
			func(t *testing.T, r *Request) { r.Profile = profileFile(t, append(container, "kill_wait: 60s")...) },
			[]string{"another cluster.kill_wait:"},
		},
		"with another value": {
			func(_ *testing.T, r *Request) { r.Values = map[string]string{"serve": "mine"} },
			[]string{"another values.serve:"},
		},
		"with another partition": {
			func(_ *testing.T, r *Request) { r.Partition = "fast" },
			[]string{"another cluster.partition:"},
		},
		"with a recipe": {
			func(_ *testing.T, r *Request) { r.Recipe = "trtllm-pytest" },
			[]string{"another recipe.", " more: "},
		},
		"with what is no request": {func(_ *testing.T, r *Request) { r.Recipe = "nope" }, []string{"unknown recipe"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := request(t)
			r.ByHand, r.Timeouts.Job = true, roles.Duration(2*time.Hour)
			r.Profile = profileFile(t, container...)
			first, err := r.join(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.change(t, &r)
			p, err := r.join(t.Context())
			if tt.want != nil {
				fails(t, err, tt.want...)
				return
			}
			if err != nil || p.ID != first.ID || p.Cluster.Container == nil {
				t.Errorf("%s, %v: want %s", p.ID, err, first.ID)
			}
		})
	}
}

// Of shells that start at once one makes the run, and all others join it.
func TestJoinAtOnce(t *testing.T) {
	r := request(t)
	const shells = 8
	plans, errs := make([]plan.Plan, shells), make([]error, shells)
	var all sync.WaitGroup
	for i := range shells {
		all.Go(func() { plans[i], errs[i] = r.join(context.Background()) })
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
	r := request(t)
	r.RunDir = "/a\nb"
	_, err := r.join(t.Context())
	fails(t, err, "control character")
	r = request(t)
	r.RunDir = t.TempDir()
	if err := os.WriteFile(rundir.Dir(r.RunDir).Plan(), []byte(`{"schema": 9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = r.join(t.Context())
	fails(t, err, "schema 9 is not supported")
	r = request(t)
	r.RunDir = t.TempDir()
	if err := os.Symlink("nowhere", rundir.Dir(r.RunDir).Plan()); err != nil {
		t.Fatal(err)
	}
	_, err = r.join(t.Context())
	fails(t, err, r.RunDir)
	r = request(t)
	r.Checkout = "nope"
	_, err = r.join(t.Context())
	fails(t, err, "--trtllm-dir")
}

// The attempt that is under way is the first that has no verdict.
func TestFirstOpen(t *testing.T) {
	d := rundir.Dir(t.TempDir())
	for want := range 3 {
		if got := firstOpen(d); got != want {
			t.Errorf("attempt %d: want %d", got, want)
		}
		if err := d.Attempt(want).Keep(protocol.Result{Schema: 1, Verdict: protocol.Failed}, nil); err != nil {
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
