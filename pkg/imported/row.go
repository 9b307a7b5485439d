package imported

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// record is the row's record. Its id follows from the row alone, which may stand in a file of its own and in a list.
func (r *row) record(s Source, sum string, l Labels) (results.Record, error) {
	content, err := json.Marshal(r.fields) // with sorted names
	if err != nil {
		return results.Record{}, err
	}
	if r.text("model") == "" {
		r.wrong("model", "a name")
	}
	at, by := r.measured(s.Modified)
	gpus := r.gpus()
	pt := protocol.Point{Concurrency: r.count("conc", 1, 0), Metrics: r.metrics(gpus)}
	c := roles.Case{
		Name: cmp.Or(l.Case, l.TestID, r.caseName()), Model: r.text("model"), Precision: r.text("precision"),
	}
	c.TestID = cmp.Or(l.TestID, c.Name)
	c.Load.InputLength, c.Load.OutputLength = r.count("isl", 0, 0), r.count("osl", 0, 0)
	o := results.Origin{
		Case: c, RunID: r.text("run"), Content: digest(content), Recipe: r.text("framework"),
		Provenance: l.provenance(), Document: r.document(),
	}
	o.Provenance.GPU, o.Provenance.Image, o.Provenance.UsedGPUs = r.text("hw"), r.text("image"), gpus.used
	o.Provenance.Imported = s.dated(sum, by)
	if r.fault != nil {
		return results.Record{}, r.fault
	}
	rec := l.record(o, pt, at)
	rec.CtxServers, rec.GenServers, rec.GPUs = gpus.ctxServers, gpus.genServers, gpus.used
	return rec, nil
}

// gpus are the numbers of GPUs of a row.
type gpus struct {
	used                   int // by all servers
	total, output, input   int // by which the format has divided the throughputs of all, output and input tokens
	ctxServers, genServers int
}

// gpus reads the numbers of GPUs. What throughputs were divided by has changed with the format's versions:
//   - with is_multinode, prefill's and decode's own GPUs;
//   - before, with num_prefill_gpu: all by tp, but output tokens by decode's GPUs, and input tokens by prefill's;
//   - of one server: by its GPUs, which num_gpus says or follow from tp, pp and pcp_size.
func (r *row) gpus() gpus {
	prefill, decode := r.count("num_prefill_gpu", 0, 0), r.count("num_decode_gpu", 0, 0)
	several := r.flag("is_multinode") == true
	if !several && prefill+decode == 0 {
		n := r.count("num_gpus", 1, r.count("tp", 1, 0)*r.count("pp", 1, 1)*r.count("pcp_size", 1, 1))
		return gpus{used: n, total: n, output: n, input: n, genServers: 1}
	}
	if several && prefill == 0 {
		r.wrong("num_prefill_gpu", "a whole number from 1")
	}
	g := gpus{
		used: prefill + decode, total: prefill + decode, output: decode, input: prefill,
		ctxServers: r.count("prefill_num_workers", 0, 0), genServers: r.count("decode_num_workers", 0, 0),
	}
	if !several {
		g.total = r.count("tp", 1, 0)
	}
	if decode == 0 { // it is no disaggregated run
		g.output = g.total
	}
	return g
}

// metrics are the row's throughputs and times, under our names and in our units.
func (r *row) metrics(g gpus) map[string]float64 {
	total, _ := r.number("tput_per_gpu")
	output, hasOutput := r.number("output_tput_per_gpu")
	input, hasInput := r.number("input_tput_per_gpu")
	total, output, input = total*float64(g.total), output*float64(g.output), input*float64(g.input)
	metrics := map[string]float64{"total_token_throughput": rounded(total)}
	if hasOutput {
		metrics["token_throughput"] = rounded(output)
	}
	if fault := throughputFault(total, output, input, hasOutput, hasInput); fault != nil && r.fault == nil {
		r.fault = fault
	}
	for _, m := range results.Metrics() {
		if !latency(m.Name) {
			continue
		}
		if v, ok := r.number(m.Name); ok {
			metrics[m.Name] = rounded(v * 1000)
		}
	}
	return metrics
}

// latency tells whether a metric is a time that the format has in seconds.
func latency(name string) bool {
	_, of, _ := strings.Cut(name, "_")
	return of == "ttft" || of == "tpot" || of == "itl" || of == "e2el"
}

// closeTo is how far sums of numbers that belong together may be apart, as a share.
const closeTo = 1e-6

// throughputFault tells why throughputs are not of the numbers of GPUs that a row has.
func throughputFault(total, output, input float64, hasOutput, hasInput bool) error {
	switch {
	case total <= 0, hasOutput && output <= 0:
		return errors.New("no token came out")
	case hasOutput && output > total*(1+closeTo),
		hasOutput && hasInput && math.Abs(output+input-total) > total*closeTo:
		return errors.New("its throughputs per GPU do not fit its numbers of GPUs")
	}
	return nil
}

// digits are those of a number that survive being divided and multiplied again.
const digits = 15

// rounded takes away what a division and a multiplication have added to a number.
func rounded(v float64) float64 {
	f, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return v
	}
	return f
}

// caseName is what tells the row's case from others: the model, its load, the servers, what serves, and how it decodes.
func (r *row) caseName() string {
	parts := []string{cmp.Or(r.text("infmax_model_prefix"), path.Base(r.text("model")))}
	if p := r.text("precision"); p != "" {
		parts[0] += "-" + p
	}
	if isl, osl := r.text("isl"), r.text("osl"); isl != "" && osl != "" {
		parts = append(parts, "isl"+isl, "osl"+osl)
	}
	if r.fields["prefill_tp"] != nil {
		parts = append(parts, "ctx"+r.text("prefill_num_workers"), r.shape("prefill_"),
			"gen"+r.text("decode_num_workers"), r.shape("decode_"))
	} else {
		parts = append(parts, r.shape(""))
	}
	for _, name := range []string{"framework", "spec_decoding", "mtp"} {
		if v := r.text(name); v != "" && v != "none" && v != "off" {
			parts = append(parts, v)
		}
	}
	return plan.Plain(strings.Join(parts, "_"))
}

// shape is how a server is spread over GPUs.
func (r *row) shape(prefix string) string {
	text := fmt.Sprintf("tp%d", r.count(prefix+"tp", 0, 0))
	for _, name := range []string{"pp", "ep"} {
		if n := r.count(prefix+name, 0, 1); n > 1 {
			text += fmt.Sprintf("%s%d", name, n)
		}
	}
	if r.flag(prefix+"dp_attention") == true {
		text += "dpa"
	}
	return text
}

// document has what the row says under the names of upstream's database.
func (r *row) document() map[string]any {
	doc := map[string]any{}
	for _, f := range [...][2]string{
		{"hw", "s_gpu_type"}, {"model", "s_model_name"}, {"framework", "s_framework"}, {"precision", "s_precision"},
		{"spec_decoding", "s_spec_decoding_type"},
	} {
		if v := r.text(f[0]); v != "" {
			doc[f[1]] = v
		}
	}
	counts := [][2]string{
		{"isl", "l_isl"}, {"osl", "l_osl"}, {"prefill_num_workers", "l_num_ctx_servers"},
		{"decode_num_workers", "l_num_gen_servers"},
	}
	for _, side := range [...][2]string{{"", ""}, {"prefill_", "ctx_"}, {"decode_", "gen_"}} {
		for _, name := range []string{"tp", "pp", "ep"} {
			counts = append(counts, [2]string{side[0] + name, "l_" + side[1] + name})
		}
		if v := r.flag(side[0] + "dp_attention"); v != nil {
			doc["b_"+side[1]+"enable_attention_dp"] = v
		}
	}
	for _, f := range counts {
		if r.fields[f[0]] != nil {
			doc[f[1]] = r.count(f[0], 0, 0)
		}
	}
	return doc
}
