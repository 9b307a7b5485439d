package results

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/roles"
)

// Record is a point with what is needed to understand it elsewhere. It is durable before anything is sent anywhere.
type Record struct {
	Schema     int       `json:"schema"` // 1
	ID         string    `json:"id"`     // hex; see NewRecord
	MeasuredAt time.Time `json:"measured_at"`
	RunID      string    `json:"run_id"`
	JobID      string    `json:"job_id,omitempty"` // Slurm's
	Case       string    `json:"case"`
	TestID     string    `json:"test_id"`
	Mode       string    `json:"mode"`
	Model      string    `json:"model"`
	Recipe     string    `json:"recipe"`
	Cluster    string    `json:"cluster"`
	CtxServers int       `json:"ctx_servers"`
	GenServers int       `json:"gen_servers"`
	GPUs       int       `json:"gpus"` // used by all servers
	Point      Point     `json:"point"`
}

// NewRecord makes a record of a point. Its id follows from the attempt, the test and the point alone, so that writing
// or sending the same point again gives the same record.
func NewRecord(p roles.Plan, runID, jobID string, pt Point, at time.Time) Record {
	key := strings.Join([]string{runID, p.Case.TestID, strconv.Itoa(pt.Index), strconv.Itoa(pt.Concurrency)}, "\x00")
	sum := sha256.Sum256([]byte(key))
	gen, ctx := p.Case.Servers[roles.Gen], p.Case.Servers[roles.Ctx]
	return Record{
		Schema: 1, ID: hex.EncodeToString(sum[:16]), MeasuredAt: at.UTC(), RunID: runID, JobID: jobID,
		Case: p.Case.Name, TestID: p.Case.TestID, Mode: p.Case.Mode, Model: p.Case.Model, Recipe: p.Recipe.Name,
		Cluster: p.Cluster.Name, CtxServers: ctx.Count, GenServers: gen.Count,
		GPUs: gen.Count*gen.GPUs + ctx.Count*ctx.GPUs, Point: pt,
	}
}

// Save writes the record into a folder, durably.
func (r Record) Save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, r.ID+".json"), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot save record: %w", err)
	}
	return nil
}

// ReadRecord reads one record of a folder by its id.
func ReadRecord(dir, id string) (Record, error) {
	var r Record
	data, err := os.ReadFile(filepath.Join(dir, id+".json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil && (r.Schema != 1 || r.ID != id) {
		err = errors.New("it is not a record of schema 1, or of another id")
	}
	if err != nil {
		return r, fmt.Errorf("cannot read record %s: %w", id, err)
	}
	return r, nil
}
