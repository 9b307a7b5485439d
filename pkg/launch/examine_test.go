package launch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/scheduler/fake"
)

// said are findings as they are printed.
func said(t *testing.T, list []doctor.Finding) string {
	t.Helper()
	var b strings.Builder
	if err := doctor.Print(&b, list); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What this host sees and what the scheduler says is judged; a quick look asks the scheduler for less.
func TestExamine(t *testing.T) {
	s := &fake.Scheduler{Findings: []doctor.Finding{doctor.Bad("partition", "", "there is no such partition")}}
	r := request(t)
	r.Scheduler = s
	r.Profile = profileFile(t, "models_root: /none/models", "container: {image: /none/x.sqsh, mounts: [/none]}")
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := said(t, job.Examine(t.Context(), false))
	for _, want := range []string{
		"FAIL  there is no such partition", "ok    agent /bin/true, for " + runtime.GOARCH,
		"warn  models_root /none/models",
		"warn  image /none/x.sqsh", "FAIL  agent /bin/true is under no mount", "FAIL  run directory " + r.RunDir +
			" is under",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	job.Examine(t.Context(), true)
	if asked := strings.Join(s.Asked(), ", "); !strings.HasSuffix(asked, "examine, examine quickly") {
		t.Error(asked)
	}
	if notes := strings.Join(job.Plan.Case.Notes, "\n"); !strings.Contains(notes, "agent /bin/true is under no mount") {
		t.Errorf("the plan does not say so: %s", notes)
	}
}

// A path is looked at up to the next folder above that is there.
func TestPlaceAt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if p := placeAt(dir, false); !p.There || p.Denied != "" || p.Fault != "" {
		t.Errorf("%+v", p)
	}
	if p := placeAt(filepath.Join(dir, "a", "b"), false); p.There || p.Denied != "" || p.Fault != "" {
		t.Errorf("%+v", p)
	}
	if p := placeAt(file, true); !p.There || p.Arch != "" {
		t.Errorf("a script is a program: %+v", p)
	}
	if p := placeAt(filepath.Join(file, "below"), false); p.There || !strings.Contains(p.Denied, "is not a folder") {
		t.Errorf("%+v", p)
	}
	self, err := os.Executable()
	if p := placeAt(self, true); err != nil || p.Arch != runtime.GOARCH {
		t.Errorf("%v, %+v", err, p)
	}
	if p := placeAt("/dev/shm/x", false); p.Local != "tmpfs" {
		t.Errorf("%+v", p)
	}
}

// Without a case there is enough of a job to ask the scheduler about a profile.
func TestOutline(t *testing.T) {
	r := request(t)
	r.Case, r.Profile = "", profileFile(t, "partition: fast", "time: 2h")
	job, err := r.Outline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := job.Plan; p.JobNodes() != 1 || p.Cluster.Partition != "fast" || p.JobTime().Hours() != 2 ||
		p.Agent != "/bin/true" {
		t.Errorf("%+v", p)
	}
	r.Profile = "/none.yaml"
	_, err = r.Outline(t.Context())
	fails(t, err, "cannot read profile")
	r = request(t)
	r.Checkout = "/none"
	_, err = r.Outline(t.Context())
	fails(t, err, "cannot use checkout /none")
}

// A run directory is made below the profile's root, unless it is named.
func TestRunRoot(t *testing.T) {
	r := request(t)
	r.RunDir, r.Profile = "", profileFile(t, "run_root: /shared/runs")
	job, err := r.Make(t.Context())
	if err != nil || filepath.Dir(job.Plan.RunDir) != "/shared/runs" {
		t.Errorf("%v, %s", err, job.Plan.RunDir)
	}
	if root, err := r.RunRoot(); err != nil || root != "/shared/runs" {
		t.Errorf("%s, %v", root, err)
	}
	r.Profile = profileFile(t, "run_root: runs")
	_, err = r.Make(t.Context())
	fails(t, err, `run_root: "runs": want an absolute path`)
}

// visitedJob is a job whose nodes are played by a script.
func visitedJob(t *testing.T, script string) (Job, *fake.Scheduler) {
	t.Helper()
	s := &fake.Scheduler{VisitScript: script}
	r := request(t)
	r.Scheduler = s
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return job, s
}

// played is a script that says of a node what an agent would, once it has looked for the plan.
const played = `test "$1" = examine && grep -q "$5" "$3" || { echo "no plan"; exit 1; }
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
echo "disagg-examine \"n1\" {\"schema\":1,\"node\":\"n1\",\"at\":\"$at\","
echo "importing an image"
echo 'disagg-examine "n1" "arch":"amd64"}'
`

// Nodes look for the plan in its run directory, and what they say is judged; the folder is gone afterwards.
func TestVisit(t *testing.T) {
	job, s := visitedJob(t, played)
	got, err := job.Visit(t.Context(), 1, func(string) {})
	if text := said(t, got); err != nil || !strings.Contains(text, "ok    n1: run directory "+job.Plan.RunDir) ||
		len(doctor.Failures(got)) > 0 {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := os.Lstat(job.Plan.RunDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if asked := strings.Join(s.Asked(), ", "); !strings.HasSuffix(asked, "visit 1") {
		t.Error(asked)
	}
}

// Nodes that do not answer are a failure, with what tells most of why.
func TestVisitFails(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"the scheduler tells": {"echo 'fake: broken no such container' >&2; echo more >&2; exit 1",
			"FAIL  2 of 2 nodes did not answer: no such container"},
		"somebody tells": {"echo 'execve(): no such file' >&2; exit 2",
			"FAIL  2 of 2 nodes did not answer: execve(): no such file"},
		"a task tells":     {"echo 'cannot load'; exit 2", "FAIL  2 of 2 nodes did not answer: cannot load"},
		"nobody tells":     {"exit 3", "FAIL  2 of 2 nodes did not answer: exit status 3"},
		"one node is lost": {played + "echo 'n2: gone' >&2", "FAIL  1 of 2 nodes did not answer: n2: gone"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job, _ := visitedJob(t, tt.script)
			var told []string
			got, err := job.Visit(t.Context(), 2, func(line string) { told = append(told, line) })
			if text := said(t, got); err != nil || !strings.HasPrefix(text, tt.want) {
				t.Errorf("%v\n%s", err, text)
			}
			if strings.Contains(tt.script, ">&2") != (len(told) > 0) {
				t.Errorf("told %q", told)
			}
		})
	}
}

// Somebody who ends the visit ends its job, and leaves nothing behind.
func TestVisitIsEnded(t *testing.T) {
	job, _ := visitedJob(t, "trap 'exit 0' TERM; echo waiting >&2; while :; do sleep 0.05; done")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := job.Visit(ctx, 1, func(string) { cancel(errors.New("SIGINT")) })
	fails(t, err, "the visit was ended: SIGINT")
	if _, err := os.Lstat(job.Plan.RunDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// How long the part takes that comes before every job, beside what the scheduler is asked.
func BenchmarkExamineQuickly(b *testing.B) {
	r := Request{
		Case: simCase, Checkout: simCheckout, Profile: "default", Recipe: "trtllm-serve", RunDir: b.TempDir(),
		Upload: []string{"sqlite:///results.db"},
	}
	job, err := r.Make(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		job.Examine(b.Context(), true)
	}
}
