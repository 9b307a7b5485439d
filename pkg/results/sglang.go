package results

import "sync"

// sglangClient is SGLang's `sglang.bench_serving --output-file`: one flat object a line, appended to what is there.
//
// It counts no failed requests, unless --output-details lists them. A request counts as complete, with all the tokens
// that were asked for, even if its stream ended early or brought nothing: that nothing came the count of tokens of the
// text tells (retokenized). What it calls accept_length is of the server's whole life, not of the point, and is not
// read.
var sglangClient = sync.OnceValue(func() objectClient {
	return flatClient{
		fields: append([]flatField{
			{"request_throughput", "seq_throughput", true},
			{"output_throughput", "token_throughput", true},
			{"total_throughput", "total_token_throughput", false}, // older versions have none
		}, latencies("e2e_latency", "ttft tpot itl e2el")...),
		more: sglangTokens,
	}.client()
})

func newSGLangParser(w Want) Parser { return sglangClient().parser(w) }

func sglangTokens(o object, r *reading) {
	const key = "total_output_tokens_retokenized"
	if n, err := o.count(key); err == nil && n == 0 {
		note(&r.empty, "no token came out (%s is 0)", key)
	}
}
