package roles_test

import (
	"encoding/json"
	"testing"

	"github.com/disagg/disagg/pkg/roles"
)

// A role is read as the environment carries it, in one spelling.
func TestParseRole(t *testing.T) {
	for _, good := range []string{"GEN_0", "CTX_1", "GEN_13", "DISAGG_SERVER", "BENCHMARK"} {
		r, err := roles.ParseRole(good)
		if err != nil || r.String() != good {
			t.Errorf("ParseRole(%q) = %v, %v", good, r, err)
		}
	}
	for _, bad := range []string{
		"", "GEN", "GEN_", "GEN_-1", "GEN_+1", "GEN_01", "gen_0", "GEN_0 ", "CTX_1.0", "BENCHMARK_0", "GEN_100000",
		"GEN_99999999999999999999",
	} {
		if r, err := roles.ParseRole(bad); err == nil {
			t.Errorf("ParseRole(%q) = %v, want an error", bad, r)
		}
	}
}

// Logs have the names that upstream's tools look for.
func TestLogNamesAreUpstreams(t *testing.T) {
	for role, want := range map[string]string{
		"GEN_0": "gen_server_0", "CTX_12": "ctx_server_12", "DISAGG_SERVER": "disagg_server", "BENCHMARK": "benchmark",
	} {
		r, err := roles.ParseRole(role)
		if err != nil || r.LogName() != want {
			t.Errorf("%s: log name %q, %v, want %q", role, r.LogName(), err, want)
		}
	}
}

// Roles and ranks have one form in messages and names of files.
func TestTask(t *testing.T) {
	task := roles.Task{Role: roles.Role{Kind: roles.Ctx, Index: 2}, Rank: 3}
	data, err := json.Marshal(task)
	if err != nil || string(data) != `{"role":"CTX_2","rank":3}` || task.String() != "CTX_2.3" || task.Leader() {
		t.Errorf("%s, %s, %v", data, task, err)
	}
	var back roles.Task
	if err := json.Unmarshal(data, &back); err != nil || back != task {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"role":"CTX"}`), &back); err == nil {
		t.Error("a role that is none was read")
	}
	if hub := roles.Hub(); hub.String() != "BENCHMARK.0" || !hub.Leader() {
		t.Errorf("the hub is %s", hub)
	}
}

// There can be several workers of a kind, and one of everything else.
func TestKinds(t *testing.T) {
	for _, kind := range roles.Kinds() {
		if _, err := roles.ParseRole(roles.Role{Kind: kind}.String()); err != nil {
			t.Error(err)
		}
		if _, err := roles.ParseRole(string(kind) + "_1"); (err == nil) != kind.Worker() {
			t.Errorf("%s is a worker: %v, but a second one: %v", kind, kind.Worker(), err)
		}
	}
}

// What is read as a role is written as it was.
func FuzzParseRole(f *testing.F) {
	f.Add("GEN_0")
	f.Add("DISAGG_SERVER")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := roles.ParseRole(s); err == nil && r.String() != s {
			t.Errorf("ParseRole(%q) is %q", s, r)
		}
	})
}
