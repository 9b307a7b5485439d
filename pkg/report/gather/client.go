package gather

import (
	"io"

	"github.com/disagg/disagg/pkg/diagnose"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/roles"
	"github.com/disagg/disagg/pkg/rundir"
)

// clientMost is how much of each log of the client is read, in bytes.
const clientMost = 1 << 20

// client is what the benchmark's client says in its own logs of a failure of the benchmark; nil if it says nothing. The
// first log that explains counts.
func client(p plan.Plan, a rundir.Attempt, r protocol.Result) *report.ClientLine {
	if k := r.FirstCause.Kind; k != protocol.BenchmarkFailed && k != protocol.ResultsInvalid {
		return nil
	}
	files, err := p.PointFiles(r.RunID, a.Dirs(roles.Hub(), p.Case.TestID))
	if err != nil {
		return nil
	}
	for _, file := range files {
		f, err := rundir.OpenRegular(file)
		if err != nil {
			continue
		}
		reader := diagnose.NewReader(nil)
		text, _ := io.ReadAll(io.LimitReader(f, clientMost))
		reader.Feed(text)
		_ = f.Close()
		if line, _ := reader.Lines(); line > 0 {
			return &report.ClientLine{Log: relative(a, file), Line: line, Text: reader.Headline()}
		}
	}
	return nil
}
