package slurm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

// The example profiles lead to these batch scripts: pyxis on GB200 and with an account, the least,
// bare hosts, no GPUs as a resource, Apptainer.
func TestExampleProfiles(t *testing.T) {
	const folder, file = "../../../examples/profiles", "../../../examples/cases/" +
		"sim_tiny-1b_1k1k_con8_ctx1_dep4_gen1_tep8_eplb0_mtp0_ccb-NIXL.yaml"
	c, _, err := perfsanity.Load(perfsanity.Source{Name: file, Read: os.ReadFile})
	if err != nil {
		t.Fatal(err)
	}
	rec, _, err := recipe.Load("trtllm-serve")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gb200-pyxis", "pyxis", "plain", "pmix", "no-gres", "apptainer"} {
		data, err := os.ReadFile(filepath.Join(folder, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		prof, err := profile.ParseExtending(name+".yaml", data, func(base, _ string) (string, []byte, error) {
			data, err := os.ReadFile(filepath.Join(folder, base))
			return base, data, err
		})
		if err != nil {
			t.Fatal(err)
		}
		prof.KillWait = roles.Duration(30e9)
		p, err := plan.Build(plan.Input{
			ID: "0123456789", RunDir: "/shared/run", Agent: "/shared/bin/disagg-agent", Case: c, Recipe: rec,
			Checkout: "/shared/trtllm", Profile: prof.For([]string{"B200"}),
			Upload: plan.Upload{Sinks: []plan.Sink{{URL: "sqlite:///shared/results.db"}}},
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		script, err := Slurm{}.Script(p)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "profile-"+name+".sbatch")
		if *update {
			if err := os.WriteFile(golden, []byte(script), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if diff := cmp.Diff(string(want), script); diff != "" || err != nil {
			t.Errorf("%s: run with -update if this is meant: %v\n%s", name, err, diff)
		}
	}
}
