package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/recipe"
	"github.com/disagg/disagg/pkg/roles"
)

func envPlan() plan.Plan {
	return plan.Plan{
		Recipe: recipe.Recipe{
			Env: map[string]string{"ALL": "{{.Role}}.{{.Rank}}", "WINS": "recipe"},
			Roles: map[roles.Kind]recipe.RoleSpec{
				roles.Gen:       {MPI: true, Env: map[string]string{"KIND": "gen"}},
				roles.Benchmark: {},
			},
		},
		Cluster: profile.Profile{
			Env: map[string]string{"WINS": "cluster", "PATH": `/x:{{.Env "PATH"}}`}, Unset: []string{"UCX_*"},
		},
		Case: roles.Case{Env: map[roles.Kind][]roles.Var{roles.Gen: {{Name: "WINS", Value: "case"},
			{Name: "A", Value: "b c"}}}},
	}
}

// The environment of a child: launchers' variables only for MPI roles, and the case's word is the last.
func TestChildEnv(t *testing.T) {
	own := []string{
		"PATH=/bin", "HOME=/h", "SLURM_JOB_ID=1", "SLURM_PROCID=2", "PMIX_RANK=2", "PMI_FD=3", "OMPI_X=4",
		"MPI_LOCALNRANKS=5",
		"UCX_TLS=tcp", "DISAGG_SERVING_TYPE=other", "EMPTY=",
	}
	tests := map[string][]string{
		"GEN_0": {
			"A=b c", "ALL=GEN_0.3", "DISAGG_SERVING_TYPE=GEN_0", "EMPTY=", "HOME=/h", "KIND=gen", "MPI_LOCALNRANKS=5",
			"OMPI_X=4",
			"PATH=/x:/bin", "PMIX_RANK=2", "PMI_FD=3", "SLURM_JOB_ID=1", "SLURM_PROCID=2", "WINS=case",
		},
		"BENCHMARK": {
			"ALL=BENCHMARK.3", "DISAGG_SERVING_TYPE=BENCHMARK", "EMPTY=", "HOME=/h", "PATH=/x:/bin", "SLURM_PROCID=2",
			"WINS=cluster",
		},
	}
	for name, want := range tests {
		role, err := roles.ParseRole(name)
		if err != nil {
			t.Fatal(err)
		}
		vars := LauncherVars{[]string{"SLURM*"}, []string{"SLURM_PROCID"}}
		got, err := ChildEnv(own, vars, envPlan(), recipe.Data{Role: role, Rank: 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What was decided on an environment can be told: what was set, and what was removed.
func TestEnvChanges(t *testing.T) {
	set, removed := envChanges([]string{"A=1", "B=2", "D=4", "C=3"}, []string{"A=1", "B=3", "E=5"})
	if diff := cmp.Diff([][]string{{"B=3", "E=5"}, {"C", "D"}}, [][]string{set, removed}); diff != "" {
		t.Error(diff)
	}
}

// Of servers that share a node each sees its own GPUs, of those that the agent was given.
func TestPackedServersSeeTheirGPUs(t *testing.T) {
	p := envPlan()
	var err error
	p.Layout, err = roles.NewLayout(roles.Nodes{GPUs: 4, Shared: true}, roles.Server{Count: 1, GPUs: 1},
		roles.Server{Count: 2, GPUs: 2}, func(roles.Kind) roles.Shape { return roles.Shape{Tasks: roles.PerGPU} })
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string][2]string{
		"GEN_0": {"0", "7"}, "CTX_0": {"1,2", "5,3"}, "CTX_1": {"0,1", "7,5"}, "BENCHMARK": {"", "7,5,3,1"},
	} {
		r, err := roles.ParseRole(role)
		if err != nil {
			t.Fatal(err)
		}
		for i, own := range [][]string{nil, {visibleGPUs + "=7,5,3,1"}} {
			env, err := ChildEnv(own, LauncherVars{}, p, recipe.Data{Role: r})
			if err != nil {
				t.Fatal(err)
			}
			if got := newEnviron(env).vars[visibleGPUs]; got != want[i] {
				t.Errorf("%s of %v sees %q, want %q", role, own, got, want[i])
			}
		}
	}
}

// What upstream's launch scripts set for its test and its workers is set here, too.
func TestUpstreamsVariables(t *testing.T) {
	for _, name := range []string{"trtllm-serve", "trtllm-pytest", "trtllm-pytest-ports", "trtllm-aggregated"} {
		r, _, err := recipe.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		p := plan.Plan{Recipe: r, RunDir: "/run", Checkout: "/co", Cluster: profile.Profile{ModelsRoot: "/models"}}
		d := p.Data(roles.Role{Kind: roles.Gen})
		d.Rank = 3
		env, err := ChildEnv([]string{"UCX_TLS=tcp"}, LauncherVars{}, p, d)
		if err != nil {
			t.Fatal(err)
		}
		got := newEnviron(env).vars
		for variable, want := range map[string]string{
			"HF_HOME": "/tmp/hf_home", "LLM_MODELS_ROOT": "/models", "LLM_ROOT": "/co", "MODEL_CACHE_DIR": "/models",
			"TRTLLM_PRESERVE_UCX_ENV": "1",
			"PMIX_MCA_gds":            "hash", "FLASHINFER_JIT_DIR": "/tmp/flashinfer_jit_cache_3", "UCX_TLS": "tcp",
		} {
			if got[variable] != want {
				t.Errorf("%s: %s is %q, want %q", name, variable, got[variable], want)
			}
		}
		folder := "DISAGG_CONFIG_FOLDER"
		if name == "trtllm-aggregated" {
			folder = "AGG_CONFIG_FOLDER"
		}
		if got[folder] != "/run/case" {
			t.Errorf("%s: %s is %q", name, folder, got[folder])
		}
	}
}
