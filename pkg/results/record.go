package results

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Record is a point with what is needed to understand it elsewhere. It is durable before anything is sent anywhere.
type Record struct {
	Schema     int       `json:"schema"` // 2
	ID         string    `json:"id"`     // hex; see NewRecord
	MeasuredAt time.Time `json:"measured_at"`
	RunID      string    `json:"run_id"`
	JobID      string    `json:"job_id,omitempty"` // the scheduler's
	Case       string    `json:"case"`
	TestID     string    `json:"test_id"`
	Mode       string    `json:"mode"`
	Model      string    `json:"model"`
	Recipe     string    `json:"recipe"`
	// Settings are what was asked for in place of what the case's file, and the recipe, have.
	Settings []roles.Setting `json:"settings,omitempty"`
	// Format is of the client's results; "": it was not recorded.
	Format     string `json:"format,omitempty"`
	Cluster    string `json:"cluster"`
	CtxServers int    `json:"ctx_servers"`
	GenServers int    `json:"gen_servers"`
	GPUs       int    `json:"gpus"` // used by all servers; see Provenance for how many were asked for
	// Load is what the point asked for, besides its concurrency.
	Load  roles.PointLoad `json:"load"`
	Point protocol.Point  `json:"point"`
	// GPUUse is how GPUs were used while the point was measured, RunGPUUse how they were in the whole run; absent if
	// they were not sampled.
	GPUUse    []protocol.GPUUse `json:"gpu_use,omitempty"`
	RunGPUUse []protocol.GPUUse `json:"run_gpu_use,omitempty"`
	// Provenance is where the point comes from, as far as it could be found out.
	Provenance protocol.Provenance `json:"provenance"`
	// Document is upstream's fields of the point, by its names with their prefixes of type.
	Document map[string]any `json:"document,omitempty"`
}

// Origin is what a record says about where its point comes from.
type Origin struct {
	Case  roles.Case
	RunID string
	// Content stands for the attempt in the id of what was imported: a hash of what was read. "": the attempt is known.
	Content    string
	JobID      string
	Recipe     string
	Format     string
	Cluster    string
	Provenance protocol.Provenance
	// Document is upstream's fields of the case; see package upstream.
	Document map[string]any
}

// NewRecord makes a record of a point. Its id follows from the attempt (or the content that was imported), the test and
// the point alone, so that writing or sending the same point again gives the same record.
func NewRecord(o Origin, pt protocol.Point, at time.Time) Record {
	key := []string{
		cmp.Or(o.Content, o.RunID), o.Case.TestID, strconv.Itoa(pt.Index), strconv.Itoa(pt.Concurrency),
	}
	if pt.Measurement > 0 {
		key = append(key, strconv.Itoa(pt.Measurement))
	}
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	gen, ctx := o.Case.Servers[roles.Gen], o.Case.Servers[roles.Ctx]
	return Record{
		Schema: recordSchema, ID: hex.EncodeToString(sum[:16]), MeasuredAt: at.UTC(), RunID: o.RunID, JobID: o.JobID,
		Case: o.Case.Name, TestID: o.Case.TestID, Mode: o.Case.Mode, Model: o.Case.Model, Recipe: o.Recipe,
		Settings: o.Case.Settings, Format: o.Format, Cluster: o.Cluster,
		CtxServers: ctx.Count, GenServers: gen.Count, GPUs: gen.Count*gen.GPUs + ctx.Count*ctx.GPUs,
		Load: o.Case.Load.Of(pt.Index), Point: pt, Provenance: o.Provenance, Document: o.Document,
	}
}

// recordSchema is the schema of what is written. Records of schema 1, which had no provenance, are still read.
const recordSchema = 2

// Series names what a record may be compared with over time: the same variant of a test at the same concurrency, on the
// same kind of GPU of the same cluster, measured by a client that counts in the same way.
func (r Record) Series() string {
	parts := []string{r.TestID, "con" + strconv.Itoa(r.Point.Concurrency), r.Cluster}
	if variant := Variant(r.Settings); variant != "" {
		parts = append(parts, variant)
	}
	if gpu := r.Provenance.GPU; gpu != "" {
		parts = append(parts, gpu)
	}
	if f, err := FormatNamed(r.Format); err == nil && f.Apart {
		parts = append(parts, f.Name)
	}
	return strings.Join(parts, "|")
}

// concurrencies is the key of a case that only says which points there are: each is what it is without the others.
const concurrencies = "benchmark.concurrency_list"

// Variant names what settings make of a test, whatever order they were given in; "" if they leave it as it is.
func Variant(settings []roles.Setting) string {
	var parts []string
	for _, s := range settings {
		if strings.ContainsAny(s.Value, `,|="`) { // it could be taken for several
			s.Value = strconv.Quote(s.Value)
		}
		if s.Key != concurrencies {
			parts = append(parts, s.String())
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// Digest is the SHA-256 of what was measured, and when, in hex. A sink keeps it beside the record, so that what it
// holds can be told from another record of the same id. It does not depend on the rest, to which newer versions may
// add; nor on the time that a file was written, which is another one for each copy of the file.
func (r Record) Digest() string {
	at := r.MeasuredAt
	if i := r.Provenance.Imported; i != nil && i.Dated == protocol.ByFile {
		at = time.Time{}
	}
	data, err := json.Marshal(struct {
		ID    string
		At    time.Time
		Point protocol.Point
	}{r.ID, at, r.Point})
	if err != nil {
		return "" // what cannot be encoded was never read from a file
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Encode is the record as it is kept.
func (r Record) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode record: %w", err)
	}
	return append(data, '\n'), nil
}

// mostMeasurements is how often servers were measured at most: as many lists are made of the points of a run.
const mostMeasurements = 100_000

// DecodeRecord reads a record that is kept under an id.
func DecodeRecord(id string, data []byte) (Record, error) {
	var r Record
	err := json.Unmarshal(data, &r)
	if err == nil && (r.Schema < 1 || r.Schema > recordSchema || r.ID != id) {
		err = fmt.Errorf("it is not a record of schema 1 to %d, or of another id", recordSchema)
	}
	if n := r.Point.Measurement; err == nil && (n < 0 || n > mostMeasurements) {
		err = fmt.Errorf("point.measurement is %d: want 0 to %d", n, mostMeasurements)
	}
	if err != nil {
		return r, fmt.Errorf("cannot read record %s: %w", id, err)
	}
	return r, nil
}
