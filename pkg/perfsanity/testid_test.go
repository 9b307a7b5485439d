package perfsanity_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/perfsanity"
)

func TestParseTestID(t *testing.T) {
	const config = "gb200_model-fp4_1k1k_ctx1_dep4_ccb-NIXL"
	tests := map[string]perfsanity.TestID{
		"disagg-e2e-" + config: {Mode: perfsanity.E2E, Config: config},
		"disagg_upload-gen_only-" + config: {
			Upload: true, Mode: perfsanity.GenOnly, Config: config,
		},
		"disagg-gen_only_no_context-" + config: {
			Mode: perfsanity.GenOnlyNoContext, Config: config,
		},
		// oldest form
		"disagg_upload-" + config:                                  {Upload: true, Config: config},
		"disagg-Qwen3-235B-A22B-FP4_x":                             {Config: "Qwen3-235B-A22B-FP4_x"},
		"test_perf_sanity.py::test_e2e[disagg-e2e-" + config + "]": {Mode: perfsanity.E2E, Config: config},
		"perf/test_perf_sanity.py::test_e2e[disagg_upload-e2e-" + config + "]": {
			Upload: true, Mode: perfsanity.E2E, Config: config,
		},
	}
	for text, want := range tests {
		got, ok, err := perfsanity.ParseTestID(text)
		if err != nil || !ok || got != want {
			t.Errorf("%s: got %+v, %v, %v", text, got, ok, err)
		}
	}
	for _, text := range []string{config, "", "plain", "some-other-thing", "/path/to/x.yaml"} {
		if id, ok, err := perfsanity.ParseTestID(text); ok || err != nil {
			t.Errorf("%q is taken for a test id: %+v, %v", text, id, err)
		}
	}
	for _, text := range []string{"aggr_upload-x-y", "aggr-ctx_only-x", "disagg-e2e-", "disagg-"} {
		if _, _, err := perfsanity.ParseTestID(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzParseTestID(f *testing.F) {
	f.Add("disagg_upload-e2e-a-b")
	f.Add("perf/test_perf_sanity.py::test_e2e[disagg-x]")
	f.Fuzz(func(t *testing.T, s string) {
		id, ok, err := perfsanity.ParseTestID(s)
		if !ok || err != nil {
			return
		}
		again, ok, err := perfsanity.ParseTestID(id.String())
		if !ok || err != nil || again != id {
			t.Errorf("%q gives %+v, whose own text %q gives %+v, %v, %v", s, id, id, again, ok, err)
		}
	})
}
