package launch

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

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
