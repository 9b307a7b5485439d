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
		"disagg-e2e-time_breakdown-" + config: {
			Mode: perfsanity.E2E, Modifier: perfsanity.TimeBreakdown, Config: config,
		},
		"aggr_upload-ctx_only-" + config: {Upload: true, Aggregated: true, Mode: perfsanity.CtxOnly, Config: config},
		"aggr-gen_only_no_context-a-b":   {Aggregated: true, Mode: perfsanity.GenOnlyNoContext, Config: "a-b"},
		"aggr-ctx_only-time_breakdown-" + config: {
			Aggregated: true, Mode: perfsanity.CtxOnly, Modifier: perfsanity.TimeBreakdown, Config: config,
		},
		"aggr_upload-agg_cfg-r1-dep4": {Upload: true, Aggregated: true, Config: "agg_cfg", Server: "r1-dep4"},
		"aggr-agg_cfg":                {Aggregated: true, Config: "agg_cfg"},
		"aggr-e2e-x":                  {Aggregated: true, Config: "e2e", Server: "x"}, // a config of that name
		// the oldest form
		"disagg_upload-" + config:                                  {Upload: true, Config: config},
		"disagg-Qwen3-235B-A22B-FP4_x":                             {Config: "Qwen3-235B-A22B-FP4_x"},
		"disagg-time_breakdown-x":                                  {Config: "time_breakdown-x"},
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
	for _, text := range []string{
		"aggr_upload-", "disagg-ctx_only-x", "disagg-e2e-", "disagg-", "disagg-e2e-time_breakdown-",
		"disagg-e2e-time_breakdown", "aggr-ctx_only-",
	} {
		if _, _, err := perfsanity.ParseTestID(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzParseTestID(f *testing.F) {
	f.Add("disagg_upload-e2e-a-b")
	f.Add("perf/test_perf_sanity.py::test_e2e[disagg-x]")
	f.Add("aggr-ctx_only-time_breakdown-a")
	f.Add("aggr-a-b-c")
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
