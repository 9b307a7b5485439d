package recipe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

func seconds(n float64) roles.Duration { return roles.Duration(n * float64(time.Second)) }

// What a recipe leaves open of its probes is filled in by what they are for: a service that loads is asked often, with
// the plan's timeout; one that works is left alone, and asked so that no two questions overlap.
func TestProbesAreCompleted(t *testing.T) {
	type p = recipe.Probe
	const plan = 5 // the plan's timeout, in seconds
	for name, tt := range map[string]struct{ probe, starting, working p }{
		"all is open": {
			p{URL: "u"}, p{URL: "u", Period: seconds(0.25), Timeout: seconds(plan)},
			p{URL: "u", Period: seconds(10), Timeout: seconds(plan), Failures: 3},
		},
		"a short period": {
			p{TCP: "a", Period: seconds(4)}, p{TCP: "a", Period: seconds(4), Timeout: seconds(plan)},
			p{TCP: "a", Period: seconds(4), Timeout: seconds(3), Failures: 3}, // three quarters of the period
		},
		"all is said": {
			p{Line: "x", Period: seconds(4), Timeout: seconds(1), Failures: 7, Successes: 2},
			p{Line: "x", Period: seconds(4), Timeout: seconds(1), Failures: 7, Successes: 2},
			p{Line: "x", Period: seconds(4), Timeout: seconds(1), Failures: 7, Successes: 2},
		},
	} {
		spec := recipe.RoleSpec{Startup: &tt.probe, Ready: &tt.probe, Live: &tt.probe}
		before := tt.probe
		got := spec.Complete(seconds(plan))
		want := recipe.RoleSpec{Startup: &tt.starting, Ready: &tt.starting, Live: &tt.working}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(before, tt.probe); diff != "" {
			t.Errorf("%s: the recipe itself was changed: %s", name, diff)
		}
	}
}

// No probe is made up for a role that has none.
func TestNoProbesAreMadeUp(t *testing.T) {
	if diff := cmp.Diff(recipe.RoleSpec{}, (recipe.RoleSpec{}).Complete(seconds(5))); diff != "" {
		t.Error(diff)
	}
}

// Every recipe that comes with the tool leaves no live probe with a timeout that reaches the next question, whatever
// the plan's timeout is.
func TestBuiltinProbesDoNotOverlap(t *testing.T) {
	probes := 0
	for _, name := range recipe.Builtin() {
		r, _, err := recipe.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for kind, spec := range r.Roles {
			p := spec.Complete(seconds(3600)).Live
			if p == nil {
				continue
			}
			if probes++; p.Timeout <= 0 || p.Timeout >= p.Period || p.Failures < 1 {
				t.Errorf("%s, %s: %+v", name, kind, p)
			}
		}
	}
	if probes == 0 {
		t.Error("no recipe has a live probe")
	}
}
