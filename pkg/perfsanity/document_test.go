package perfsanity_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/roles"
)

// ofServer are the fields that upstream's database has of a server, without the prefix of type and of its kind.
const ofServer = `server_name model_name gpus tp ep pp cp gpus_per_node max_num_tokens max_batch_size max_seq_len
	disable_overlap_scheduler num_postprocess_workers stream_interval attn_backend enable_chunked_prefill
	enable_attention_dp trust_remote_code enable_lm_head_tp_in_adp serving_backend attention_dp_balance
	batching_wait_iters timeout_iters moe_backend moe_max_num_tokens use_low_precision_moe_combine
	load_balancer_num_slots load_balancer_layer_updates_per_iter enable_cuda_graph enable_padding
	cuda_graph_max_batch_size cuda_graph_batch_sizes kv_cache_dtype enable_block_reuse free_gpu_memory_fraction
	cache_transceiver_backend cache_transceiver_max_tokens_in_buffer spec_decoding_type num_nextn_predict_layers
	eagle3_layers_to_capture max_draft_len force_num_accepted_tokens speculative_model_dir eagle3_one_model
	server_log_link server_env_var`

// ofClient are those of a client.
const ofClient = `client_name concurrency iterations isl osl random_range_ratio dataset_file backend use_chat_template
	streaming trust_remote_code use_nv_sa_benchmark eos warmup client_log_link client_env_vars test_case_name`

// names are a document's, without the prefix of type, sorted.
func names(doc map[string]any) (list []string) {
	for name := range doc {
		_, rest, _ := strings.Cut(name, "_")
		list = append(list, rest)
	}
	slices.Sort(list)
	return list
}

// has checks some fields of a document.
func has(t *testing.T, doc, want map[string]any) {
	t.Helper()
	got := maps.Clone(doc)
	maps.DeleteFunc(got, func(name string, _ any) bool { _, asked := want[name]; return !asked })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A case of a disaggregated config has upstream's whole set of fields, those of servers once a kind.
func TestDocument(t *testing.T) {
	c := load(t, perfsanity.Source{Name: newest, Checkout: "/co", ModelsRoot: "/models"})
	want := []string{"runtime", "benchmark_mode", "server_env_var", "num_ctx_servers", "num_gen_servers"}
	for name := range strings.FieldsSeq(ofServer) {
		want = append(want, "ctx_"+name, "gen_"+name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names(c.Document)); diff != "" {
		t.Error(diff)
	}
	name := "e2e-" + c.Name
	has(t, c.Document, map[string]any{
		"s_runtime": "multi_node_disagg_server", "s_benchmark_mode": "e2e", "s_server_env_var": "GC=1",
		"l_num_ctx_servers": 2, "l_num_gen_servers": 1, "s_gen_server_name": name, "s_gen_model_name": "own_model",
		"l_gen_tp": 6, "l_gen_ep": 6, "l_gen_gpus": 6, "l_ctx_gpus": 2, "l_ctx_pp": 2, "l_gen_gpus_per_node": 4,
		"l_gen_max_batch_size": 16, "l_gen_max_num_tokens": 2048, "b_gen_enable_attention_dp": true,
		"b_gen_enable_cuda_graph": true, "s_gen_cuda_graph_batch_sizes": "1,2,4", "l_gen_load_balancer_num_slots": 0,
		"s_gen_spec_decoding_type": "Eagle3", "s_gen_speculative_model_dir": "eagle/hf", "l_gen_max_draft_len": 0,
		"d_gen_free_gpu_memory_fraction": 0.8, "s_gen_serving_backend": "pytorch",
		"s_ctx_server_env_var": "LOG=INFO SIZE=1GiB PYTHONWARNINGS=ignore::X:a.b ALLOC=expandable_segments:True",
	})
	if len(c.PointDocuments) != 1 {
		t.Fatalf("%d points", len(c.PointDocuments))
	}
	if diff := cmp.Diff(slices.Sorted(strings.FieldsSeq(ofClient)), names(c.PointDocuments[0])); diff != "" {
		t.Error(diff)
	}
	has(t, c.PointDocuments[0], map[string]any{
		"s_client_name": "con30_iter10_isl8192_osl1024", "l_concurrency": 30, "l_iterations": 10, "l_isl": 8192,
		"s_test_case_name": name + "-con30_iter10_isl8192_osl1024", "b_eos": true, "b_streaming": true,
		"s_dataset_file": "<dataset_file>", "b_warmup": false, "b_use_nv_sa_benchmark": false,
	})
}

// What measures prefill alone is a server by itself, without a kind in its fields' names; so is an aggregated config's.
func TestDocumentOfOneServer(t *testing.T) {
	c := load(t, perfsanity.Source{Name: newest, Mode: "ctx_only", Checkout: "/co", ModelsRoot: "/models"})
	want := append(slices.Collect(strings.FieldsSeq(ofServer)), "runtime")
	slices.Sort(want)
	if diff := cmp.Diff(want, names(c.Document)); diff != "" {
		t.Error(diff)
	}
	has(t, c.Document, map[string]any{
		"s_runtime": "multi_node_aggr_server", "l_gpus": 2, "l_gpus_per_node": 4, "s_server_name": "ctx_only-" + c.Name,
	})
	has(t, c.PointDocuments[0], map[string]any{"l_osl": 1, "s_dataset_file": ""})
	agg, _, err := perfsanity.Load(aggregatedSource("perf/test_perf_sanity.py::test_e2e[aggr_upload-cfg-r1_dep8]"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, names(agg.Document)); diff != "" {
		t.Error(diff)
	}
	has(t, agg.Document, map[string]any{"s_server_name": "r1_dep8", "s_runtime": "multi_node_aggr_server"})
	if len(agg.PointDocuments) != 2 || agg.PointDocuments[1]["l_concurrency"] != 8 {
		t.Errorf("%v", agg.PointDocuments)
	}
}

// A server may have no key of the engine's at all.
func TestDocumentWithoutEngineKeys(t *testing.T) {
	test := perfsanity.Newest()
	c, _, err := perfsanity.Load(perfsanity.Source{
		Name: "perf/test_perf_sanity.py::test_e2e[aggr-cfg-bare]", Checkout: "/co", Test: &test,
		Read: func(string) ([]byte, error) {
			return []byte(`metadata: {model_name: m}
hardware: {gpus_per_node: 4}
server_configs: [{name: bare, tensor_parallel_size: 8, client_configs: [{concurrency: 1}]}]
`), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	has(t, c.Document, map[string]any{"l_tp": 8, "l_gpus": 8, "s_kv_cache_dtype": "fp8"})
}

// Variables and settings that upstream has under two names, or as one or a list, come out as it has them.
func TestDocumentOddities(t *testing.T) {
	text := `metadata: {model_name: Own_Model}
hardware: {gpus_per_node: 4, num_ctx_servers: 0, num_gen_servers: 1}
benchmark: {mode: gen_only, concurrency_list: "1", multi_round: 8}
environment: {gen_worker_env_var: TLLM_SPEC_DECODE_FORCE_NUM_ACCEPTED_TOKENS=2.8}
worker_config:
  gen:
    speculative_config: {decoding_type: MTP, num_nextn_predict_layers: 3, eagle3_layers_to_capture: -1}
    moe_config: {load_balancer: {num_slots: 288}}
    cuda_graph_config: {}
`
	c, _, err := perfsanity.Load(perfsanity.Source{Name: "x.yaml", Read: func(string) ([]byte, error) {
		return []byte(text), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	has(t, c.Document, map[string]any{
		"l_gen_max_draft_len": 3, "l_gen_num_nextn_predict_layers": 3, "s_gen_eagle3_layers_to_capture": "-1",
		"l_gen_load_balancer_num_slots": 288, "b_gen_enable_cuda_graph": false, "s_gen_model_name": "own_model",
		"l_gen_force_num_accepted_tokens": 2, "l_num_ctx_servers": 0,
	})
	for name := range c.Document {
		if strings.Contains(name, "_ctx_") && name != "l_num_ctx_servers" {
			t.Errorf("%s, although no prefill server takes part", name)
		}
	}
	has(t, c.PointDocuments[0], map[string]any{"l_iterations": 1, "b_warmup": true, "b_eos": true})
	if c.Servers[roles.Gen].Count != 1 {
		t.Errorf("%+v", c.Servers)
	}
}
