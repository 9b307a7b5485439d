package exposition_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/disagg/disagg/pkg/exposition"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 27, 22, 30, 0, 0, time.UTC)

func number(v float64) *float64 { return &v }

// loading is a decode rank whose server loads.
func loading() protocol.RankStatus {
	return protocol.RankStatus{
		Schema: 1, At: now, Tool: "1.2.3", Role: roles.Role{Kind: roles.Gen}, Stage: protocol.StageRunning,
		Child: &protocol.ChildStatus{
			PID: 7, StartedAt: now.Add(-90 * time.Second), Uptime: 90, OutputBytes: 12345,
			OutputAt: now.Add(-2500 * time.Millisecond), RSS: 3 << 30, CPU: 71.25,
			Progress: &protocol.Progress{What: "weights", Percent: 61},
		},
		Service: &protocol.ServiceStatus{
			Address: "10.0.0.1:8000", Probe: &protocol.ProbeStatus{At: now.Add(-time.Second), Detail: "refused"},
		},
		GPUs: []protocol.GPUStatus{
			{
				Index: 0, At: now, Utilization: number(0.25), Memory: number(2 << 30), Power: number(312.5),
				Energy: 28000,
			},
			{Index: 1, At: now, Memory: number(1 << 30)},
		},
	}
}

// measuring is the hub's own rank.
func measuring() protocol.RankStatus {
	return protocol.RankStatus{
		Schema: 1, At: now, Tool: "1.2.3", Role: roles.Hub().Role, Stage: protocol.StageRunning, Points: 4,
		Job: &protocol.State{
			Phase: protocol.Measuring, Cause: &protocol.Cause{Kind: protocol.OOM},
			Roles: []protocol.RoleState{
				{Role: roles.Role{Kind: roles.Gen}, Ranks: 4, Attached: 4, Started: 4, Ready: true},
				{Role: roles.Role{Kind: roles.Ctx}, Ranks: 2, Attached: 2, Started: 2, Exited: 1, Gone: 1},
			},
			Points: []protocol.Point{{Index: 0}, {Index: 1, Invalid: "no token came out"}},
		},
	}
}

func parse(t *testing.T, text []byte) map[string]bool {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	names := map[string]bool{}
	for name := range families {
		names[name] = true
	}
	return names
}

// The text is as its golden file shows; Prometheus' own parser reads it, and its linter finds nothing.
func TestText(t *testing.T) {
	for name, s := range map[string]protocol.RankStatus{
		"loading": loading(), "measuring": measuring(), "waiting": {At: now, Stage: protocol.StageWaiting},
	} {
		got := exposition.Text(s)
		file := filepath.Join("testdata", name+".prom")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for _, family := range slices.Sorted(maps.Keys(parse(t, got))) {
			if !strings.HasPrefix(family, "disagg_") {
				t.Errorf("%s: %s does not say whose it is", name, family)
			}
		}
		problems, err := promlint.New(bytes.NewReader(got)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v: %v", name, problems, err)
		}
	}
}

// What a label may hold, such as quotes and ends of lines, harms nothing.
func FuzzLabels(f *testing.F) {
	f.Add("weights")
	f.Add("a\"b\\c\nd\xff}e 1")
	f.Fuzz(func(t *testing.T, what string) {
		s := loading()
		s.Child.Progress.What = what
		text := exposition.Text(s)
		if names := parse(t, text); !names["disagg_child_progress_ratio"] || !names["disagg_gpu_power_watts"] {
			t.Errorf("%q: %s", what, text)
		}
	})
}
