package launch

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
)

// A secret of a case's environment reaches the roles, and nothing that others read: no record, no setting of a report.
func TestSecretsOfACase(t *testing.T) {
	const env = `LOG=INFO HF_TOKEN=hush-1 API_KEY="hush 22" DB=postgres://me:hush33@h/d`
	b := keptRun(t, "environment.worker_env_var="+env, "environment.client_env_var=HF_TOKEN=hush-1")
	variant, err := b.Variant(set("concurrency_list=2"), t.TempDir(), "v")
	if err != nil {
		t.Fatal(err)
	}
	const want = "LOG=INFO HF_TOKEN=[redacted] API_KEY=[redacted] DB=postgres://me:[redacted]@h/d"
	if got := b.Plan.Case.Document["s_gen_server_env_var"]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for name, c := range map[string]Job{"run": {Plan: b.Plan}, "variant": variant} {
		r := c.Plan.Record("", "", protocol.Point{}, time.Time{})
		data, err := json.Marshal(r)
		if err != nil || strings.Contains(string(data), "hush") {
			t.Errorf("%s: %v, %s", name, err, data)
		}
		if len(r.Settings) < 2 || !strings.Contains(r.Settings[0].Value, "LOG=INFO HF_TOKEN=[redacted]") {
			t.Errorf("%s: %v", name, r.Settings)
		}
		if roles, _ := json.Marshal(c.Plan.Case.Env); !strings.Contains(string(roles), `hush 22`) {
			t.Errorf("%s: the roles miss it: %s", name, roles)
		}
	}
}

// The secrets of two plans that differ are not shown, whatever the difference is of; anything else is.
func TestSecretsOfDifferences(t *testing.T) {
	a := keptRun(t, "environment.worker_env_var=HF_TOKEN=hush-111 LOG=A").Plan
	const client = "environment.client_env_var=API_KEY=hush-3"
	b := keptRun(t, "environment.worker_env_var=HF_TOKEN='a hush 222' LOG=B", client).Plan
	b.RunDir, b.Case.File = a.RunDir, a.Case.File
	var got []string
	for _, d := range Shown(plan.Differ(a, b)) {
		if strings.HasPrefix(d.Path, "case.env") {
			got = append(got, d.String())
		}
	}
	want := []string{
		`case.env.BENCHMARK none -> {"API_KEY":"[redacted]"}`,
		"case.env.CTX.HF_TOKEN [redacted] -> [redacted]", "case.env.CTX.LOG A -> B",
		"case.env.GEN.HF_TOKEN [redacted] -> [redacted]", "case.env.GEN.LOG A -> B",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
