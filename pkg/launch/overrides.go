package launch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// Override is what a command line says in the place of what a file says.
type Override struct {
	Flag    string // with its value, as it is typed: "--partition fast"
	Instead string // what the file says; "": that is not known
	Of      string // where it does: "partition in profile cluster"
}

// String is the override in a line.
func (o Override) String() string {
	if o.Instead == "" {
		return fmt.Sprintf("%s (%s)", o.Flag, o.Of)
	}
	return fmt.Sprintf("%s instead of %s (%s)", o.Flag, o.Instead, o.Of)
}

// Overrides lists what the request's own inputs take the place of in profile, recipe and case. What says the same is
// none.
func (j Job) Overrides() ([]Override, error) {
	r, p := j.Request, j.Plan
	prof, err := r.Cache.profile(r.Profile)
	if err != nil {
		return nil, err
	}
	var list []Override
	add := func(flag, given, instead, of string) {
		if given != "" && instead != "" && given != instead {
			list = append(list, Override{strings.TrimSpace(flag + " " + given), instead, of})
		}
	}
	of := func(key string) string { return key + " in profile " + prof.Name }
	add("--partition", r.Partition, prof.Partition, of("partition"))
	add("--account", r.Account, prof.Account, of("account"))
	add("--run-dir", r.RunDir, prof.RunRoot, of("run_root"))
	add("--upload", strings.Join(r.Upload, " "), strings.Join(prof.Upload, " "), of("upload"))
	if every := r.SampleGPUs; every > 0 && every != prof.SampleGPUs {
		list = append(list, Override{"--sample-gpus " + every.String(), prof.SampleGPUs.String(), of("sample_gpus")})
	}
	if r.Pack && !prof.Pack {
		list = append(list, Override{"--pack", "nodes of its own for each server", of("pack")})
	}
	if r.Endpoints && !prof.Endpoints {
		list = append(list, Override{"--endpoints", "none", of("endpoints")})
	}
	add("--mode", r.Mode, j.ownMode(prof), "the mode of the case")
	limit, where := p.Case.TimeLimit, "the time of the case"
	if prof.Time > 0 {
		limit, where = prof.Time, of("time")
	}
	if r.Limit == 0 { // else a list of tests says it
		add("--time", given(r.Timeouts.Job), given(limit), where)
	}
	for _, set := range p.Case.Settings {
		instead, ofRecipe := p.Recipe.Values[set.Key]
		if !ofRecipe {
			list = append(list, Override{Flag: "--set " + set.String(), Of: "in the case"})
			continue
		}
		where := "values in recipe " + p.Recipe.Name
		if v, ok := prof.Values[set.Key]; ok {
			instead, where = v, of("values")
		}
		add("--set", set.String(), set.Key+"="+cmp.Or(instead, "nothing"), where)
	}
	return list, nil
}

// ownMode is the mode that the case has if none is asked for; "" if that cannot be told.
func (j Job) ownMode(prof profile.Profile) string {
	r := j.Request
	r.Mode = ""
	if _, c, _, err := r.recipeAndCase(j.Plan.Checkout, prof); err == nil {
		return c.Mode
	}
	return ""
}

// given is a length of time as text; "" if there is none.
func given(d roles.Duration) string {
	if d == 0 {
		return ""
	}
	return d.Clock()
}
