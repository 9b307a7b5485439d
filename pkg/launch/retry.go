package launch

import (
	"context"
	"fmt"
	"slices"

	"github.com/disagg/disagg/pkg/lazyregexp"
	"github.com/disagg/disagg/pkg/protocol"
)

// ofInfrastructure are the kinds of cause that tell of a machine, not of what was tested.
var ofInfrastructure = []protocol.CauseKind{
	protocol.HostLost, protocol.AgentLost, protocol.StepFailed, protocol.InstallFailed, protocol.PreflightFailed,
	protocol.DiskStuck,
}

// deviceFault finds what drivers and engines say of a broken GPU or link.
var deviceFault = lazyregexp.New(
	`(?i)\bXid\b|uncorrectable ECC|fallen off the bus|CUDA_ERROR_ECC|` +
		`NVLink.*(?:error|fault)|hardware (?:error|fault)|unspecified launch failure.*hardware|` +
		`CUDA error: device.*(?:lost|unavailable)`)

// Infrastructure tells whether a job ended because of a machine, and which host that was ("": not one alone). A failure
// of what was tested is none, nor is a cancellation or the end of the time.
func Infrastructure(out Outcome) (host string, ok bool) {
	if out.Result == nil {
		return "", out.End.Word == "NODE_FAIL" || out.End.Word == "BOOT_FAIL" || out.End.NeverRan
	}
	c := out.Result.FirstCause
	if c == nil {
		return "", false
	}
	broken := slices.Contains(ofInfrastructure, c.Kind)
	if c.Kind == protocol.ChildExit || c.Kind == protocol.ChildSignal {
		broken = deviceFault().MatchString(c.Detail)
	}
	return c.Host, broken
}

// Again is the same job once more, without some nodes, in a run directory of its own.
func (j Job) Again(ctx context.Context, try int, exclude []string) (Job, error) {
	r := j.Request
	r.Exclude = slices.Concat(r.Exclude, exclude)
	r.RunDir = fmt.Sprintf("%s-retry%d", j.first(), try)
	again, err := r.Make(ctx)
	again.FirstDir = j.first()
	return again, err
}

// first is the run directory of the first try.
func (j Job) first() string {
	if j.FirstDir != "" {
		return j.FirstDir
	}
	return j.Plan.RunDir
}
