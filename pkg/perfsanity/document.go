package perfsanity

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/yamlfile"
)

// Upstream's database has a document for every point, flat, with names that tell their types. What follows are the
// fields of servers, as the class ServerConfig of upstream's test has them: from where in a worker's block they come,
// and what they are where the block does not say it.

// engineField is a field that is a key of a worker's block.
type engineField struct {
	name string // as an aggregated server has it
	path string // in the block
	none any    // its value if the block has no such key
}

var engineFields = [...]engineField{
	{"l_tp", "tensor_parallel_size", 1},
	{"l_ep", "moe_expert_parallel_size", 1},
	{"l_pp", "pipeline_parallel_size", 1},
	{"l_cp", "context_parallel_size", 1},
	{"l_max_num_tokens", "max_num_tokens", 2048},
	{"l_max_batch_size", "max_batch_size", 512},
	{"l_max_seq_len", "max_seq_len", 0},
	{"b_disable_overlap_scheduler", "disable_overlap_scheduler", false},
	{"l_num_postprocess_workers", "num_postprocess_workers", 0},
	{"l_stream_interval", "stream_interval", 10},
	{"s_attn_backend", "attn_backend", "TRTLLM"},
	{"b_enable_chunked_prefill", "enable_chunked_prefill", false},
	{"b_enable_attention_dp", "enable_attention_dp", false},
	{"b_trust_remote_code", "trust_remote_code", false},
	{"b_enable_lm_head_tp_in_adp", "enable_lm_head_tp_in_adp", false},
	{"s_serving_backend", "backend", "pytorch"},
	{"b_attention_dp_balance", "attention_dp_config.enable_balance", false},
	{"l_batching_wait_iters", "attention_dp_config.batching_wait_iters", 0},
	{"l_timeout_iters", "attention_dp_config.timeout_iters", 60},
	{"s_moe_backend", "moe_config.backend", ""},
	{"l_moe_max_num_tokens", "moe_config.max_num_tokens", 0},
	{"b_use_low_precision_moe_combine", "moe_config.use_low_precision_moe_combine", false},
	{"l_load_balancer_num_slots", "moe_config.load_balancer.num_slots", 0},
	{"l_load_balancer_layer_updates_per_iter", "moe_config.load_balancer.layer_updates_per_iter", 0},
	{"b_enable_padding", "cuda_graph_config.enable_padding", true},
	{"l_cuda_graph_max_batch_size", "cuda_graph_config.max_batch_size", 0},
	{"s_kv_cache_dtype", "kv_cache_config.dtype", "fp8"},
	{"b_enable_block_reuse", "kv_cache_config.enable_block_reuse", false},
	{"d_free_gpu_memory_fraction", "kv_cache_config.free_gpu_memory_fraction", 0.8},
	{"s_cache_transceiver_backend", "cache_transceiver_config.backend", ""},
	{"l_cache_transceiver_max_tokens_in_buffer", "cache_transceiver_config.max_tokens_in_buffer", 0},
	{"s_spec_decoding_type", "speculative_config.decoding_type", ""},
	{"s_speculative_model_dir", "speculative_config.speculative_model", ""},
	{"b_eagle3_one_model", "speculative_config.eagle3_one_model", false},
}

// draftPaths are where the length of a draft may stand, the newest first.
var draftPaths = [...]string{"speculative_config.max_draft_len", "speculative_config.num_nextn_predict_layers"}

// forcedTokens is the variable that makes speculative decoding accept a fixed number of tokens.
const forcedTokens = "TLLM_SPEC_DECODE_FORCE_NUM_ACCEPTED_TOKENS"

// server is what a document says of a kind of server.
type server struct {
	name, model string
	gpusPerNode int
	block       map[string]any
	env         []roles.Var
}

// fields are the document's, by the names that an aggregated server has them under.
func (s server) fields() map[string]any {
	doc := map[string]any{"s_server_name": s.name, "s_model_name": strings.ToLower(s.model), "s_server_log_link": ""}
	for _, f := range engineFields {
		doc[f.name] = f.none
		if v := plain(at(s.block, f.path)); v != nil {
			doc[f.name] = v
		}
	}
	sizes := 1
	for _, name := range []string{"l_tp", "l_pp", "l_cp"} {
		if n, ok := doc[name].(int); ok {
			sizes *= n
		}
	}
	doc["l_gpus"], doc["l_gpus_per_node"] = sizes, s.gpusPerNode
	if n := plain(at(s.block, "gpus")); n != nil {
		doc["l_gpus"] = n
	}
	graphs, _ := at(s.block, "cuda_graph_config").(map[string]any)
	doc["b_enable_cuda_graph"] = len(graphs) > 0
	doc["s_cuda_graph_batch_sizes"] = listed(at(s.block, "cuda_graph_config.batch_sizes"))
	doc["s_eagle3_layers_to_capture"] = listed(at(s.block, "speculative_config.eagle3_layers_to_capture"))
	doc["l_max_draft_len"] = 0
	for _, path := range slices.Backward(draftPaths[:]) {
		if v := plain(at(s.block, path)); v != nil {
			doc["l_max_draft_len"] = v
		}
	}
	doc["l_num_nextn_predict_layers"] = doc["l_max_draft_len"]
	doc["s_server_env_var"], doc["l_force_num_accepted_tokens"] = envText(s.env), 0
	for _, v := range s.env {
		if n, err := strconv.ParseFloat(v.Value, 64); v.Name == forcedTokens && err == nil {
			doc["l_force_num_accepted_tokens"] = int(n)
		}
	}
	return doc
}

// at is the value at a path of keys, nil if there is none: a key on the way may also be a text, such as the file that
// stands for a load balancer.
func at(block map[string]any, path string) any {
	var v any = block
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// plain is a value that a field can have, nil for any other: a list, a mapping, and what JSON has no word for.
func plain(v any) any {
	switch n := v.(type) {
	case string, bool, int, uint64:
		return v
	case float64:
		if !math.IsNaN(n) && !math.IsInf(n, 0) {
			return v
		}
	}
	return nil
}

// listed is a list of numbers as a text, or a single one.
func listed(v any) string {
	list, ok := v.([]any)
	if !ok {
		if v == nil {
			return ""
		}
		list = []any{v}
	}
	var words []string
	for _, item := range list {
		words = append(words, fmt.Sprint(item))
	}
	return strings.Join(words, ",")
}

// envText is variables as upstream's configs have them.
func envText(env []roles.Var) string {
	var words []string
	for _, v := range env {
		words = append(words, v.Name+"="+v.Value)
	}
	return strings.Join(words, " ")
}

// ofKind puts a kind's name after the prefix of type, as documents of disaggregated tests have it.
func ofKind(doc map[string]any, kind string) map[string]any {
	out := map[string]any{}
	for name, v := range doc {
		prefix, rest, _ := strings.Cut(name, "_")
		out[prefix+"_"+kind+"_"+rest] = v
	}
	return out
}

// mapping decodes a block for its values alone.
func mapping(b yamlfile.Block, file, key string) (map[string]any, error) {
	m := map[string]any{}
	if b.Absent() {
		return m, nil
	}
	return m, b.Decode(file, key, &m)
}

// client is what a document says of the client of one point.
type client struct {
	roles.PointLoad
	name                             string
	concurrency                      int
	streaming, sa, warmup, eos, chat bool
	backend                          string
	env                              []roles.Var
}

func (c client) fields() map[string]any {
	name := c.name
	if name == "" {
		name = fmt.Sprintf("con%d_iter%d_isl%d_osl%d", c.concurrency, c.Rounds, c.InputLength, c.OutputLength)
	}
	return map[string]any{
		"s_client_name": name, "l_concurrency": c.concurrency, "l_iterations": c.Rounds, "l_isl": c.InputLength,
		"l_osl": c.OutputLength, "d_random_range_ratio": c.RangeRatio, "s_dataset_file": c.Dataset,
		"s_backend": c.backend, "b_use_chat_template": c.chat, "b_streaming": c.streaming, "b_trust_remote_code": true,
		"b_use_nv_sa_benchmark": c.sa, "b_eos": c.eos, "b_warmup": c.warmup, "s_client_log_link": "",
		"s_client_env_vars": envText(c.env),
	}
}

// documents fills in upstream's fields of a case of a disaggregated config.
func (c config) documents(out *roles.Case, f form, file string) error {
	name := fmt.Sprintf("%s-%s", f.Mode, f.id.Config)
	env := map[roles.Kind][]roles.Var{
		roles.Gen: slices.Concat(c.Environment.Worker, c.Environment.GenWorker),
		roles.Ctx: slices.Concat(c.Environment.Worker, c.Environment.CtxWorker),
	}
	servers := map[roles.Kind]map[string]any{}
	for kind, b := range map[roles.Kind]yamlfile.Block{roles.Gen: c.WorkerConfig.Gen, roles.Ctx: c.WorkerConfig.Ctx} {
		if out.Servers[kind].Count == 0 {
			continue
		}
		block, err := mapping(b, file, "worker_config")
		if err != nil {
			return err
		}
		servers[kind] = server{
			name: name, model: c.Metadata.ModelName, gpusPerNode: out.GPUsPerNode, block: block, env: env[kind],
		}.fields()
	}
	out.Document = disaggregated(servers, out, c.Environment.Server)
	if f.id.Aggregated {
		out.Document = aggregatedDocument(servers[roles.Ctx], servers[roles.Gen])
	}
	speculative := false
	for _, doc := range servers {
		speculative = speculative || doc["s_spec_decoding_type"] != ""
	}
	dataset := c.Benchmark.DatasetFile
	if f.Mode == CtxOnly {
		dataset = ""
	}
	for i, concurrency := range out.Load.Concurrency {
		load := out.Load.Of(i)
		load.Dataset = dataset
		out.PointDocuments = append(out.PointDocuments, client{
			PointLoad: load, concurrency: concurrency, streaming: out.Load.Streaming, sa: out.Load.Client == saClient,
			warmup: f.Mode == GenOnly && concurrency == 1, eos: speculative, backend: "openai",
			env: c.Environment.Client,
		}.document(name))
	}
	return nil
}

// document is the fields with the name of the test case, which the client's is part of.
func (c client) document(server string) map[string]any {
	doc := c.fields()
	doc["s_test_case_name"] = fmt.Sprintf("%s-%s", server, doc["s_client_name"])
	return doc
}

func disaggregated(servers map[roles.Kind]map[string]any, c *roles.Case, env []roles.Var) map[string]any {
	doc := map[string]any{
		"s_runtime": "multi_node_disagg_server", "s_benchmark_mode": c.Mode, "s_server_env_var": envText(env),
		"l_num_ctx_servers": c.Servers[roles.Ctx].Count, "l_num_gen_servers": c.Servers[roles.Gen].Count,
	}
	for kind, name := range map[roles.Kind]string{roles.Ctx: "ctx", roles.Gen: "gen"} {
		maps.Copy(doc, ofKind(servers[kind], name))
	}
	return doc
}

// aggregatedDocument is of the one server that a test of one server has.
func aggregatedDocument(either ...map[string]any) map[string]any {
	doc := map[string]any{}
	for _, server := range either {
		maps.Copy(doc, server)
	}
	doc["s_runtime"] = "aggr_server"
	if doc["l_gpus"] != doc["l_gpus_per_node"] {
		doc["s_runtime"] = "multi_node_aggr_server"
	}
	return doc
}

// documents fills in upstream's fields of a case of an aggregated config.
func (s aggServer) documents(out *roles.Case, env []roles.Var) {
	block := map[string]any{}
	maps.Copy(block, s.Engine)
	for key, n := range map[string]int{
		"tensor_parallel_size": s.Tensor, "pipeline_parallel_size": s.Pipeline, "context_parallel_size": s.Context,
	} {
		if n > 0 {
			block[key] = n
		}
	}
	server := server{name: s.Name, model: out.Model, gpusPerNode: out.GPUsPerNode, block: block, env: env}.fields()
	out.Document = aggregatedDocument(server)
	for i, c := range s.Clients {
		load := out.Load.Of(i)
		text := func(key, none string) string {
			if v, ok := c.Others[key].(string); ok {
				return v
			}
			return none
		}
		is := func(key string, none bool) bool {
			if v, ok := c.Others[key].(bool); ok {
				return v
			}
			return none
		}
		out.PointDocuments = append(out.PointDocuments, client{
			PointLoad: load, name: c.Name, concurrency: max(c.Concurrency, 1), streaming: is("streaming", true),
			sa: c.SAClient, eos: server["s_spec_decoding_type"] != "", backend: text("backend", "openai"),
			chat: is("use_chat_template", false),
		}.document(s.Name))
	}
}
