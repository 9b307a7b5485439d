package results

import (
	"fmt"
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
	// Both clients write 0 if they saw no stream: that is no measurement.
	if v, have := r.point.Metrics["mean_ttft"]; have && v == 0 {
		note(&r.missing, "mean_ttft_ms is 0: the client saw no first token")
	}
}

// details reads what the clients write of each request if they are asked to: which have failed, and which brought
// nothing although they count as complete.
func (r *reading) details(o object) {
	faults, texts := o.texts("errors"), o.texts("generated_texts")
	if faults == nil {
		return
	}
	r.failed, r.asked = 0, len(faults)
	silent := 0
	for i, fault := range faults {
		if fault != "" {
			r.failed++
		} else if len(texts) == len(faults) && texts[i] == "" {
			silent++
		}
	}
	if silent > 0 {
		note(&r.empty, "%d of %d requests got no token", silent, len(faults))
	}
}
