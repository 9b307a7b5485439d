package slurm

import (
	"strings"
	"testing"
)

// What follows from the plan cannot be given by a profile, however it is written; what only begins alike can.
func TestDecidedOptions(t *testing.T) {
	for _, tt := range []struct {
		key, arg string
		refused  bool
	}{
		{"sbatch_args", "--array=0-3", true}, {"sbatch_args", "-a0-3", true}, {"sbatch_args", "-a 0-3", true},
		{"sbatch_args", "--job-name=x", true}, {"sbatch_args", "--job=x", true}, {"sbatch_args", "-Jx", true},
		{"sbatch_args", "--output=x", true}, {"sbatch_args", "--nodes 7", true}, {"sbatch_args", "--ti=5", true},
		{"sbatch_args", "--nodelist=n1", false}, {"sbatch_args", "--time-min=5", false},
		{"sbatch_args", "--ntasks=1", false}, {"sbatch_args", "--wait-all-nodes=1", false},
		{"sbatch_args", "--export=NONE", false}, {"sbatch_args", "-C x", false},
		{"srun_args", "--ntasks=7", true}, {"srun_args", "-n4", true}, {"srun_args", "--pty", true},
		{"srun_args", "--output=x", true}, {"srun_args", "--cpu-bind=none", false}, {"srun_args", "--time=5", false},
		{"srun_args", "--container-env=A", false}, {"srun_args", "--no-container-remap-root", false},
	} {
		p := examinedPlan(t)
		p.Cluster.SbatchArgs, p.Cluster.SrunArgs = nil, []string{tt.arg}
		if tt.key == "sbatch_args" {
			p.Cluster.SbatchArgs, p.Cluster.SrunArgs = p.Cluster.SrunArgs, nil
		}
		_, err := Slurm{}.Script(p)
		if found := (Slurm{}).examineArgs(t.Context(), p); (len(found) > 0) != tt.refused {
			t.Errorf("%s: %s: %v", tt.key, tt.arg, found)
		}
		if (err != nil) != tt.refused {
			t.Errorf("%s: %s: %v", tt.key, tt.arg, err)
		}
		if err != nil && !strings.Contains(err.Error(), tt.key+`: "`+tt.arg+`"`) {
			t.Errorf("%s: %s: %v", tt.key, tt.arg, err)
		}
	}
}
