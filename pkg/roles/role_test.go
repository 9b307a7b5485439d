package roles_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/roles"
)

func TestParseRole(t *testing.T) {
	for _, good := range []string{"GEN_0", "CTX_1", "GEN_13", "DISAGG_SERVER", "BENCHMARK"} {
		r, err := roles.ParseRole(good)
		if err != nil || r.String() != good {
			t.Errorf("ParseRole(%q) = %v, %v", good, r, err)
		}
	}
	for _, bad := range []string{"", "GEN", "GEN_", "GEN_-1", "GEN_01", "gen_0", "GEN_0 ", "CTX_1.0", "BENCHMARK_0", "GEN_99999999999"} {
		if r, err := roles.ParseRole(bad); err == nil {
			t.Errorf("ParseRole(%q) = %v, want an error", bad, r)
		}
	}
}

func TestLogNamesAreUpstreams(t *testing.T) {
	for role, want := range map[string]string{"GEN_0": "gen_server_0", "CTX_12": "ctx_server_12", "DISAGG_SERVER": "disagg_server", "BENCHMARK": "benchmark"} {
		r, err := roles.ParseRole(role)
		if err != nil || r.LogName() != want {
			t.Errorf("%s: log name %q, %v, want %q", role, r.LogName(), err, want)
		}
	}
}

func FuzzParseRole(f *testing.F) {
	f.Add("GEN_0")
	f.Add("DISAGG_SERVER")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := roles.ParseRole(s); err == nil && r.String() != s {
			t.Errorf("ParseRole(%q) is %q", s, r)
		}
	})
}
