package results

import (
	"encoding/json"
	"fmt"
	"strings"
)

// aiperfMetric is a metric of aiperf's, and what it is called here.
type aiperfMetric struct {
	tags     []string // its names, which have changed between versions
	unit     string
	metric   string // the whole name of a throughput; of a latency, what follows mean_
	required bool
}

// aiperfMetrics lists what is read. What aiperf calls inter-token latency is the time per output token of a request;
// the time between two pieces of a stream is its inter-chunk latency.
var aiperfMetrics = []aiperfMetric{
	{[]string{"request_throughput"}, "requests/sec", "seq_throughput", true},
	{[]string{"output_token_throughput"}, "tokens/sec", "token_throughput", true},
	{[]string{"total_token_throughput"}, "tokens/sec", "total_token_throughput", false}, // since 0.4
	{[]string{"time_to_first_token", "ttft"}, "ms", "ttft", true},
	{[]string{"inter_token_latency"}, "ms", "tpot", false}, // there is none if every answer has one token
	{[]string{"inter_chunk_latency"}, "ms", "itl", false},
	{[]string{"request_latency"}, "ms", "e2el", true},
}

// aiperfStats are the statistics of a latency, and what they are called here. The first two are required of a latency
// that is.
var aiperfStats = [...][2]string{{"avg", "mean"}, {"p50", "median"}, {"p90", "p90"}, {"p95", "p95"}, {"p99", "p99"}}

const requiredStats = 2

// newAIPerfParser reads profile_export_aiperf.json, which NVIDIA's `aiperf profile` writes: an object on many lines, of
// schema 1.x, or without a schema version (before 0.4). Version 0.1 has the metrics below the key records. Null is what
// was not measured.
func newAIPerfParser(w Want) Parser {
	return objectClient{is: isAIPerf, load: aiperfLoad, read: readAIPerf}.parser(w)
}

func isAIPerf(o object) bool {
	return o["input_config"] != nil || o["request_count"] != nil || o["records"] != nil
}

// aiperfLoad looks for the concurrency of the phases that were measured; older versions have one, the load generator's.
func aiperfLoad(o object, concurrency int) string {
	input := o.object("input_config")
	var phases []object
	if input["phases"] != nil && json.Unmarshal(input["phases"], &phases) != nil {
		return "input_config.phases of the client's result is no list of objects"
	}
	for _, p := range append(phases, input.object("loadgen")) {
		warmUp := string(p["kind"]) == `"warmup"` || string(p["exclude_from_results"]) == "true"
		if warmUp || p["concurrency"] == nil || string(p["concurrency"]) == "null" {
			continue
		}
		if fault := otherLoad(p, "concurrency", concurrency); fault != "" {
			return fault
		}
	}
	return ""
}

func readAIPerf(o object, r *reading) {
	if version := o.text("schema_version"); version != "" && !strings.HasPrefix(version, "1.") {
		note(&r.refused, "schema_version of the client's result is %.20s: want 1.x", version)
	}
	metrics := o
	if o["records"] != nil {
		metrics = o.object("records")
	}
	r.aiperfRequests(o, metrics)
	for _, m := range aiperfMetrics {
		m.read(metrics, r)
	}
}

// aiperfRequests reads how many requests there were, and whether the client was allowed to finish.
func (r *reading) aiperfRequests(o, metrics object) {
	requests := metrics.object("request_count").withoutNull()
	r.point.Successful = r.count(requests, "avg", "request_count.avg", -1)
	r.failed = r.count(metrics.object("error_request_count").withoutNull(), "avg", "error_request_count.avg", 0)
	total := r.point.Successful + r.failed
	switch reason := o.text("incomplete_reason"); {
	case string(o["was_cancelled"]) == "true":
		note(&r.incomplete, "the client was cancelled after %d requests", total)
	case string(o["is_complete"]) == "false":
		note(&r.incomplete, "the client says that its result is not complete: %.200s", reason)
	}
	// With the server's counts a stream that ended early has none: its last piece, which has them, did not come.
	lengths := metrics.object("output_sequence_length").withoutNull()
	if n := r.count(lengths, "count", "output_sequence_length.count", 0); n > 0 && n < r.point.Successful {
		note(&r.empty, "only %d of %d requests have a number of tokens: the others ended early", n, r.point.Successful)
	}
}

func (m aiperfMetric) read(metrics object, r *reading) {
	tag := m.tags[0]
	for _, t := range m.tags {
		if metrics.object(t) != nil {
			tag = t
		}
	}
	found := metrics.object(tag).withoutNull()
	if unit := found.text("unit"); found != nil && unit != m.unit {
		note(&r.refused, "%s is in %.20q: want %s", tag, unit, m.unit)
		return
	}
	if m.unit != "ms" {
		r.metric(found, "avg", tag+".avg", m.metric, m.required)
		return
	}
	for i, s := range aiperfStats {
		r.metric(found, s[0], fmt.Sprintf("%s.%s", tag, s[0]), s[1]+"_"+m.metric, m.required && i < requiredStats)
	}
}
