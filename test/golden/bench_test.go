package golden

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/dispatch"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
	"github.com/disagg/disagg/pkg/testlist"
)

// BenchmarkPlanAndRender200 plans 200 cases, and renders the batch script of each and all that its kinds of role get.
func BenchmarkPlanAndRender200(b *testing.B) {
	files, err := cases("testdata/cases")
	if err != nil {
		b.Fatal(err)
	}
	w := way{recipe: standard, checkout: sim}
	defer reportCPU(b)()
	for b.Loop() {
		p := aPlanner(b)
		for i := range 200 {
			job, err := p.job(b.Context(), files[i%len(files)], w, profiles[0])
			if err != nil {
				b.Fatal(err)
			}
			if _, err := (slurm.Slurm{}).Script(job.Plan); err != nil {
				b.Fatal(err)
			}
			for _, pl := range leaders(job.Plan) {
				if _, err := render(job.Plan, pl); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkPlanList324 reads a list as long as all of upstream's together, and plans every test of it.
func BenchmarkPlanList324(b *testing.B) {
	files, err := cases("testdata/cases")
	if err != nil {
		b.Fatal(err)
	}
	list := aList(files)
	defer reportCPU(b)()
	for b.Loop() {
		p := aPlanner(b)
		tests, err := testlist.Parse("list.txt", []byte(list))
		if err != nil {
			b.Fatal(err)
		}
		r := p.request()
		r.Folder, r.Recipe, r.Profile = "testdata/cases", standard, p.profile(profiles[0])
		r.Checkout = p.project + "/" + sim
		for _, e := range (dispatch.Plan{Request: r, Tests: tests, Folder: "/shared/list"}).Entries(b.Context()) {
			if e.Status != dispatch.Planned {
				b.Fatalf("%s is %s: %s", e.Test.ID, e.Status, e.Detail)
			}
		}
	}
}

// aList is a list of 324 tests, about in the proportions of upstream's: most are end to end, a fifth measures decode
// alone, the others prefill alone, decode without prefill and parts of requests.
func aList(files []string) string {
	ids := slices.Concat(
		slices.Repeat([]string{"disagg_upload-e2e-"}, 228), slices.Repeat([]string{"disagg_upload-gen_only-"}, 66),
		slices.Repeat([]string{"aggr_upload-ctx_only-"}, 19),
		slices.Repeat([]string{"aggr_upload-gen_only_no_context-"}, 8),
		slices.Repeat([]string{"disagg-e2e-time_breakdown-"}, 3),
	)
	var b strings.Builder
	for i, id := range ids {
		fmt.Fprintf(&b, "perf/test_perf_sanity.py::test_e2e[%s%s] TIMEOUT (120)\n", id, nameOf(files[i%len(files)]))
	}
	return b.String()
}

// reportCPU reports the CPU time of an operation, all threads together: on a machine that others share the time that
// passes says little. What it returns is called at the end.
func reportCPU(b *testing.B) func() {
	used := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begun := used()
	return func() { b.ReportMetric((used()-begun).Seconds()/float64(b.N), "cpu-s/op") }
}
