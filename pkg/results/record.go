package results

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// Record is a point with what is needed to understand it elsewhere. It is durable before anything is sent anywhere.
type Record struct {
	Schema     int            `json:"schema"` // 1
	ID         string         `json:"id"`     // hex; see NewRecord
	MeasuredAt time.Time      `json:"measured_at"`
	RunID      string         `json:"run_id"`
	JobID      string         `json:"job_id,omitempty"` // the scheduler's
	Case       string         `json:"case"`
	TestID     string         `json:"test_id"`
	Mode       string         `json:"mode"`
	Model      string         `json:"model"`
	Recipe     string         `json:"recipe"`
	Cluster    string         `json:"cluster"`
	CtxServers int            `json:"ctx_servers"`
	GenServers int            `json:"gen_servers"`
	GPUs       int            `json:"gpus"` // used by all servers
	Point      protocol.Point `json:"point"`
}

// Origin is what a record says about where its point comes from.
type Origin struct {
	Case    roles.Case
	RunID   string
	JobID   string
	Recipe  string
	Cluster string
}

// NewRecord makes a record of a point. Its id follows from the attempt, the test and the point alone, so that writing
// or sending the same point again gives the same record.
func NewRecord(o Origin, pt protocol.Point, at time.Time) Record {
	key := strings.Join([]string{o.RunID, o.Case.TestID, strconv.Itoa(pt.Index), strconv.Itoa(pt.Concurrency)}, "\x00")
	sum := sha256.Sum256([]byte(key))
	gen, ctx := o.Case.Servers[roles.Gen], o.Case.Servers[roles.Ctx]
	return Record{
		Schema: 1, ID: hex.EncodeToString(sum[:16]), MeasuredAt: at.UTC(), RunID: o.RunID, JobID: o.JobID,
		Case: o.Case.Name, TestID: o.Case.TestID, Mode: o.Case.Mode, Model: o.Case.Model, Recipe: o.Recipe,
		Cluster:    o.Cluster,
		CtxServers: ctx.Count, GenServers: gen.Count, GPUs: gen.Count*gen.GPUs + ctx.Count*ctx.GPUs, Point: pt,
	}
}

// Encode is the record as it is kept.
func (r Record) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode record: %w", err)
	}
	return append(data, '\n'), nil
}

// DecodeRecord reads a record that is kept under an id.
func DecodeRecord(id string, data []byte) (Record, error) {
	var r Record
	err := json.Unmarshal(data, &r)
	if err == nil && (r.Schema != 1 || r.ID != id) {
		err = errors.New("it is not a record of schema 1, or of another id")
	}
	if err != nil {
		return r, fmt.Errorf("cannot read record %s: %w", id, err)
	}
	return r, nil
}
