package results

import (
	"fmt"
	"maps"
	"strings"
)

// flatField is a field of a flat result, and the metric that its value is.
type flatField struct {
	key, metric string
	required    bool
}

// flatClient describes a client whose result is one flat object: vLLM's, and SGLang's, which was made from the same
// code.
type flatClient struct {
	fields []flatField
	// more reads what is the client's own.
	more func(o object, r *reading)
}

// latencies lists the fields of latencies, in milliseconds, whose keys are spelled like p99_ttft_ms. e2el is the
// client's word for the latency of a request; required names the latencies of which it always writes mean and median.
func latencies(e2el, required string) (list []flatField) {
	for _, of := range []string{"ttft", "tpot", "itl", "e2el"} {
		for _, stat := range []string{"mean", "median", "p90", "p95", "p99"} {
			list = append(list, flatField{
				key:      fmt.Sprintf("%s_%s_ms", stat, strings.Replace(of, "e2el", e2el, 1)),
				metric:   stat + "_" + of,
				required: strings.HasPrefix(stat, "me") && strings.Contains(required, of),
			})
		}
	}
	return list
}

// client makes a client of the description.
func (f flatClient) client() objectClient {
	return objectClient{
		is:   func(o object) bool { return o["completed"] != nil && o["duration"] != nil },
		load: flatLoad,
		read: f.read,
	}
}

// flatLoad compares the concurrency that the client was asked for, if it says so.
func flatLoad(o object, concurrency int) string {
	const key = "max_concurrency"
	if o[key] == nil {
		return ""
	}
	if string(o[key]) == "null" {
		return fmt.Sprintf("the client had no bound on its concurrency: the case asks for %d", concurrency)
	}
	return otherLoad(o, key, concurrency)
}

// otherLoad tells that a field has another concurrency than the one asked for.
func otherLoad(o object, key string, concurrency int) string {
	switch n, err := o.count(key); {
	case err != nil:
		return fmt.Sprintf("%s of the client's result %v", key, err)
	case n != concurrency:
		return fmt.Sprintf("the client measured concurrency %d: the case asks for %d", n, concurrency)
	}
	return ""
}

func (f flatClient) read(o object, r *reading) {
	r.point.Successful = r.count(o, "completed", "completed", 0)
	r.failed = -1
	r.details(o)
	f.more(o, r)
	for _, field := range f.fields {
		r.metric(o, field.key, field.key, field.metric, field.required)
	}
	if v, have := r.point.Metrics["mean_ttft"]; have && v == 0 {
		note(&r.missing, "mean_ttft_ms is 0: the client saw no first token")
	}
	r.dropUnmeasured()
}

// dropUnmeasured drops latencies between tokens that are 0. Both clients write that if every answer has one token.
func (r *reading) dropUnmeasured() {
	for _, of := range []string{"tpot", "itl"} {
		if r.point.Metrics["mean_"+of] == 0 {
			maps.DeleteFunc(r.point.Metrics, func(name string, _ float64) bool {
				return strings.HasSuffix(name, "_"+of)
			})
		}
	}
}

// details reads what the clients write of each request if they are asked to: which have failed, and which brought no
// token although they count as complete. To those vLLM's client gives no length, and SGLang's no time of a first token.
func (r *reading) details(o object) {
	faults, lengths, firsts := o.texts("errors"), o.numbers("output_lens"), o.numbers("ttfts")
	if n := len(faults); n == 0 || len(lengths) != n || len(firsts) != n {
		return
	}
	r.failed, r.asked = 0, len(faults)
	silent := 0
	for i, fault := range faults {
		switch {
		case fault != "":
			r.failed++
		case lengths[i] == 0 || firsts[i] == 0:
			silent++
		}
	}
	if silent > 0 {
		note(&r.empty, "%d of %d requests got no token", silent, len(faults))
	}
}
