package imported_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// one is the record of a row of one server with some more fields.
func one(t *testing.T, more string) results.Record {
	t.Helper()
	list, refused := rows(t, `{"conc": 8, "model": "m", "tput_per_gpu": 5, `+more+`}`, imported.Labels{})
	if len(refused) != 0 {
		t.Fatalf("%s: %s", more, refused)
	}
	return list[0]
}

// faultOf is why such a row is refused, "" if it is not.
func faultOf(t *testing.T, more string) string {
	t.Helper()
	_, refused := rows(t, `{"conc": 8, "model": "m", "tput_per_gpu": 5, `+more+`}`, imported.Labels{})
	return strings.Join(refused, "\n")
}

// What a version of the format has divided throughputs by is what they are multiplied with, each its own.
func TestGPUsOfRow(t *testing.T) {
	for more, want := range map[string]string{
		`"tp": 4`:                                    "4 GPUs, 0+1 servers, total 20",
		`"tp": 4, "pp": 2, "pcp_size": 3`:            "24 GPUs, 0+1 servers, total 120",
		`"tp": 4, "num_gpus": 6`:                     "6 GPUs, 0+1 servers, total 30",
		`"num_gpus": 6, "tp": 1, "ep": 6`:            "6 GPUs, 0+1 servers, total 30",
		`"tp": 2, "output_tput_per_gpu": 3`:          "2 GPUs, 0+1 servers, total 10, output 6",
		`"is_multinode": false, "tp": 2`:             "2 GPUs, 0+1 servers, total 10",
		`"is_multinode": true, "num_prefill_gpu": 4`: "4 GPUs, 0+0 servers, total 20",
		`"tp": 3, "num_prefill_gpu": 2`:              "2 GPUs, 0+0 servers, total 15",
		`"tp": 3, "num_decode_gpu": 2`:               "2 GPUs, 0+0 servers, total 15",
		`"tp": 9, "num_prefill_gpu": 2, "num_decode_gpu": 4, "output_tput_per_gpu": 2`: "6 GPUs, " +
			"0+0 servers, total 45, output 8",
		`"is_multinode": "True", "tp": 9, "num_prefill_gpu": 2, "num_decode_gpu": 4, "output_tput_per_gpu": 2, ` +
			`"prefill_num_workers": 2, "decode_num_workers": 1`: "6 GPUs, 2+1 servers, total 30, output 8",
		`"is_multinode": true, "num_prefill_gpu": 4, "output_tput_per_gpu": 2, "input_tput_per_gpu": 3`: "" +
			"4 GPUs, 0+0 servers, total 20, output 8",
	} {
		r := one(t, more)
		got := fmt.Sprintf("%d GPUs, %d+%d servers, total %g", r.GPUs, r.CtxServers, r.GenServers,
			r.Point.Metrics["total_token_throughput"])
		if v, there := r.Point.Metrics["token_throughput"]; there {
			got += fmt.Sprintf(", output %g", v)
		}
		if got != want || r.Provenance.UsedGPUs != r.GPUs {
			t.Errorf("%s: %s, want %s", more, got, want)
		}
	}
}

// Numbers are whole and within what can be true, on both sides of each limit.
func TestLimitsOfNumbers(t *testing.T) {
	for more, want := range map[string]string{
		`"tp": 2, "isl": 0`:               "",
		`"tp": 2, "isl": 2147483647`:      "",
		`"tp": 2, "isl": 2147483648`:      "row 1: isl is 2147483648: want a whole number from 0",
		`"tp": 2, "isl": -1`:              "row 1: isl is -1: want a whole number from 0",
		`"tp": 2, "osl": "1024"`:          "row 1: osl is 1024: want a whole number from 0",
		`"tp": 2, "osl": 1e3`:             "row 1: osl is 1e3: want a whole number from 0",
		`"tp": 2, "osl": true`:            "row 1: osl is true: want text",
		`"tp": 0`:                         "row 1: tp is 0: want a whole number from 1",
		`"tp": 2, "num_gpus": 0`:          "row 1: num_gpus is 0: want a whole number from 1",
		`"tp": 2, "pp": 0`:                "row 1: pp is 0: want a whole number from 1",
		`"tp": 2, "mean_ttft": 0`:         "",
		`"tp": 2, "mean_ttft": 1e15`:      "",
		`"tp": 2, "mean_ttft": 1.1e15`:    "row 1: mean_ttft is 1.1e15: want a number from 0",
		`"tp": 2, "mean_ttft": 1e999`:     "row 1: mean_ttft is 1e999: want a number from 0",
		`"tp": 2, "std_ttft": "anything"`: "",
		`"tp": 2, "hw": 7`:                "",
		`"tp": 2, "hw": [7]`:              "row 1: hw is [7]: want text",
		`"tp": 2, "hw": null`:             "",
		`"tp": 2, "model": ""`:            "row 1: model is : want a name",
		`"tp": 2, "dp_attention": "yes"`:  "row 1: dp_attention is yes: want true or false",
		`"tp": 2, "dp_attention": ""`:     "",
		`"tp": 2, "framework": {"a": "` + strings.Repeat("x", 60) + `"}`: "row 1: framework is map[a:" +
			strings.Repeat("x", 40) + "]: want text",
	} {
		if got := faultOf(t, more); got != want {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
}

// Throughputs fit together as far as their digits go: what is left out is not missed, what is too much is refused.
func TestThroughputsFit(t *testing.T) {
	const misfit = "row 1: its throughputs per GPU do not fit its numbers of GPUs"
	for more, want := range map[string]string{
		`"tp": 2, "output_tput_per_gpu": 5`:                                 "",
		`"tp": 2, "output_tput_per_gpu": 5.000004`:                          "",
		`"tp": 2, "output_tput_per_gpu": 5.00001`:                           misfit,
		`"tp": 2, "output_tput_per_gpu": 2, "input_tput_per_gpu": 3.000004`: "",
		`"tp": 2, "output_tput_per_gpu": 2, "input_tput_per_gpu": 2.99999`:  misfit,
		`"tp": 2, "output_tput_per_gpu": 2, "input_tput_per_gpu": 3.00001`:  misfit,
		`"tp": 2, "input_tput_per_gpu": 9`:                                  "",
		`"tp": 2, "output_tput_per_gpu": 0`:                                 "row 1: no token came out",
		`"tp": 2, "output_tput_per_gpu": 0, "mean_ttft": -1`:                "row 1: no token came out",
		`"tp": 2, "output_tput_per_gpu": -1, "input_tput_per_gpu": 9`: "row 1: output_tput_per_gpu is -1: want a " +
			"number from 0",
	} {
		if got := faultOf(t, more); got != want {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
	_, refused := rows(t, `{"conc": 8, "model": "m", "tput_per_gpu": 0, "tp": 1}`, imported.Labels{})
	if diff := cmp.Diff([]string{"row 1: no token came out"}, refused); diff != "" {
		t.Error(diff)
	}
}

// A row may say when it was measured in several ways, all of which are one time; in another zone it is another.
func TestDatesOfRows(t *testing.T) {
	at := time.Date(2026, 1, 31, 10, 20, 30, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-01-31T10:20:30Z": at, "2026-01-31T12:20:30+02:00": at,
		"2026-01-31T10:20:30.25Z": at.Add(250 * time.Millisecond),
		"2026-01-31T10:20:30":     at, "2026-01-31 10:20:30": at, "20260131-102030": at,
		"2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), "": written,
	} {
		r := one(t, fmt.Sprintf(`"tp": 2, "date": %q`, text))
		by := protocol.ByContent
		if text == "" {
			by = protocol.ByFile
		}
		if !r.MeasuredAt.Equal(want) || r.MeasuredAt.Location() != time.UTC || r.Provenance.Imported.Dated != by {
			t.Errorf("%q: %v by %s, want %v", text, r.MeasuredAt, r.Provenance.Imported.Dated, want)
		}
	}
	for _, text := range []string{"31.01.2026", "2026-02-30", "0000-01-01", "1769854830", " 2026-01-31"} {
		want := "row 1: date is " + text + ": want a date such as 2026-01-31 or 2026-01-31T10:00:00Z"
		if got := faultOf(t, fmt.Sprintf(`"tp": 2, "date": %q`, text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// A case is named by what tells it from others, in letters that every tool can show; what is off is left out.
func TestCaseNamesOfRows(t *testing.T) {
	for more, want := range map[string]string{
		`"tp": 2`: "m_tp2", `"tp": 2, "precision": "fp8"`: "m-fp8_tp2", `"tp": 2, "isl": 1024`: "m_tp2",
		`"tp": 2, "isl": 1, "osl": 2`: "m_isl1_osl2_tp2", `"tp": 2, "pp": 2, "ep": 4`: "m_tp2pp2ep4",
		`"tp": 2, "pp": 1, "ep": 1`: "m_tp2", `"tp": 2, "dp_attention": "false"`: "m_tp2",
		`"tp": 2, "mtp": "on", "framework": "a/b"`: "m_tp2_a_b_on", `"tp": 2, "mtp": "off"`: "m_tp2",
		`"tp": 2, "spec_decoding": "none"`: "m_tp2", `"tp": 2, "infmax_model_prefix": "own"`: "own_tp2",
		`"tp": 2, "prefill_tp": 4, "prefill_num_workers": 1, "decode_num_workers": 2, "decode_tp": 8, ` +
			`"num_prefill_gpu": 4, "num_decode_gpu": 16, "prefill_pp": 2`: "m_ctx1_tp4pp2_gen2_tp8",
	} {
		if r := one(t, more); r.Case != want || r.TestID != want {
			t.Errorf("%s: %s, %s, want %s", more, r.Case, r.TestID, want)
		}
	}
	list, _ := rows(t, `{"conc": 8, "model": "a/b:c", "tput_per_gpu": 5, "tp": 1}`, imported.Labels{TestID: "own"})
	if list[0].Case != "own" || list[0].TestID != "own" {
		t.Errorf("%s, %s", list[0].Case, list[0].TestID)
	}
	list, _ = rows(t, `{"conc": 8, "model": "a/b:c", "tput_per_gpu": 5, "tp": 1}`, imported.Labels{})
	if list[0].Case != "b_c_tp1" {
		t.Error(list[0].Case)
	}
}

// Upstream's names are given to what a row says, and to nothing else.
func TestDocumentOfRow(t *testing.T) {
	for more, want := range map[string]map[string]any{
		`"tp": 2`: {"s_model_name": "m", "l_tp": 2},
		`"tp": 2, "pp": 3, "ep": 4, "dp_attention": true, "isl": 5, "osl": 6, "framework": "f", "precision": "p", ` +
			`"hw": "h", "spec_decoding": "d"`: {
			"s_model_name": "m", "l_tp": 2, "l_pp": 3, "l_ep": 4, "b_enable_attention_dp": true, "l_isl": 5, "l_osl": 6,
			"s_framework": "f", "s_precision": "p", "s_gpu_type": "h", "s_spec_decoding_type": "d",
		},
		`"tp": 2, "num_decode_gpu": 2, "prefill_tp": 1, "prefill_pp": 2, "prefill_ep": 3, "decode_tp": 4, ` +
			`"decode_pp": 5, "decode_ep": 6, "prefill_num_workers": 7, "decode_num_workers": 8, ` +
			`"decode_dp_attention": "False"`: {
			"s_model_name": "m", "l_tp": 2, "l_ctx_tp": 1, "l_ctx_pp": 2, "l_ctx_ep": 3, "l_gen_tp": 4, "l_gen_pp": 5,
			"l_gen_ep": 6, "l_num_ctx_servers": 7, "l_num_gen_servers": 8, "b_gen_enable_attention_dp": false,
		},
	} {
		if diff := cmp.Diff(want, one(t, more).Document); diff != "" {
			t.Errorf("%s: %s", more, diff)
		}
	}
}
