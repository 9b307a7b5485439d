package slurm

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A cluster is described by what its commands print.
func TestSurvey(t *testing.T) {
	pretend(t, "scontrol", `case "$*" in
"show config") cat <<'X'
Configuration data as of 2026-11-27T05:00:00
ClusterName             = east
KillWait                = 45 sec
MpiDefault              = none
SLURM_VERSION           = 23.11.4
TopologyPlugin          = topology/block
X
;;
"show node gpu7") echo "NodeName=gpu7 Arch=aarch64 CoresPerSocket=72";;
esac`)
	pretend(t, "sinfo", `case "$*" in
*--partition=gpu*) printf 'gpu7\ngpu8\n';;
*) printf '%s\n' 'cpu|cpu*|10|1-00:00:00|(null)' 'gpu|gpu|18|4:00:00|gpu:gb200:4(S:0-1)' \
	'gpu|gpu|2|4:00:00|nic:2,gpu:8';;
esac`)
	pretend(t, "srun", `case "$*" in
--mpi=list) printf 'MPI plugin types are...\n\tnone\n\tpmix\n\tpmi2\nspecific pmix plugin versions available: x\n';;
--help) echo '      --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH';;
esac`)
	pretend(t, "sacctmgr", `case "$*" in *defaultaccount*) echo team;; *) printf 'other\nteam\n';; esac`)
	t.Setenv("USER", "me")
	got := Slurm{}.Survey(t.Context())
	want := Survey{
		Cluster: "east", Version: "23.11.4", KillWait: 45 * time.Second, MPI: []string{"pmix", "pmi2"},
		DefaultMPI: "none", Topology: "topology/block", Pyxis: true, Accounts: []string{"team", "other"},
		Arch: "arm64",
		Partitions: []Partition{
			{Name: "cpu", Default: true, Nodes: 10, Limit: "1-00:00:00"},
			{Name: "gpu", Nodes: 18, Limit: "4:00:00", GPUs: 4, GPU: "gb200"},
			{Name: "gpu", Nodes: 2, Limit: "4:00:00", GPUs: 8},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Error(diff)
	}
	if p, ok := got.Usual(); !ok || p.String() != "gpu: 18 nodes, 4 GPUs each (gb200), at most 4:00:00" {
		t.Errorf("%v, %t", p, ok)
	}
}

// What does not answer is named, and the rest is known all the same.
func TestSurveyWithoutAccounting(t *testing.T) {
	pretend(t, "scontrol", `printf 'ClusterName = x\n'`)
	pretend(t, "sinfo", `echo 'a|a*|1|infinite|(null)'`)
	pretend(t, "srun", `exit 0`)
	pretend(t, "sacctmgr", `echo "sacctmgr: error: You are not running a supported accounting_storage plugin" >&2
exit 1`)
	got := Slurm{Environ: []string{"USER=me"}}.Survey(t.Context())
	if got.Cluster != "x" || len(got.Partitions) != 1 || len(got.Accounts) != 0 || len(got.Problems) != 1 ||
		!strings.Contains(got.Problems[0].Error(), "not running a supported accounting_storage plugin") {
		t.Errorf("%+v", got)
	}
}
