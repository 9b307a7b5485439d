package perfsanity

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/disagg/disagg/pkg/roles"
)

// form is how a mode is asked of the test that a checkout has: what was asked for, the id and the config say the same.
type form struct {
	Mode
	id TestID // that the test is asked for
	// inConfig is what the run's copy of the config is to say; "": it says it, or has no word for it.
	inConfig Mode
}

// form decides what is measured, and how the test is asked for it. What was asked for by a flag comes first, then the
// id, then the config; isID is false if only the config was named, and test is nil where upstream's test takes no part.
func (c config) form(id TestID, isID bool, asked string, test *Test) (form, error) {
	own := c.Benchmark.Mode
	if own == "" {
		own = E2E
	}
	f := form{Mode: id.Mode, id: id}
	switch {
	case asked != "":
		var err error
		if f.Mode, err = ParseMode(asked); err != nil {
			return f, err
		}
	case id.Mode == "", id.Mode == GenOnly && own == GenOnlyNoContext: // as upstream has it
		f.Mode = own
	}
	f.id.Mode, f.id.Aggregated = f.Mode, f.Mode == CtxOnly
	if f.Mode != own && f.Mode != CtxOnly {
		f.inConfig = f.Mode
	}
	if test == nil {
		return f, nil
	}
	if problem := test.refuses(id, f.Mode, isID && asked == ""); problem != "" {
		return f, &NotOurs{unknownToTest, id.String(), problem}
	}
	test.put(&f)
	return f, nil
}

// refuses tells why the test cannot be asked for a mode, "" if it can: under the id that was given, if that decides.
func (t Test) refuses(given TestID, m Mode, byID bool) string {
	name := given.Config
	switch {
	case given.Modifier != "" && !t.TimeBreakdown:
		return fmt.Sprintf("the checkout's test knows no %s", given.Modifier)
	case m == CtxOnly && !t.ModeInID:
		return "the checkout's test knows no ctx_only"
	case !byID:
		return ""
	case given.Mode == "" && t.ModeInID:
		return fmt.Sprintf("the checkout's test wants the mode in the id: disagg-%s-%s", m, name)
	case given.Mode == GenOnlyNoContext && given.Aggregated && t.NoContext != NoContextAggregated:
		return "the checkout's test runs gen_only_no_context with four roles: pass the config's name and " +
			"--mode gen_only_no_context"
	case given.Mode == GenOnlyNoContext && !given.Aggregated && t.NoContext == NoContextAggregated:
		return "the checkout's test wants aggr-gen_only_no_context-" + name
	}
	return ""
}

// put has the id ask for the mode as this test wants it.
func (t Test) put(f *form) {
	if f.Mode == GenOnlyNoContext {
		switch t.NoContext {
		case NoContextAggregated:
			f.id.Aggregated = true
		case NoContextInConfig:
			f.id.Mode = GenOnly
		}
	}
	if !t.ModeInID {
		f.id.Mode = ""
	}
}

// withoutCtx tells whether no prefill server takes part.
func (f form) withoutCtx(t *Test) bool {
	return f.Mode == GenOnlyNoContext || f.Mode == GenOnly && t != nil && !t.ModeInID
}

// servers are the servers of the case.
func (f form) servers(c config, sizes map[roles.Kind]parallel, t *Test) map[roles.Kind]roles.Server {
	gen := roles.Server{Count: *c.Hardware.NumGenServers, GPUs: sizes[roles.Gen].gpus()}
	ctx := roles.Server{Count: *c.Hardware.NumCtxServers, GPUs: sizes[roles.Ctx].gpus()}
	switch {
	case f.Mode == CtxOnly:
		gen, ctx.Count = roles.Server{}, 1
		ctx.GPUs = cmp.Or(sizes[roles.Ctx].World, ctx.GPUs)
	case f.id.Aggregated: // one worker, whatever the config says
		gen.Count, ctx = 1, roles.Server{}
	case f.withoutCtx(t) || ctx.Count == 0:
		ctx = roles.Server{}
	}
	return map[roles.Kind]roles.Server{roles.Gen: gen, roles.Ctx: ctx}
}

// load is what the client applies, as the test decides it.
func (f form) load(b benchmark, t *Test) roles.Load {
	l := roles.Load{
		Concurrency: b.Concurrency, Streaming: b.Streaming == nil || *b.Streaming,
		PointLoad: roles.PointLoad{
			Rounds: max(b.MultiRound, 1), RangeRatio: b.Ratio, Dataset: b.dataset(),
			InputLength: length(b.InputLength), OutputLength: length(b.OutputLength),
		},
	}
	if b.UseSAClient {
		l.Client = saClient
	}
	switch f.Mode {
	case GenOnly, GenOnlyNoContext:
		l.StepTime = t != nil && t.StepTime
		if t != nil && !t.ModeInID { // the oldest test takes the largest point, and all rounds
			l.Concurrency = []int{slices.Max(b.Concurrency)}
			break
		}
		l.Concurrency, l.Rounds = b.Concurrency[:1], 1
	case CtxOnly:
		l.OutputLength, l.Dataset = 1, ""
	}
	return l
}

// saClient is the SemiAnalysis client, which measures as that project does.
const saClient = "sa"

// usualLength is how many tokens upstream's test sends and asks for where a config does not say it, whatever stands in
// the sequence block of the oldest configs.
const usualLength = 1024

func length(n int) int {
	if n == 0 {
		return usualLength
	}
	return n
}
