package launch

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler/fake"
	"github.com/disagg/disagg/pkg/scheduler/local"
	"github.com/disagg/disagg/pkg/upload"
)

// A request becomes a plan that holds everything a job needs; what was asked for wins over the profile. Nothing is
// written.
func TestMake(t *testing.T) {
	r := request(t)
	r.Profile = profileFile(t, "partition: slow", "account: theirs", "upload: sqlite:///of/the/profile.db")
	r.Partition, r.Account = "fast", "ours"
	r.Settings = []roles.Setting{{Key: "numactl", Value: "numactl -m 0,1"}}
	r.Timeouts = roles.Timeouts{Job: roles.Duration(2 * time.Hour)}
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := job.Plan
	if p.Cluster.Partition != "fast" || p.Cluster.Account != "ours" || p.Values["numactl"] != "numactl -m 0,1" {
		t.Errorf("what was asked for is lost: %+v, %v", p.Cluster, p.Values)
	}
	if p.Cluster.KillWait.Std() != 40*time.Second || p.Launcher != "fake" || p.Agent != "/bin/true" || p.OneMachine {
		t.Errorf("what the scheduler says is lost: %v, %s, %s", p.Cluster.KillWait, p.Launcher, p.Agent)
	}
	if p.RunDir != r.RunDir || p.Case.File != filepath.Join(r.RunDir, "case", p.Case.Name+".yaml") {
		t.Errorf("%s, %s", p.RunDir, p.Case.File)
	}
	if !cmp.Equal(p.Upload, plan.Upload{Sinks: []plan.Sink{{URL: "sqlite:///of/the/profile.db"}}}) ||
		p.Timeouts.Job.Std() != 2*time.Hour {
		t.Errorf("%+v, %+v", p.Upload, p.Timeouts)
	}
	if p.Tool != "test" || p.ID == "" {
		t.Errorf("%s, %s", p.Tool, p.ID)
	}
	if original, err := os.ReadFile(simCase); err != nil || string(job.Kept) != string(original) {
		t.Errorf("the case is not as it was found: %v", err)
	}
	if _, err := os.Lstat(r.RunDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run directory is there: %v", err)
	}
}

// A job on this machine listens on no network and has no MPI of a cluster's.
func TestMakeLocal(t *testing.T) {
	r := request(t)
	r.Scheduler = &local.Local{}
	job, err := r.Make(t.Context())
	if err != nil || !job.Plan.OneMachine {
		t.Error(err)
	}
	if c := job.Plan.Cluster; c.Interface != "lo" || c.MPI != "" || c.KillWait.Std() != defaultGrace {
		t.Errorf("%+v", c)
	}
}

// Where nothing is started neither agent nor checkout must be there, and records go to the user's data folder.
func TestMakeOnly(t *testing.T) {
	r := request(t)
	r.Scheduler, r.Checkout, r.Profile = nil, "", "default"
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Upload{Sinks: []plan.Sink{{URL: "sqlite://" + data + "/disagg/results.db"}}}
	if diff := cmp.Diff(want, job.Plan.Upload); diff != "" {
		t.Error(diff)
	}
	fails(t, job.Prepare(), "no scheduler")
	_, err = job.Submit(t.Context())
	fails(t, err, "no scheduler")
}

// A run without a folder of its own gets a new one below runs/, by the case's name and the time.
func TestRunDirectoryOfItsOwn(t *testing.T) {
	r := request(t)
	for _, path := range []*string{&r.Case, &r.Checkout} {
		*path, _ = filepath.Abs(*path)
	}
	t.Chdir(t.TempDir())
	r.RunDir = ""
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	rest, ok := strings.CutPrefix(job.Plan.RunDir, here+"/runs/"+job.Plan.Case.Name+"-20")
	if err != nil || !ok || strings.Contains(rest, "/") {
		t.Errorf("%s, %v", job.Plan.RunDir, err)
	}
	r.RunDir = r.Case
	_, err = r.Make(t.Context())
	fails(t, err, "it is a file: name another with --run-dir")
}

// A case is found by its base name in the folder that the user wants it to be looked up in.
func TestCaseInOwnFolder(t *testing.T) {
	r := request(t)
	folder := t.TempDir()
	data, err := os.ReadFile(simCase)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "mine.yaml"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Case, r.Folder = "mine", folder
	if job, err := r.Make(t.Context()); err != nil || job.Plan.Case.Name != "mine" {
		t.Errorf("%s, %v", job.Plan.Case.Name, err)
	}
}

// What cannot be used is refused with the name of what is wrong and of what to do.
func TestMakeFaults(t *testing.T) {
	sinks := upload.Registry{{Name: "sqlite", Form: "sqlite:///PATH", Check: func(*url.URL) error { return nil }}}
	tests := map[string]struct {
		change func(*Request)
		want   []string
	}{
		"profile": {
			func(r *Request) { r.Profile = "nope" },
			[]string{`unknown profile "nope": want default`, "a path to a profile file"},
		},
		"profile's file": {
			func(r *Request) { r.Profile = "./nope.yaml" },
			[]string{"cannot read profile", "nope.yaml"},
		},
		"profile's text": {func(r *Request) { r.Profile = simCase }, []string{"metadata: unknown key"}},
		"recipe": {
			func(r *Request) { r.Recipe = "nope" },
			[]string{`unknown recipe "nope": want `, "trtllm-serve", "a path to a recipe file"},
		},
		"recipe's file": {func(r *Request) { r.Recipe = "nope.yaml" }, []string{"cannot read recipe", "nope.yaml"}},
		"recipe's text": {func(r *Request) { r.Recipe = simCase }, []string{simCase}},
		"case":          {func(r *Request) { r.Case = "nope" }, []string{"nope"}},
		"checkout": {
			func(r *Request) { r.Checkout = "./nope" },
			[]string{"no such folder: check --trtllm-dir"},
		},
		"another checkout": {
			func(r *Request) { r.Checkout = ".." },
			[]string{"it has no tests/integration", "check --trtllm-dir"},
		},
		"no checkout": {
			func(r *Request) { r.Checkout = "" },
			[]string{"needs the engine's checkout: pass --trtllm-dir DIR"},
		},
		"value": {
			func(r *Request) { r.Settings = []roles.Setting{{Key: "nope", Value: "1"}} },
			[]string{"cannot set nope: ", " has no such key, and recipe trtllm-serve no such value: it has launch, "},
		},
		"line break": {func(r *Request) { r.RunDir = "/runs/a\nb" }, []string{"control character", "--run-dir"}},
		"backslash":  {func(r *Request) { r.RunDir = `/runs/a\b` }, []string{"backslash", "--run-dir"}},
		"partition":  {func(r *Request) { r.Partition = "a\nb" }, []string{"partition (--partition)"}},
		"sink": {
			func(r *Request) { r.Sinks, r.Upload = sinks, []string{"ftp://x"} },
			[]string{"unknown kind of sink: want sqlite:///PATH"},
		},
		"agent": {
			func(r *Request) { r.Profile = "default" },
			[]string{"cannot find disagg-agent beside", "name it in the profile (agent)"},
		},
		"timeouts": {
			func(r *Request) { r.Timeouts = roles.Timeouts{Job: 60e9, Ready: 120e9} },
			[]string{"--ready-timeout"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := request(t)
			tt.change(&r)
			_, err := r.Make(t.Context())
			fails(t, err, tt.want...)
		})
	}
	r := request(t)
	r.Sinks, r.Upload = sinks, []string{"sqlite:///x.db"}
	if _, err := r.Make(t.Context()); err != nil {
		t.Error(err)
	}
}

// What somebody names is read with a bound, and not waited for: a device has no end, and a pipe may have no writer.
func TestInputsAreBounded(t *testing.T) {
	pipe, beside := filepath.Join(t.TempDir(), "pipe.yaml"), filepath.Join(t.TempDir(), "r.yaml")
	err := errors.Join(unix.Mkfifo(pipe, 0o600), os.WriteFile(beside, []byte(`schema: 1
name: r
roles:
  GEN: &any {tasks: one, command: [x], stop: {signal: TERM, to: leader}, files: [{path: z, from: zero}]}
  CTX: *any
  BENCHMARK: {tasks: one, command: [x], stop: {signal: TERM, to: leader}, results: {format: json, files: x}}
`), 0o600), os.Symlink("/dev/zero", filepath.Join(filepath.Dir(beside), "zero")))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*Request)
		want   string
	}{
		"case is a pipe":      {func(r *Request) { r.Case = pipe }, "pipe.yaml: the file is empty"},
		"profile is a pipe":   {func(r *Request) { r.Profile = pipe }, "pipe.yaml: the file is empty"},
		"profile is a device": {func(r *Request) { r.Profile = "/dev/zero" }, "it is too large: want at most 1024 KiB"},
		"recipe is a device":  {func(r *Request) { r.Recipe = "/dev/zero" }, "it is too large: want at most 1024 KiB"},
		"a file beside it is": {func(r *Request) { r.Recipe = beside }, "zero is too large: want at most 1024 KiB"},
	} {
		r := request(t)
		tt.change(&r)
		_, err := r.Make(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// A grace period that cannot be found out is taken for the usual one.
func TestGraceIsUnknown(t *testing.T) {
	r := request(t)
	r.Scheduler = &fake.Scheduler{GraceErr: errors.New("away")}
	if job, err := r.Make(t.Context()); err != nil || job.Plan.Cluster.KillWait.Std() != defaultGrace {
		t.Errorf("%v, %v", job.Plan.Cluster.KillWait, err)
	}
}
