package slurm

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// examinedPlan is a plan that the pretended cluster would take.
func examinedPlan(t *testing.T) plan.Plan {
	t.Helper()
	p := somePlan(t)
	p.Agent = "/shared/bin/disagg-agent"
	p.Layout = roles.Layout{TotalNodes: 3, GPUsPerNode: 4}
	p.Cluster = profile.Profile{Partition: "gpu", GPUs: profile.GPUsPerNode, MPI: "pmix"}
	p.Timeouts.Job = roles.Duration(2 * time.Hour)
	return p
}

// pretendCluster plays a cluster of two partitions.
func pretendCluster(t *testing.T) {
	t.Helper()
	pretend(t, "scontrol", `case "$*" in
"show config") printf '%s\n' 'ClusterName = east' 'SLURM_VERSION = 23.11.4' 'KillWait = 30 sec' \
	'AccountingStorageType = accounting_storage/slurmdbd';;
"show node gpu7") echo "NodeName=gpu7 Arch=${NODE_ARCH:-x86_64} CoresPerSocket=72";;
esac`)
	pretend(t, "sinfo", `case "$*" in
*format=%n*) printf 'gpu7\ngpu8\n';;
*) printf '%s\n' 'cpu|cpu*|up|10|1-00:00:00|(null)|idle' 'gpu|gpu|up|16|4:00:00|gpu:gb200:4(S:0-1)|mixed' \
	'gpu|gpu|up|2|4:00:00|gpu:gb200:4|down*' 'old|old|inact|4|infinite|gpu:8|idle';;
esac`)
	pretend(t, "srun", `case "$*" in
--mpi=list) printf 'MPI plugin types are...\n\tnone\n\tpmix\n\tpmi2\n';;
--help) echo '  --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH';;
esac`)
	pretend(t, "sbatch", `echo "$*" >"$ASKED"
echo "sbatch: Job 17 to start at 2026-11-28T13:40:00 using 12 processors on nodes gpu[7-9] in partition gpu" >&2`)
	pretend(t, "sacctmgr", `case "$*" in *defaultaccount*) echo team;; *) printf 'other\nteam\n';; esac`)
	t.Setenv("ASKED", t.TempDir()+"/asked")
	t.Setenv("USER", "me")
}

// odd are the findings that are not ok, as they are printed.
func odd(list []doctor.Finding) (lines []string) {
	for _, f := range list {
		if f.Level != doctor.OK {
			lines = append(lines, f.String())
		}
	}
	return lines
}

// What is wrong is found and what to do is said; on a cluster that fits the profile nothing is wrong.
func TestExamine(t *testing.T) {
	tests := map[string]struct {
		change func(*testing.T, *plan.Plan)
		want   string // begins the only finding that is not ok
		quick  bool   // a quick look finds it, too
	}{
		"nothing is wrong": {func(*testing.T, *plan.Plan) {}, "", true},
		"no such partition": {func(_ *testing.T, p *plan.Plan) { p.Cluster.Partition = "gpus" },
			"FAIL  there is no partition gpus: there is cpu, gpu, old: correct partition in the profile", true},
		"too many nodes": {func(_ *testing.T, p *plan.Plan) { p.Layout.TotalNodes = 19 },
			"FAIL  the job needs 19 nodes, partition gpu has 18; it would wait for ever", true},
		"more nodes than are up": {func(_ *testing.T, p *plan.Plan) { p.Layout.TotalNodes = 17 },
			"warn  the job needs 17 nodes, and of the 18 in partition gpu only 16 are up", true},
		"too many GPUs": {func(_ *testing.T, p *plan.Plan) { p.Layout.GPUsPerNode = 8 },
			"FAIL  the job needs 3 nodes of 8 GPUs, partition gpu has 0 (at most 4 GPUs a node)", true},
		"no GPUs": {func(_ *testing.T, p *plan.Plan) { p.Cluster.Partition = "" },
			"FAIL  the job asks for 4 GPUs a node, and Slurm knows of none in partition cpu: say gpus: none", true},
		"no GPUs, and none are asked for": {func(_ *testing.T, p *plan.Plan) {
			p.Cluster.Partition, p.Cluster.GPUs = "", profile.GPUsNone
		}, "", true},
		"too long": {func(_ *testing.T, p *plan.Plan) { p.Timeouts.Job = roles.Duration(5 * time.Hour) },
			"FAIL  the job asks for 05:00:00, partition gpu allows 4:00:00", true},
		"a QOS may allow more": {func(_ *testing.T, p *plan.Plan) {
			p.Timeouts.Job, p.Cluster.QOS = roles.Duration(5*time.Hour), "long"
		}, "", true},
		"a partition that is not up": {func(_ *testing.T, p *plan.Plan) { p.Cluster.Partition = "old" },
			"FAIL  partition old starts no jobs now", true},
		"several partitions": {func(_ *testing.T, p *plan.Plan) { p.Cluster.Partition = "gpu,old" }, "", true},
		"no default partition": {func(t *testing.T, p *plan.Plan) {
			p.Cluster.Partition = ""
			pretend(t, "sinfo", `echo 'gpu|gpu|up|16|4:00:00|gpu:4|idle'`)
		}, "FAIL  the cluster has no default partition: it has gpu: name one in the profile", true},
		"no MPI plugin": {func(_ *testing.T, p *plan.Plan) { p.Cluster.MPI = "pmix_v9" },
			"FAIL  srun has no plugin pmix_v9 for MPI: it has pmix, pmi2: correct mpi", true},
		"plugins on the standard error": {func(t *testing.T, _ *plan.Plan) {
			pretend(t, "srun", `printf 'srun: MPI types are...\nsrun: none\nsrun: pmix\n' >&2`)
		}, "", true},
		"no list of plugins": {func(t *testing.T, _ *plan.Plan) { pretend(t, "srun", "exit 0") },
			"warn  srun lists no plugins for MPI", true},
		"no pyxis": {func(t *testing.T, p *plan.Plan) {
			p.Cluster.Container = &profile.Container{Image: "/x.sqsh"}
			pretend(t, "srun", `case "$*" in --help) echo --nodes;; *) printf 'none\npmix\n';; esac`)
		}, "FAIL  srun has no option --container-image: pyxis is not installed here: say kind: apptainer", true},
		"apptainer needs no pyxis": {func(t *testing.T, p *plan.Plan) {
			p.Cluster.Container = &profile.Container{Image: "/x.sif", Kind: profile.Apptainer}
			pretend(t, "srun", `case "$*" in --help) echo --nodes;; *) printf 'none\npmix\n';; esac`)
		}, "", true},
		"a wrong architecture": {func(t *testing.T, p *plan.Plan) {
			t.Setenv("NODE_ARCH", "aarch64")
			p.Cluster.Arch = "amd64"
		}, "FAIL  node gpu7 is arm64, the agent is for amd64: say arch: arm64 in the profile", false},
		"a wrong account": {func(t *testing.T, _ *plan.Plan) {
			pretend(t, "sbatch", `echo "allocation failure: Invalid account or account/partition combination" >&2
exit 1`)
		}, "FAIL  Slurm would not take the job: Invalid account or account/partition " +
			"combination: correct account in the profile, or pass --account (yours: team, other)",
			false},
		"a wrong constraint": {func(t *testing.T, _ *plan.Plan) {
			pretend(t, "sbatch", `echo "allocation failure: Invalid feature specification" >&2; exit 1`)
		}, "FAIL  Slurm would not take the job: Invalid feature specification: correct constraint", false},
		"a controller that is busy": {func(t *testing.T, _ *plan.Plan) {
			pretend(t, "sbatch", `echo "allocation failure: Socket timed out on send/recv operation" >&2; exit 1`)
		}, "warn  cannot ask Slurm for job: ", false},
		"too much time to stop": {func(_ *testing.T, p *plan.Plan) { p.Cluster.KillWait = roles.Duration(time.Minute) },
			"FAIL  the profile gives jobs 1m0s to stop, and Slurm's KillWait is 30s", false},
		"sinfo fails": {func(t *testing.T, p *plan.Plan) {
			p.Cluster.Arch = "amd64"
			pretend(t, "sinfo", `case "$*" in *%n*) echo gpu7;; *) echo "no" >&2; exit 1;; esac`)
		}, "warn  cannot ask Slurm for partition: sinfo: no", true},
		"sinfo is odd": {func(t *testing.T, p *plan.Plan) {
			p.Cluster.Arch = "amd64"
			pretend(t, "sinfo", `case "$*" in *%n*) echo gpu7;; *) echo "a|b";; esac`)
		}, "warn  sinfo lists no partition", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pretendCluster(t)
			p := examinedPlan(t)
			tt.change(t, &p)
			if p.Cluster.Arch == "" {
				p.Cluster.Arch = "amd64" // whatever machine this is
			}
			for _, quick := range []bool{false, true} {
				got, want := odd(Slurm{}.Examine(t.Context(), p, quick)), tt.want
				if quick && !tt.quick {
					want = ""
				}
				if want == "" && len(got) > 0 || want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], want)) {
					t.Errorf("quick: %t: got %q, want %q", quick, got, want)
				}
			}
		})
	}
}

// The whole look says when the job would start, and asks with the options of the job.
func TestExamineTellsTheStart(t *testing.T) {
	pretendCluster(t)
	p := examinedPlan(t)
	p.Cluster.Arch, p.Cluster.Account, p.Cluster.SbatchArgs = "amd64", "team", []string{"--comment=perf sanity"}
	var lines []string
	for _, f := range (Slurm{}).Examine(t.Context(), p, false) {
		lines = append(lines, f.String())
	}
	for _, want := range []string{
		"ok    Slurm 23.11.4 of cluster east, with accounting", "ok    KillWait 30s",
		"ok    partition gpu: 18 nodes of 4 GPUs, 16 up, for at most 4:00:00", "ok    the nodes are amd64",
		"ok    srun --mpi=pmix", "ok    3 nodes for 02:00:00 would start about Nov 28 13:40, on gpu[7-9]",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%q is missing:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	asked := readFile(t, "ASKED")
	for _, want := range []string{"--test-only", "--nodes=3", "--partition=gpu", "--account=team",
		"--comment=perf sanity"} {
		if !strings.Contains(asked, want) {
			t.Errorf("sbatch was asked with %s", asked)
		}
	}
}

// Without an answer of Slurm's there is one finding, and nothing waits for the others.
func TestExamineWithoutSlurm(t *testing.T) {
	pretendCluster(t)
	pretend(t, "scontrol", `echo "scontrol: error: cannot reach the controller" >&2; exit 1`)
	got := odd(Slurm{}.Examine(t.Context(), examinedPlan(t), false))
	if len(got) != 1 || !strings.HasPrefix(got[0], "FAIL  Slurm does not answer: scontrol: ") {
		t.Errorf("%q", got)
	}
	pretend(t, "sinfo", "exec sleep 60")
	got = odd(Slurm{Bound: 10 * time.Millisecond}.Examine(t.Context(), examinedPlan(t), true))
	if len(got) == 0 || slices.ContainsFunc(got, func(l string) bool { return !strings.HasPrefix(l, "warn") }) {
		t.Errorf("what is not answered is in doubt: %q", got)
	}
}

// A visit has the job's options and container, but no container that outlives it; inside an allocation it is a step.
func TestVisitCommand(t *testing.T) {
	p := examinedPlan(t)
	p.Cluster.Account, p.Cluster.SbatchArgs = "team", []string{"--requeue", "--comment=x"}
	p.Cluster.Container = &profile.Container{Image: "/x.sqsh", Name: "job", Mounts: []string{"/shared"}}
	cmd := Slurm{Environ: []string{"SLURM_PARTITION=other", "HOME=/h"}}.Visit(p, 2, "examine", "--nodes", "2")
	line := strings.Join(cmd.Args, " ")
	for _, want := range []string{
		"--nodes=2 ", "--ntasks-per-node=1", "--partition=gpu", "--account=team", "--gpus-per-node=4", "--exclusive",
		"--comment=x", "--time=15", "--container-image=/x.sqsh", "--container-mounts=/shared",
		" /shared/bin/disagg-agent examine --nodes 2",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is missing: %s", want, line)
		}
	}
	for _, not := range []string{"--container-name", "--requeue", "--output", "--nodes=3", "SLURM_PARTITION"} {
		if strings.Contains(line+strings.Join(cmd.Env, " "), not) {
			t.Errorf("%s is there: %s", not, line)
		}
	}
	if p.Cluster.Container.Name != "job" {
		t.Error("the plan was changed")
	}
	step := strings.Join(Slurm{Environ: []string{"SLURM_JOB_ID=7"}}.Visit(p, 1, "examine").Args, " ")
	if !strings.Contains(step, "--overlap") || strings.Contains(step, "--partition") || strings.Contains(step,
		"--time") {
		t.Error(step)
	}
	p.Cluster.Container.Kind, p.Cluster.Container.Name = profile.Apptainer, ""
	if line := strings.Join((Slurm{}).Visit(p, 1, "examine").Args, " "); !strings.Contains(line,
		"apptainer exec --bind /shared /x.sqsh /shared/bin/disagg-agent examine") {
		t.Error(line)
	}
}

// What sinfo prints never breaks the reader.
func FuzzNodeGroups(f *testing.F) {
	f.Add("gpu|gpu*|up|16|4:00:00|gpu:gb200:4(S:0-1)|mixed\n")
	f.Add("a|b|c|-1|e|gpu:99999999999999999999|g\n||||||\n")
	f.Fuzz(func(t *testing.T, text string) {
		groups := nodeGroups(text)
		for _, g := range groups {
			if g.nodes < 0 {
				t.Errorf("%+v", g)
			}
		}
		if len(groups) == 0 {
			return
		}
		f := partitionFits(plan.Plan{}, groups)
		if f.Text == "" || f.Refused != (f.Level == doctor.Fail) {
			t.Errorf("%+v", f)
		}
	})
}

// readFile reads the file that a variable names.
func readFile(t *testing.T, variable string) string {
	t.Helper()
	data, err := os.ReadFile(os.Getenv(variable))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
