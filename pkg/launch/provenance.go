package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/upload"
)

// provenance is what is known of where the results of a plan will come from. What cannot be found out is left out.
func (r Request) provenance(ctx context.Context, p plan.Plan) protocol.Provenance {
	gen, pre := p.Case.Servers[roles.Gen], p.Case.Servers[roles.Ctx]
	v := protocol.Provenance{
		RunDir: p.RunDir, Tool: p.Tool, GPU: p.Cluster.GPU,
		AskedGPUs: p.Layout.TotalNodes * p.Case.GPUsPerNode, UsedGPUs: gen.Count*gen.GPUs + pre.Count*pre.GPUs,
		CaseHash: p.Case.Origin.SHA256, PlanHash: planHash(p), Tags: r.Tags, Note: r.Note,
	}
	if c := p.Cluster.Container; c != nil {
		v.Image = c.Image
	}
	if u, err := user.Current(); err == nil {
		v.User = u.Username
	}
	r.Cache.checkoutState(ctx, p.Checkout).addTo(&v)
	return v
}

// document is upstream's fields of the case, with those of the CI job, and of the kind of GPU.
func document(p plan.Plan) map[string]any {
	doc := maps.Clone(p.Case.Document)
	if doc == nil {
		doc = map[string]any{}
	}
	maps.Copy(doc, perfsanity.JobDocument(os.Getenv))
	doc["s_gpu_type"] = strings.ToLower(p.Provenance.GPU)
	return doc
}

// planHash is the SHA-256 of what was planned, in hex, without what differs from run to run.
func planHash(p plan.Plan) string {
	p.ID, p.RunDir, p.CreatedAt, p.Tool, p.Case.File = "", "", time.Time{}, "", ""
	p.Case.Document, p.Case.Settings = nil, nil // the rest follows from them
	p.Upload, p.Gate, p.Provenance = plan.Upload{}, plan.Gate{}, protocol.Provenance{}
	p.Cluster.Exclude, p.Cluster.Endpoints, p.Timeouts = "", false, roles.Timeouts{}
	data, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// gitState is what a checkout is at.
type gitState struct {
	commit, branch string
	dirty          bool
}

func (g gitState) addTo(v *protocol.Provenance) {
	v.Commit, v.Branch, v.Dirty = g.commit, g.branch, g.dirty
}

// gitBound is how long one question to git may take: a checkout may lie on a slow file system.
const gitBound = 5 * time.Second

// readGit asks git what a checkout is at; it is empty if the folder is none, or git does not answer.
func readGit(ctx context.Context, dir string) (g gitState) {
	if dir == "" {
		return g
	}
	ask := func(args ...string) (string, bool) {
		ctx, cancel := context.WithTimeout(ctx, gitBound)
		defer cancel()
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
		return strings.TrimSpace(string(out)), err == nil
	}
	commit, ok := ask("rev-parse", "HEAD")
	if !ok {
		return g
	}
	g.commit = commit
	if branch, ok := ask("rev-parse", "--abbrev-ref", "HEAD"); ok && branch != "HEAD" {
		g.branch = branch
	}
	changes, ok := ask("--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
	g.dirty = ok && changes != ""
	return g
}

// seriesOf are the series of a plan's points.
func seriesOf(p plan.Plan) (names []string) {
	for i, concurrency := range p.Case.Load.Points() {
		pt := protocol.Point{Index: i, Concurrency: concurrency}
		names = append(names, p.Record("", "", pt, time.Time{}).Series())
	}
	return names
}

// historyRuns is how many earlier runs of each series are asked for: a window of the search for change points, twice.
const historyRuns = 100

// HistoryQuery asks for the earlier runs that a job's results are compared with.
func (j Job) HistoryQuery() upload.Query {
	return upload.Query{Series: seriesOf(j.Plan), Before: j.Plan.CreatedAt, Limit: historyRuns}
}
