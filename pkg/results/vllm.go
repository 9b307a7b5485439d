package results

import "sync"

// vllmClient is vLLM's `vllm bench serve --save-result`: one flat object in a file, or one per line with
// --append-result. It writes the latency of requests only if --percentile-metrics has e2el, and the percentiles of
// --metric-percentiles. Its acceptance length is that of the measured requests, the difference of the server's
// counters.
var vllmClient = sync.OnceValue(func() objectClient {
	return flatClient{
		fields: append([]flatField{
			{"request_throughput", "seq_throughput", true},
			{"output_throughput", "token_throughput", true},
			{"total_token_throughput", "total_token_throughput", true},
			{"spec_decode_acceptance_length", acceptance, false},
		}, latencies("e2el", "ttft tpot itl")...),
		more: vllmRequests,
	}.client()
})

func newVLLMParser(w Want) Parser { return vllmClient().parser(w) }

// vllmRequests reads how many requests there were. Versions that do not count failures leave failed requests out.
func vllmRequests(o object, r *reading) {
	r.asked = r.count(o, "num_prompts", "num_prompts", r.asked)
	left := max(r.asked-r.point.Successful, 0)
	r.failed = r.count(o, "failed", "failed", max(r.failed, left))
}
