package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/scheduler/local"
)

// set is settings from texts KEY=VALUE.
func set(texts ...string) (list []roles.Setting) {
	for _, text := range texts {
		key, value, _ := strings.Cut(text, "=")
		list = append(list, roles.Setting{Key: key, Value: value})
	}
	return list
}

// A setting is a value of the recipe, or else a key of the case. The plan has them in their order under whole keys, and
// so have its hashes, its copy of the case and its records: each variant is a series of its own.
func TestSettings(t *testing.T) {
	r := request(t)
	plain, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.Settings = set("gen.max_batch_size=32", "numactl=", "concurrency_list=2")
	job, err := r.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := job.Plan
	want := set("worker_config.gen.max_batch_size=32", "numactl=", "benchmark.concurrency_list=2")
	if diff := cmp.Diff(want, p.Case.Settings); diff != "" {
		t.Error(diff)
	}
	if p.Values["numactl"] != "" || p.Values["serve"] != plain.Plan.Values["serve"] {
		t.Errorf("%v", p.Values)
	}
	if !strings.Contains(string(job.Kept), "concurrency_list: 2\n") {
		t.Errorf("the copy is\n%s", job.Kept)
	}
	a, b := plain.Plan.Provenance, p.Provenance
	if a.CaseHash == b.CaseHash || a.PlanHash == b.PlanHash || b.CaseHash != p.Case.Origin.SHA256 {
		t.Errorf("hashes %s, %s, %s", b.CaseHash, b.PlanHash, p.Case.Origin.SHA256)
	}
	if got := seriesOf(p); len(got) != 1 || !strings.Contains(got[0], "worker_config.gen.max_batch_size=32") {
		t.Errorf("series %v", got)
	}
	r.Settings = set("gen.max_batch_size=32", "worker_config.gen.max_batch_size=64")
	_, err = r.Make(t.Context())
	fails(t, err, "cannot set worker_config.gen.max_batch_size twice: leave one out")
	r.Settings = set("numactle=x")
	_, err = r.Make(t.Context())
	fails(t, err, "cannot set numactle: ", "did you mean numactl?")
}

// keptRun is a run whose servers could be measured again.
func keptRun(t *testing.T, settings ...string) Bench {
	t.Helper()
	r := request(t)
	r.Scheduler, r.Keep, r.Settings = &local.Local{}, plan.KeepAlways, set(settings...)
	job, err := r.Make(t.Context())
	if err == nil {
		err = job.Prepare()
	}
	if err != nil {
		t.Fatal(err)
	}
	return Bench{Plan: job.Plan}
}

// A variant of a kept run is a run of its own, which differs in its load alone; it reads the run's copy of the case.
func TestVariant(t *testing.T) {
	b := keptRun(t, "gen.max_batch_size=32", "multi_round=3")
	dir := filepath.Join(t.TempDir(), "one")
	job, err := b.Variant(set("concurrency_list=2", "multi_round=1"), dir, "v")
	if err != nil {
		t.Fatal(err)
	}
	p := job.Plan
	want := set("worker_config.gen.max_batch_size=32", "benchmark.concurrency_list=2", "benchmark.multi_round=1")
	if diff := cmp.Diff(want, p.Case.Settings); diff != "" {
		t.Error(diff)
	}
	if p.RunDir != dir || p.ID == b.Plan.ID || p.Case.File != filepath.Join(dir, "case", p.Case.Name+".yaml") ||
		p.Provenance.RunDir != dir || p.Tool != "v" || p.Gate.Mode != plan.GateOff {
		t.Errorf("%s, %s, %+v", p.RunDir, p.Case.File, p.Provenance)
	}
	if p.Provenance.CaseHash == b.Plan.Provenance.CaseHash || p.Provenance.PlanHash == b.Plan.Provenance.PlanHash {
		t.Error("it has the hashes of the kept run")
	}
	if _, err := b.Variant(set("benchmark_env_var=A=1"), filepath.Join(t.TempDir(), "two"), "v"); err != nil {
		t.Errorf("a variable that no server has: %v", err)
	}
	for _, d := range plan.Differ(b.Plan, p) {
		if !plan.OfMeasurement(d.Path) && d.Path != "run_dir" && d.Path != "case.file" {
			t.Errorf("it differs in %s", d)
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("planning has written something")
	}
	if err := job.Prepare(); err != nil {
		t.Error(err)
	}
}

// What needs other servers is refused by name, as is what cannot be.
func TestVariantRefused(t *testing.T) {
	b := keptRun(t)
	for text, want := range map[string]string{
		"gen.max_batch_size=9": "cannot measure max_batch_size=9 on these servers, which were started with another " +
			"value (case.worker_config.GEN.max_batch_size 64 -> 9)",
		"num_ctx_servers=1":  "cannot measure num_ctx_servers=1 on these servers",
		"serve=mine":         "cannot measure serve on these servers, which were started with another value (a value",
		"concurency_list=1":  "did you mean benchmark.concurrency_list?",
		"concurrency_list=x": `"x" is not a concurrency`,
	} {
		_, err := b.Variant(set(text), t.TempDir(), "v")
		fails(t, err, want)
	}
}

// Servers that do not run cannot be measured, and nothing is left behind.
func TestVariantWithoutServers(t *testing.T) {
	b := keptRun(t)
	dir := filepath.Join(t.TempDir(), "one")
	job, err := b.Variant(set("concurrency_list=2"), dir, "v")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.RunVariant(t.Context(), job)
	fails(t, err, "has no verdict yet")
	over(t, place{b.Plan, 0})
	_, _, err = b.RunVariant(t.Context(), job)
	fails(t, err, "no server of the run in")
	if _, err := os.Lstat(dir); err == nil {
		t.Error("a run directory is left")
	}
}
