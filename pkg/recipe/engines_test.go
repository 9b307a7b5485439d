package recipe_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// Blocks of a case in the usual words, and what each engine gets of them. The second server, its second node.
const (
	largeBlock = `
tensor_parallel_size: 8
pipeline_parallel_size: 2
moe_expert_parallel_size: 8
enable_attention_dp: true
max_seq_len: 9000
trust_remote_code: true
kv_cache_config: {tokens_per_block: 64, enable_block_reuse: true}
`
	smallBlock = `
tensor_parallel_size: 8
moe_expert_parallel_size: 1
enable_attention_dp: false
trust_remote_code: false
kv_cache_config: {enable_block_reuse: false}
`
)

var said = []struct {
	recipe string
	kind   roles.Kind
	block  string
	want   string
}{
	{
		"sglang", roles.Gen, largeBlock + "sglang: {mem-fraction-static: 0.8, moe-a2a-backend: deepep}",
		`model-path: "/models/m"
served-model-name: "m"
host: "10.0.0.7"
port: 30001
disaggregation-mode: "decode"
disaggregation-transfer-backend: "nixl"
nnodes: 2
node-rank: 1
tensor-parallel-size: 8
pipeline-parallel-size: 2
expert-parallel-size: 8
attn-dp-size: 8
context-length: 9000
page-size: 64
trust-remote-code: true
disaggregation-decode-enable-radix-cache: true
mem-fraction-static: 0.8
moe-a2a-backend: deepep
`,
	},
	{"sglang", roles.Ctx, smallBlock, `port: 31001
disaggregation-mode: "prefill"
disaggregation-bootstrap-port: 8999
model-path: "/models/m"
served-model-name: "m"
host: "10.0.0.7"
disaggregation-transfer-backend: "nixl"
nnodes: 2
node-rank: 1
tensor-parallel-size: 8
expert-parallel-size: 1
trust-remote-code: false
disable-radix-cache: true
`},
	{
		"vllm", roles.Gen, largeBlock + "max_batch_size: 64\nmax_num_tokens: 128\n" +
			"vllm: {kv-transfer-config: {kv_connector_extra_config: {backends: [UCX]}}}", `served-model-name: "m"
host: "10.0.0.7"
port: 30001
kv-transfer-config:
  kv_connector: "NixlConnector"
  kv_role: "kv_both"
  kv_connector_extra_config: {backends: [UCX]}
nnodes: 2
node-rank: 1
master-port: 29501
headless: true
tensor-parallel-size: 1
data-parallel-size: 8
pipeline-parallel-size: 2
enable-expert-parallel: true
max-model-len: 9000
max-num-seqs: 64
max-num-batched-tokens: 128
block-size: 64
trust-remote-code: true
`,
	},
	{"vllm", roles.Ctx, smallBlock, `port: 31001
served-model-name: "m"
host: "10.0.0.7"
kv-transfer-config:
  kv_connector: "NixlConnector"
  kv_role: "kv_both"
nnodes: 2
node-rank: 1
master-port: 29501
headless: true
tensor-parallel-size: 8
no-enable-prefix-caching: true
trust-remote-code: false
`},
}

// What a case asks of a server reaches the engine in its own words.
func TestEnginesOptions(t *testing.T) {
	for _, s := range said {
		t.Run(s.recipe+" "+string(s.kind), func(t *testing.T) {
			r, _, err := recipe.Load(s.recipe)
			if err != nil {
				t.Fatal(err)
			}
			files := r.Roles[s.kind].Files
			at := slices.IndexFunc(files, func(f recipe.File) bool { return f.Path == "engine.yaml" })
			got, err := files[at].Render(recipe.Data{
				Values: r.Values, Role: roles.Role{Kind: s.kind, Index: 1}, Rank: 1, Ranks: 2, Host: "10.0.0.7",
				ModelPath: "/models/m", Case: roles.Case{WorkerConfig: map[roles.Kind]string{s.kind: s.block}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.want, withoutComments(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func withoutComments(text string) string {
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
}
