package parquet

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	pq "github.com/parquet-go/parquet-go"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

type (
	record = results.Record
	from   = protocol.Provenance
)

// Column is a column of every file.
type Column struct {
	Name  string
	Type  string // text, bigint, double, boolean or timestamp
	Null  bool   // it is null in records that do not say it
	About string
	value func(record) pq.Value // the null value: the record does not say
}

// types are the forms in which values of a type are kept: texts plainly, because not every reader knows the library's
// own choice.
var types = map[string]pq.Node{
	"text": pq.Encoded(pq.String(), &pq.Plain), "bigint": pq.Int(64), "double": pq.Leaf(pq.DoubleType),
	"boolean": pq.Leaf(pq.BooleanType), "timestamp": pq.Timestamp(pq.Microsecond),
}

func text(name, about string, of func(record) string) Column {
	return Column{name, "text", false, about, func(r record) pq.Value {
		return pq.ValueOf(strings.ToValidUTF8(of(r), "\uFFFD"))
	}}
}

func number(name, about string, of func(record) int) Column {
	return Column{name, "bigint", false, about, func(r record) pq.Value { return pq.ValueOf(int64(of(r))) }}
}

// known makes a column null where its value is the zero value, which says that it could not be found out.
func known(c Column) Column {
	always := c.value
	c.Null = true
	c.value = func(r record) pq.Value {
		v := always(r)
		if v.Kind() == pq.ByteArray && len(v.ByteArray()) == 0 || v.Kind() == pq.Int64 && v.Int64() == 0 {
			return pq.Value{}
		}
		return v
	}
	return c
}

func source(name, about string, of func(from) string) Column {
	return known(text(name, about, func(r record) string { return of(r.Provenance) }))
}

// Columns lists every column, in the order of the files.
var Columns = sync.OnceValue(func() []Column {
	return slices.Concat(identity(), measured(), provenance(), []Column{
		text("digest", "SHA-256 of what was measured, and when",
			func(r record) string { return r.Digest() }),
		text("record", "the whole record as JSON, with upstream's fields (document)", encode),
	})
})

// identity is what was measured, and what was asked for.
func identity() []Column {
	return []Column{
		text("id", "the record's id", func(r record) string { return r.ID }),
		text("run_id", "the run's attempt, which names the file", func(r record) string { return r.RunID }),
		known(text("job_id", "the scheduler's id of the job", func(r record) string { return r.JobID })),
		{"measured_at", "timestamp", false, "when the point was complete, in UTC", func(r record) pq.Value {
			return pq.ValueOf(r.MeasuredAt.UnixMicro())
		}},
		text("case_name", "the case", func(r record) string { return r.Case }),
		text("test_id", "the test's id", func(r record) string { return r.TestID }),
		text("mode", "what is measured: e2e, gen_only, …", func(r record) string { return r.Mode }),
		text("model", "the model", func(r record) string { return r.Model }),
		text("recipe", "the recipe that started the roles", func(r record) string { return r.Recipe }),
		text("cluster", "the cluster, by its profile", func(r record) string { return r.Cluster }),
		text("series", "what the record may be compared with over time", record.Series),
		number("ctx_servers", "prefill servers", func(r record) int { return r.CtxServers }),
		number("gen_servers", "decode servers", func(r record) int { return r.GenServers }),
		number("gpus", "GPUs that all servers used", func(r record) int { return r.GPUs }),
		number("point", "index in the case's list of concurrencies", func(r record) int { return r.Point.Index }),
		number("concurrency", "requests at a time", func(r record) int { return r.Point.Concurrency }),
		known(number("input_length", "tokens that a request has", func(r record) int { return r.Load.InputLength })),
		known(number("output_length", "tokens that it asks for", func(r record) int { return r.Load.OutputLength })),
		number("successful", "requests that succeeded", func(r record) int { return r.Point.Successful }),
		number("failed", "requests that failed", func(r record) int { return r.Point.Failed }),
		{"valid", "boolean", false, "the point counts", func(r record) pq.Value {
			return pq.ValueOf(r.Point.Invalid == "")
		}},
		known(text("invalid", "why the point does not count", func(r record) string { return r.Point.Invalid })),
	}
}

// measured are the metrics, one column each.
func measured() (list []Column) {
	for _, m := range results.Metrics() {
		list = append(list, Column{m.Name, "double", true, m.Definition + ", in " + m.Unit,
			func(r record) pq.Value {
				if v, ok := m.Value(r.Point, r.GPUs); ok {
					return pq.ValueOf(v)
				}
				return pq.Value{}
			}})
	}
	return list
}

// provenance is where the point comes from, as far as it could be found out.
func provenance() []Column {
	return []Column{
		source("run_dir", "the run directory", func(f from) string { return f.RunDir }),
		source("user_name", "who ran it", func(f from) string { return f.User }),
		source("tool", "version of disagg", func(f from) string { return f.Tool }),
		source("hosts", "the servers' hosts, with commas between", func(f from) string {
			return strings.Join(f.Hosts, ",")
		}),
		source("gpu", "the kind of GPU that was planned for", func(f from) string { return f.GPU }),
		source("gpu_name", "what the hosts call their GPUs", func(f from) string { return f.GPUName }),
		known(number("asked_gpus", "GPUs of the job", func(r record) int { return r.Provenance.AskedGPUs })),
		source("driver", "version of the GPU driver", func(f from) string { return f.Driver }),
		source("engine", "version of the engine", func(f from) string { return f.Engine }),
		source("commit_hash", "commit of the checkout", func(f from) string { return f.Commit }),
		{"dirty", "boolean", true, "the checkout had changes that are in no commit", func(r record) pq.Value {
			if r.Provenance.Commit == "" {
				return pq.Value{}
			}
			return pq.ValueOf(r.Provenance.Dirty)
		}},
		source("branch", "branch of the checkout", func(f from) string { return f.Branch }),
		source("image", "the container's image", func(f from) string { return f.Image }),
		source("case_hash", "hash of the case", func(f from) string { return f.CaseHash }),
		source("plan_hash", "hash of the plan, without what is another in every run", func(f from) string {
			return f.PlanHash
		}),
		{"warm", "boolean", false, "the servers had served another measurement before", func(r record) pq.Value {
			return pq.ValueOf(r.Provenance.Warm)
		}},
		source("tags", "the run's tags, with commas between", func(f from) string { return strings.Join(f.Tags, ",") }),
		source("note", "a remark on the run", func(f from) string { return f.Note }),
	}
}

func encode(r record) string {
	data, err := json.Marshal(r)
	if err != nil {
		return "" // what cannot be encoded was never read from a file
	}
	return string(data)
}

// ordered is a group whose fields have the order of the columns: the library's has that of their names.
type ordered struct{ pq.Group }

// Fields implements [pq.Node].
func (o ordered) Fields() []pq.Field {
	place := map[string]int{}
	for i, c := range Columns() {
		place[c.Name] = i
	}
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b pq.Field) int { return cmp.Compare(place[a.Name()], place[b.Name()]) })
	return fields
}

// schema is that of every file.
var schema = sync.OnceValue(func() *pq.Schema {
	group := pq.Group{}
	for _, c := range Columns() {
		group[c.Name] = types[c.Type]
		if c.Null {
			group[c.Name] = pq.Optional(types[c.Type])
		}
	}
	return pq.NewSchema("disagg", ordered{group})
})

// row is a record as a file has it.
func row(r record) (values pq.Row) {
	for i, c := range Columns() {
		v, level := c.value(r), 0
		if c.Null && !v.IsNull() {
			level = 1
		}
		values = append(values, v.Level(0, level, i))
	}
	return values
}
