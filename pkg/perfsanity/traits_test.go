package perfsanity

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/roles"
)

// loadMode loads the small case in a mode, for a version of the test.
func loadMode(m Mode, test Test) (roles.Case, error) {
	text := "benchmark: {concurrency_list: 4}\n"
	for name, block := range plainCase {
		if name != "benchmark" {
			text += name + ": " + block + "\n"
		}
	}
	c, _, err := Load(Source{
		Name: "c.yaml", Mode: string(m), Test: &test, Read: func(string) ([]byte, error) { return []byte(text), nil },
	})
	return c, err
}

// What a version of the test wants of a recipe follows from how its ids and its servers' addresses are.
func TestTraitsOfVersions(t *testing.T) {
	for name, tt := range map[string]struct {
		test Test
		want []roles.Trait
	}{
		"the oldest":            {Test{}, []roles.Trait{roles.IDWithoutMode}},
		"it chooses the ports":  {Test{ModeInID: true}, []roles.Trait{roles.AddressFiles}},
		"servers choose theirs": {Test{ModeInID: true, ReportsAddress: true}, nil},
	} {
		if c, err := loadMode(E2E, tt.test); err != nil || !slices.Equal(c.Traits, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, c.Traits, err, tt.want)
		}
	}
	if c, err := loadWith("worker_config.gen", "{num_serve_frontends: 1}"); err != nil || len(c.Traits) != 0 {
		t.Errorf("one front end is a trait: %v, %v", c.Traits, err)
	}
}

// The time of a decode step is measured where decode alone is, by a test that can.
func TestStepTimeOfModes(t *testing.T) {
	for _, can := range []bool{true, false} {
		test := Newest()
		test.StepTime = can
		for mode, alone := range map[Mode]bool{E2E: false, CtxOnly: false, GenOnly: true, GenOnlyNoContext: true} {
			if c, err := loadMode(mode, test); err != nil || c.Load.StepTime != (can && alone) {
				t.Errorf("%s: %v, %v", mode, c.Load.StepTime, err)
			}
		}
	}
}

// Who is told that decode runs alone depends on the mode: without prefill servers every role that would wait for one.
func TestVariablesOfModes(t *testing.T) {
	const only = "TRTLLM_DISAGG_BENCHMARK_GEN_ONLY"
	for _, tt := range []struct {
		mode Mode
		test Test
		told []roles.Kind
	}{
		{E2E, Newest(), nil}, {CtxOnly, Newest(), nil}, {GenOnly, Newest(), nil},
		{GenOnly, Test{}, []roles.Kind{roles.Gen, roles.Coordinator}},
		{GenOnlyNoContext, Newest(), []roles.Kind{roles.Gen, roles.Coordinator, roles.Benchmark}},
	} {
		c, err := loadMode(tt.mode, tt.test)
		if err != nil {
			t.Errorf("%s: %v", tt.mode, err)
		}
		for _, kind := range []roles.Kind{roles.Gen, roles.Ctx, roles.Coordinator, roles.Benchmark} {
			told := slices.Contains(c.Env[kind], roles.Var{Name: only, Value: "1"})
			if told != slices.Contains(tt.told, kind) {
				t.Errorf("%s: %s has %v", tt.mode, kind, c.Env[kind])
			}
			if vars, there := c.Env[kind]; there && len(vars) == 0 {
				t.Errorf("%s: %s has an empty list", tt.mode, kind)
			}
		}
	}
}

// What is wrong with an id is told with the whole of it, so that a line of a list is found again.
func TestErrorsNameTheID(t *testing.T) {
	_, err := loadServer("world_size: 8", "isl: 1", "metadata: [1]")
	if err == nil || !strings.HasPrefix(err.Error(), "/own/cfg.yaml:") {
		t.Errorf("%v", err)
	}
	at := found{id: TestID{Aggregated: true, Config: "cfg", Server: "s"}, file: "cfg.yaml"}
	if _, err = (aggregated{}).server(at); err == nil || !strings.HasPrefix(err.Error(), "cannot run aggr-cfg-s: ") {
		t.Errorf("%v", err)
	}
	at.id.Server = ""
	_, err = aggregated{Servers: []aggServer{{Name: ""}, {Name: "a"}}}.server(at)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot run aggr-cfg: name one of its servers") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"aggr-", "disagg-ctx_only-x"} {
		if _, isID, err := ParseTestID(text); !isID || err == nil || !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("%s: %v, %v", text, isID, err)
		}
	}
}

// A file of the same name elsewhere is named beside the one that is taken, with how to choose.
func TestNoteOfOtherFolders(t *testing.T) {
	f := found{file: "a/c.yaml", other: []string{"b/c.yaml", "d/c.yaml"}}
	const want = "a/c.yaml is taken; b/c.yaml, d/c.yaml has the same name and other contents: choose with " +
		"--config-folder"
	if notes := f.notes(); len(notes) != 1 || notes[0] != want {
		t.Errorf("%q", notes)
	}
	if notes := (found{file: "a/c.yaml"}).notes(); notes != nil {
		t.Errorf("%q", notes)
	}
}

// A model of a draft may be set by the end of its key, also where the case has none.
func TestDraftMayBeSet(t *testing.T) {
	text := "metadata: {model_name: m}\nbenchmark: {concurrency_list: 4}\nworker_config: {gen: {}}\n" +
		"hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}\n"
	for _, path := range draftPaths {
		c, _, err := Load(Source{
			Name: "c.yaml", Settings: []roles.Setting{{Key: "gen." + path, Value: "2"}},
			Read: func(string) ([]byte, error) { return []byte(text), nil },
		})
		if err != nil || c.Document["l_gen_max_draft_len"] != 2 {
			t.Errorf("%s: %v, %v", path, c.Document["l_gen_max_draft_len"], err)
		}
	}
}

// A setting that the file cannot take is refused, and what could not be read is no case.
func TestSettleFaults(t *testing.T) {
	f := found{file: "c.yaml", data: []byte("a: [")}
	if _, err := f.settle([]roles.Setting{{Key: "a", Value: "1"}}); err == nil {
		t.Error("a text that is not YAML was settled")
	}
	if settled, err := f.settle(nil); err != nil || settled != nil {
		t.Errorf("without a setting nothing is read: %v, %v", settled, err)
	}
	var unknown *UnknownKey
	f.data = []byte("benchmark: {}\n")
	_, err := f.settle([]roles.Setting{{Key: "nothing_like_it", Value: "1"}})
	if !errors.As(err, &unknown) || unknown.Key != "nothing_like_it" || unknown.File != "c.yaml" || unknown.Near != "" {
		t.Errorf("%+v", err)
	}
}
