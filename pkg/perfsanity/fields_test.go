package perfsanity

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// upstreamsFields are the fields of a server as the class ServerConfig of upstream's test has them: where each comes
// from, and what it is where a block does not say it.
var upstreamsFields = map[string]struct {
	path string
	none any
}{
	"l_tp": {"tensor_parallel_size", 1}, "l_pp": {"pipeline_parallel_size", 1}, "l_cp": {"context_parallel_size", 1},
	"l_ep":                                     {"moe_expert_parallel_size", 1},
	"l_max_num_tokens":                         {"max_num_tokens", 2048},
	"l_max_batch_size":                         {"max_batch_size", 512},
	"l_max_seq_len":                            {"max_seq_len", 0},
	"b_disable_overlap_scheduler":              {"disable_overlap_scheduler", false},
	"l_num_postprocess_workers":                {"num_postprocess_workers", 0},
	"l_stream_interval":                        {"stream_interval", 10},
	"s_attn_backend":                           {"attn_backend", "TRTLLM"},
	"b_enable_chunked_prefill":                 {"enable_chunked_prefill", false},
	"b_enable_attention_dp":                    {"enable_attention_dp", false},
	"b_trust_remote_code":                      {"trust_remote_code", false},
	"b_enable_lm_head_tp_in_adp":               {"enable_lm_head_tp_in_adp", false},
	"s_serving_backend":                        {"backend", "pytorch"},
	"b_attention_dp_balance":                   {"attention_dp_config.enable_balance", false},
	"l_batching_wait_iters":                    {"attention_dp_config.batching_wait_iters", 0},
	"l_timeout_iters":                          {"attention_dp_config.timeout_iters", 60},
	"s_moe_backend":                            {"moe_config.backend", ""},
	"l_moe_max_num_tokens":                     {"moe_config.max_num_tokens", 0},
	"b_use_low_precision_moe_combine":          {"moe_config.use_low_precision_moe_combine", false},
	"l_load_balancer_num_slots":                {"moe_config.load_balancer.num_slots", 0},
	"l_load_balancer_layer_updates_per_iter":   {"moe_config.load_balancer.layer_updates_per_iter", 0},
	"b_enable_padding":                         {"cuda_graph_config.enable_padding", true},
	"l_cuda_graph_max_batch_size":              {"cuda_graph_config.max_batch_size", 0},
	"s_cuda_graph_batch_sizes":                 {"cuda_graph_config.batch_sizes", ""},
	"s_kv_cache_dtype":                         {"kv_cache_config.dtype", "fp8"},
	"b_enable_block_reuse":                     {"kv_cache_config.enable_block_reuse", false},
	"d_free_gpu_memory_fraction":               {"kv_cache_config.free_gpu_memory_fraction", 0.8},
	"s_cache_transceiver_backend":              {"cache_transceiver_config.backend", ""},
	"l_cache_transceiver_max_tokens_in_buffer": {"cache_transceiver_config.max_tokens_in_buffer", 0},
	"s_spec_decoding_type":                     {"speculative_config.decoding_type", ""},
	"s_speculative_model_dir":                  {"speculative_config.speculative_model", ""},
	"b_eagle3_one_model":                       {"speculative_config.eagle3_one_model", false},
	"s_eagle3_layers_to_capture":               {"speculative_config.eagle3_layers_to_capture", ""},
	"l_max_draft_len":                          {"speculative_config.max_draft_len", 0},
	"l_num_nextn_predict_layers":               {"speculative_config.num_nextn_predict_layers", 0},
}

// block is a worker's block in which one path has a value.
func block(path string, value any) map[string]any {
	first, rest, more := strings.Cut(path, ".")
	if more {
		value = block(rest, value)
	}
	return map[string]any{first: value}
}

// Each field comes from its own key, and has upstream's value where the key is not there.
func TestFieldsAndTheirKeys(t *testing.T) {
	bare := server{}.fields()
	for name, f := range upstreamsFields {
		if bare[name] != f.none {
			t.Errorf("%s: %v where nothing is said, want %v", name, bare[name], f.none)
		}
		for other, value := range (server{block: block(f.path, "7")}).fields() {
			is, same := value == "7", upstreamsFields[other].path == f.path
			if same != is && other != "l_max_draft_len" && other != "l_num_nextn_predict_layers" {
				t.Errorf("%s: from %s it is %v", other, f.path, value)
			}
		}
	}
}

// A draft's length has two keys, of which the newest counts, and two names.
func TestDraftLength(t *testing.T) {
	both := server{block: block("speculative_config", map[string]any{
		"max_draft_len": 3, "num_nextn_predict_layers": 2,
	})}.fields()
	older := server{block: block("speculative_config.num_nextn_predict_layers", 2)}.fields()
	for doc, want := range map[*map[string]any]int{&both: 3, &older: 2} {
		if (*doc)["l_max_draft_len"] != want || (*doc)["l_num_nextn_predict_layers"] != want {
			t.Errorf("%v and %v, want %d", (*doc)["l_max_draft_len"], (*doc)["l_num_nextn_predict_layers"], want)
		}
	}
}

// GPUs are the product of the sizes, unless the block says them itself.
func TestGPUsField(t *testing.T) {
	for want, b := range map[int]map[string]any{
		1:  {},
		24: {"tensor_parallel_size": 2, "pipeline_parallel_size": 3, "context_parallel_size": 4},
		2:  {"tensor_parallel_size": 2, "pipeline_parallel_size": "three"},
		5:  {"tensor_parallel_size": 2, "gpus": 5},
	} {
		doc := server{block: b, gpusPerNode: 4}.fields()
		if doc["l_gpus"] != want || doc["l_gpus_per_node"] != 4 {
			t.Errorf("%v: %v of %v a node, want %d", b, doc["l_gpus"], doc["l_gpus_per_node"], want)
		}
	}
}

// A field holds a single value. Any other, and a number that JSON has no word for, is as if it was not said.
func TestFieldsHoldSingleValues(t *testing.T) {
	for _, v := range []any{
		math.NaN(), math.Inf(1), math.Inf(-1), []any{1}, map[string]any{"a": 1}, map[any]any{1: 2}, nil,
	} {
		doc := server{block: map[string]any{"max_batch_size": v, "gpus": v, "tensor_parallel_size": 2}}.fields()
		if doc["l_max_batch_size"] != 512 || doc["l_gpus"] != 2 {
			t.Errorf("%v: %v, %v", v, doc["l_max_batch_size"], doc["l_gpus"])
		}
		draft := server{block: block("speculative_config.max_draft_len", v)}.fields()
		if draft["l_max_draft_len"] != 0 {
			t.Errorf("%v: a draft of %v", v, draft["l_max_draft_len"])
		}
	}
	for _, v := range []any{"x", true, 5, 0.5, uint64(math.MaxUint64)} {
		if doc := (server{block: map[string]any{"max_batch_size": v}}).fields(); doc["l_max_batch_size"] != v {
			t.Errorf("%v: %v", v, doc["l_max_batch_size"])
		}
	}
}

// A key on the way may be a text, such as the file that stands for a load balancer: there is nothing below it.
func TestAt(t *testing.T) {
	b := map[string]any{"moe_config": map[string]any{"load_balancer": "slots.yaml", "none": nil}}
	for path, want := range map[string]any{
		"moe_config.load_balancer": "slots.yaml", "moe_config.load_balancer.num_slots": nil, "moe_config.none": nil,
		"moe_config.none.x": nil, "other.x": nil, "": nil,
	} {
		if got := at(b, path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

// A list is a text with commas; a single value is a list of one.
func TestListed(t *testing.T) {
	for want, v := range map[string]any{"": nil, "-1": -1, "1,2,x": []any{1, 2, "x"}, "y": "y"} {
		if got := listed(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if got := listed([]any{}); got != "" {
		t.Errorf("an empty list is %q", got)
	}
}

// Only the variable of its name forces a number of accepted tokens, and only by a number; of several the last counts.
func TestForcedTokens(t *testing.T) {
	for want, env := range map[int][]roles.Var{
		0: {{Name: "X", Value: "3"}, {Name: forcedTokens, Value: "many"}},
		4: {{Name: forcedTokens, Value: "3"}, {Name: forcedTokens, Value: "4.9"}},
	} {
		doc := server{env: env}.fields()
		if doc["l_force_num_accepted_tokens"] != want || doc["s_server_env_var"] != envText(env) {
			t.Errorf("%v: %v, %v", env, doc["l_force_num_accepted_tokens"], doc["s_server_env_var"])
		}
	}
}

// A client has a name of its own or one of what it applies, and its test case is named after it and its server.
func TestClientFields(t *testing.T) {
	load := roles.PointLoad{Rounds: 2, InputLength: 3, OutputLength: 4, RangeRatio: 0.5, Dataset: "d"}
	c := client{
		PointLoad: load, concurrency: 5, streaming: true, sa: true, warmup: true, eos: true, chat: true, backend: "b",
		env: []roles.Var{{Name: "A", Value: "1"}, {Name: "B"}},
	}
	want := map[string]any{
		"s_client_name": "con5_iter2_isl3_osl4", "s_test_case_name": "s-con5_iter2_isl3_osl4", "l_concurrency": 5,
		"l_iterations": 2, "l_isl": 3, "l_osl": 4, "d_random_range_ratio": 0.5, "s_dataset_file": "d", "s_backend": "b",
		"b_use_chat_template": true, "b_streaming": true, "b_trust_remote_code": true, "b_use_nv_sa_benchmark": true,
		"b_eos": true, "b_warmup": true, "s_client_log_link": "", "s_client_env_vars": "A=1 B=",
	}
	if diff := cmp.Diff(want, c.document("s")); diff != "" {
		t.Error(diff)
	}
	c.name = "own"
	if doc := c.document("s"); doc["s_client_name"] != "own" || doc["s_test_case_name"] != "s-own" {
		t.Errorf("%v", doc)
	}
}

// A block that cannot be decoded for its values is an error by file and key; one that is not there has none.
func TestMapping(t *testing.T) {
	b, err := yamlfile.ParseBlock("c.yaml", "[1]")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mapping(b, "c.yaml", "worker_config"); err == nil || !strings.HasPrefix(err.Error(), "c.yaml:") {
		t.Errorf("%v", err)
	}
	if m, err := mapping(yamlfile.Block{}, "c.yaml", "worker_config"); err != nil || len(m) != 0 {
		t.Errorf("%v, %v", m, err)
	}
}

// What a disaggregated case's clients are: with the client's variables, warmed up where a single request decodes alone.
func TestPointDocuments(t *testing.T) {
	for mode, warm := range map[string]bool{"e2e": false, "gen_only": true, "ctx_only": false} {
		c, err := loadBlocks("benchmark: {mode: "+mode+", concurrency_list: 1, use_nv_sa_benchmark: true, "+
			"benchmark_ratio: 0.5, dataset_file: d}", "environment: {client_env_var: A=1, benchmark_env_var: B=2}")
		if err != nil || len(c.PointDocuments) != 1 {
			t.Fatalf("%s: %v, %v", mode, c.PointDocuments, err)
		}
		doc := c.PointDocuments[0]
		if doc["b_warmup"] != warm || doc["s_client_env_vars"] != "A=1" || doc["b_use_nv_sa_benchmark"] != true ||
			doc["b_eos"] != false || doc["s_backend"] != "openai" || doc["d_random_range_ratio"] != 0.5 {
			t.Errorf("%s: %v", mode, doc)
		}
	}
}
