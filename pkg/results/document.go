package results

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// noteField says which fields a document lacks, and why.
const noteField = "s_upload_note"

// Document is the record as upstream's database has it: a flat document whose names tell their types by a prefix (l_
// integer, d_ number, s_ text, b_ boolean, ts_ milliseconds since 1970, flat_ mapping, ni_ any of text and number). It
// has the fields of the case, the point's metrics, and what tells a record from others. A field whose value cannot have
// its type is left out, and a note says so: one bad field loses no record.
func Document(r Record) map[string]any {
	doc := map[string]any{
		"b_is_valid": r.Point.Invalid == "", "b_is_baseline": false,
		"s_id": r.ID, "s_digest": r.Digest(), "s_series": r.Series(), "ts_run": r.MeasuredAt.UnixMilli(),
		"s_run_id": r.RunID, "s_scheduler_job_id": r.JobID, "s_case": r.Case, "s_test_list": r.TestID,
		"s_cluster": r.Cluster, "s_recipe": r.Recipe, "l_concurrency": r.Point.Concurrency, "l_total_gpus": r.GPUs,
	}
	if r.Point.Successful+r.Point.Failed > 0 || r.Point.Invalid != "" { // else nobody has counted them
		doc["l_successful_requests"], doc["l_failed_requests"] = r.Point.Successful, r.Point.Failed
	}
	if r.Point.Invalid != "" {
		doc["s_invalid"] = r.Point.Invalid
	}
	if len(r.Settings) > 0 {
		var texts []string
		for _, s := range r.Settings {
			texts = append(texts, s.String())
		}
		doc["s_settings"] = strings.Join(texts, ", ")
	}
	addProvenance(doc, r.Provenance)
	for name, v := range r.Document {
		if name != "b_is_valid" || r.Point.Invalid == "" {
			doc[name] = v
		}
	}
	for name, v := range r.Point.Metrics {
		doc["d_"+name] = v
	}
	for name, v := range gpuMetrics(r.RunGPUUse) {
		doc["d_run_"+name] = v
	}
	return typed(doc)
}

func addProvenance(doc map[string]any, p protocol.Provenance) {
	for name, v := range map[string]string{
		"s_run_dir": p.RunDir, "s_user": p.User, "s_tool": p.Tool, "s_gpu_model": p.GPU, "s_driver": p.Driver,
		"s_engine": p.Engine, "s_commit": p.Commit, "s_branch": p.Branch, "s_image": p.Image, "s_case_hash": p.CaseHash,
		"s_plan_hash": p.PlanHash, "s_note": p.Note, "s_hosts": strings.Join(p.Hosts, ","),
		"s_tags": strings.Join(p.Tags, ","),
	} {
		if v != "" {
			doc[name] = v
		}
	}
	if i := p.Imported; i != nil {
		doc["s_imported_file"], doc["s_imported_sha256"], doc["s_imported_dated"] = i.File, i.SHA256, string(i.Dated)
	}
	if p.AskedGPUs > 0 {
		doc["l_asked_gpus"] = p.AskedGPUs
	}
	doc["b_warm"], doc["b_dirty"] = p.Warm, p.Dirty
}

// typed makes every field's value one of its type, and leaves out those that cannot be.
func typed(doc map[string]any) map[string]any {
	var notes []string
	for name, v := range doc {
		if v == nil {
			delete(doc, name) // it has no value, which is no fault
			continue
		}
		good, ok := coerce(name, v)
		if !ok {
			notes = append(notes, fmt.Sprintf("%s is %v", name, v))
			delete(doc, name)
			continue
		}
		doc[name] = good
	}
	if len(notes) > 0 {
		slices.Sort(notes)
		doc[noteField] = "left out: " + strings.Join(notes, "; ")
	}
	return doc
}

// coerce makes a value one of the type that a name's prefix tells; ok is false if it cannot be.
func coerce(name string, v any) (good any, ok bool) {
	prefix, _, _ := strings.Cut(name, "_")
	switch prefix {
	case "l", "ts":
		f, ok := asNumber(v)
		return int64(f), ok && f == math.Trunc(f) && math.Abs(f) < 1<<63
	case "d":
		return asNumber(v)
	case "s":
		switch v := v.(type) {
		case string:
			return v, true
		case bool, int, int64, float64:
			return fmt.Sprint(v), true
		}
	case "b":
		b, ok := v.(bool)
		return b, ok
	case "flat":
		m, ok := v.(map[string]any)
		return m, ok
	case "ni":
		if s, is := v.(string); is {
			return s, true
		}
		return asNumber(v)
	}
	return nil, false
}

// asNumber is a finite number.
func asNumber(v any) (f float64, ok bool) {
	switch v := v.(type) {
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case float64:
		f = v
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}
