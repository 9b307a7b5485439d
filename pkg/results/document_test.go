package results_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// A document has every field in the type that its name tells, whatever it came as; a field that cannot have its type is
// left out with a note, and costs no other field.
func TestDocumentIsTyped(t *testing.T) {
	r := results.NewRecord(results.Origin{
		Case: roles.Case{TestID: "t"}, RunID: "run",
		Document: map[string]any{
			"l_int": 3.0, "l_half": 3.5, "l_text": "3", "l_true": true, "d_int": 1, "d_nan": math.NaN(),
			"d_inf":  math.Inf(1),
			"d_null": nil, "s_null": nil, "s_number": 5.0, "s_list": []any{1}, "b_true": true, "b_one": 1,
			"ni_text":   "x",
			"ni_number": 2, "flat_map": map[string]any{"a": 1}, "flat_text": "a", "ts_time": 5.0, "odd": 1,
			"b_is_valid": true,
		},
	}, protocol.Point{
		Concurrency: 8, Invalid: "2 of 16 requests failed", Metrics: map[string]float64{"al": 2, "x": math.NaN()},
	}, time.UnixMilli(1234))
	got := results.Document(r)
	for name, want := range map[string]any{
		"l_int": int64(3), "d_int": 1.0, "s_number": "5", "b_true": true, "ni_text": "x", "ni_number": 2.0,
		"flat_map": map[string]any{"a": 1}, "ts_time": int64(5), "d_al": 2.0, "l_concurrency": int64(8),
		"ts_run": int64(1234), "b_is_valid": false, "s_invalid": "2 of 16 requests failed",
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	note, _ := got["s_upload_note"].(string)
	for _, name := range []string{
		"l_half", "l_text", "l_true", "d_nan", "d_inf", "s_list", "b_one", "flat_text", "odd", "d_x",
	} {
		if _, there := got[name]; there || !strings.Contains(note, name+" is ") {
			t.Errorf("%s is %v, and the note says %q", name, got[name], note)
		}
	}
	for _, name := range []string{"d_null", "s_null"} {
		if _, there := got[name]; there || strings.Contains(note, name) {
			t.Errorf("%s is there, or noted: %q", name, note)
		}
	}
}
