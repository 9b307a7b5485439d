package slurm

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/roles"
)

// GPUs are found in every form of a list of resources, with their kind where it is said; nothing else is one.
func TestPartitionsGPUs(t *testing.T) {
	for gres, want := range map[string]Partition{
		"gpu:8": {GPUs: 8}, "gpu:h200:8": {GPUs: 8, GPU: "h200"}, "gpu:h200:8(S:0-1)": {GPUs: 8, GPU: "h200"},
		"nic:2,gpu:4(S:0)": {GPUs: 4}, "(null)": {}, "": {}, "mygpu:4": {}, "gpu": {}, "gpu:x": {},
		"gpu:a:2,gpu:b:3": {GPUs: 2, GPU: "a"}, "shard:gpu:4": {},
	} {
		want.Name, want.Nodes, want.Limit = "p", 3, "1:00:00"
		got := partitions("p|p|3|1:00:00|" + gres + "\nodd|line\n")
		if diff := cmp.Diff([]Partition{want}, got); diff != "" {
			t.Errorf("%q: %s", gres, diff)
		}
	}
}

// The plugins are the single words below a heading; none is not one.
func TestMPIPlugins(t *testing.T) {
	for out, want := range map[string]string{
		"MPI plugin types are...\n\tnone\n\tpmix\n": "pmix", "srun: MPI types are...\nsrun: pmi2\nsrun: none": "pmi2",
		"cray_shasta\npmix\nspecific pmix plugin versions available: pmix_v3,pmix_v4\n": "cray_shasta pmix", "": "",
		"a:b\n\n": "",
	} {
		if got := strings.Join(mpiPlugins(out), " "); got != want {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
}

// Accounts are named once each, the default one first.
func TestAccounts(t *testing.T) {
	if got := accounts("b\n", "a\nb\n\n a \nc"); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("%q", got)
	}
	if got := accounts("", "\n"); got != nil {
		t.Errorf("%q", got)
	}
}

// A user is who the environment says, else who the process is.
func TestUserName(t *testing.T) {
	for want, env := range map[string][]string{"a": {"X=y", "USER=a"}, "b": {"LOGNAME=b"}, "": {"USER="}} {
		if got := userName(env); got != want {
			t.Errorf("%q: %q", env, got)
		}
	}
	if got := userName(nil); got == "" {
		t.Error("this process has no user")
	}
	if list, err := (Slurm{Environ: []string{"USER="}}).ownAccounts(t.Context()); list != nil || err != nil {
		t.Errorf("nobody has accounts: %v, %v", list, err)
	}
}

// What Slurm keeps of jobs is told apart from what it keeps in files, or nowhere; without a name nothing was shown.
func TestConfigOfSurvey(t *testing.T) {
	for value, want := range map[string]bool{
		"accounting_storage/slurmdbd": true, "accounting_storage/none": false, "(null)": false, "": false,
	} {
		var v Survey
		v.config("AccountingStorageType = " + value + "\nClusterName=c\nKillWait = x sec\nOther\n")
		if v.Accounting != want || v.Cluster != "c" || v.KillWait != 0 || len(v.Problems) != 0 {
			t.Errorf("%q: %+v", value, v)
		}
	}
	var v Survey
	v.config("")
	if len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Error(), "says nothing of the cluster's name") {
		t.Errorf("%v", v.Problems)
	}
	if v.config(""); len(v.Problems) != 1 {
		t.Errorf("a fault that is known is told again: %v", v.Problems)
	}
}

// The default partition is the one to begin with if it has GPUs, or none has; else the one with the most.
func TestUsual(t *testing.T) {
	for want, list := range map[string][]Partition{
		"a": {{Name: "a", Default: true, Nodes: 1, GPUs: 1}, {Name: "b", Nodes: 9, GPUs: 8}},
		"b": {{Name: "a", Default: true, Nodes: 9}, {Name: "b", Nodes: 1, GPUs: 4}},
		"c": {{Name: "a"}, {Name: "c", Default: true}, {Name: "b"}},
		"d": {{Name: "a", Nodes: 1, GPUs: 8}, {Name: "d", Nodes: 3, GPUs: 4}, {Name: "b", Nodes: 2, GPUs: 4}},
		"e": {{Name: "b", Nodes: 9, GPUs: 8}, {Name: "e", Default: true, Nodes: 1, GPUs: 1}},
	} {
		if got, ok := (Survey{Partitions: list}).Usual(); !ok || got.Name != want {
			t.Errorf("%s, %v, want %s", got.Name, ok, want)
		}
	}
	if _, ok := (Survey{}).Usual(); ok {
		t.Error("of no partition one is usual")
	}
	if got := (Partition{Name: "a", Nodes: 2, Limit: "x"}).String(); got != "a: 2 nodes, no GPUs, at most x" {
		t.Error(got)
	}
}

// A survey asks all of its questions although some are not answered, and names those.
func TestSurveyOfSilence(t *testing.T) {
	for _, name := range []string{"scontrol", "sinfo", "srun", "sacctmgr"} {
		pretend(t, name, "echo 'it is away' >&2; exit 1")
	}
	v := Slurm{Environ: []string{"USER=me"}}.Survey(t.Context())
	if len(v.Problems) != 5 || v.Pyxis || v.MPI != nil || v.Partitions != nil || v.Accounts != nil || v.Arch != "" {
		t.Errorf("%+v", v)
	}
	pretend(t, "sacctmgr", `case "$*" in *association*) echo no >&2; exit 1;; *) echo team;; esac`)
	if list, err := (Slurm{Environ: []string{"USER=me"}}).ownAccounts(t.Context()); err == nil ||
		!slices.Equal(list, []string{"team"}) {
		t.Errorf("%v, %v", list, err)
	}
}

// Nodes count as usable in every state in which a job may yet run on them, with whatever mark after it.
func TestUsable(t *testing.T) {
	for state, want := range map[string]bool{
		"idle": true, "mixed": true, "allocated+": true, "idle~": true, "mixed-": true, "planned": true,
		"reserved": true,
		"idle*":    false, "down": false, "down*": false, "down$": false, "drained": false,
		"draining@": false, "fail": false,
		"failing": false, "error": false, "unknown": false, "inval": false, "future": false, "drain": false, "": true,
	} {
		if got := usable(state); got != want {
			t.Errorf("%q: %v", state, got)
		}
	}
}

// Lines of another form, and numbers that are none, are passed over; others around them are not.
func TestNodeGroups(t *testing.T) {
	got := nodeGroups("p|p*|up|2|1:00:00|gpu:4|idle\nx\np|p|up|-1|1|x|idle\np|p|up|two|1|x|idle\n" +
		"q|q|down|1|infinite||down*")
	want := []nodeGroup{
		{partition: "p", standard: true, up: true, nodes: 2, limit: "1:00:00", gpus: 4, usable: true},
		{partition: "q", nodes: 1, limit: "infinite"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(nodeGroup{})); diff != "" {
		t.Error(diff)
	}
}

// A partition fits up to exactly what it has and allows; one node, GPU or second more does not.
func TestPartitionFitsExactly(t *testing.T) {
	groups := nodeGroups("p|p*|up|3|2:00:00|gpu:4|idle\np|p*|up|1|2:00:00|gpu:2|idle\np|p*|up|1|2:00:00|gpu:4|down")
	for name, tt := range map[string]struct {
		nodes, gpus int
		limit       time.Duration
		level       doctor.Level
		text        string
	}{
		"as much as is up": {
			3, 4, 2 * time.Hour, doctor.OK, "partition p: 5 nodes of 4 GPUs, 3 up, for at most 2:00:00",
		},
		"one is down": {
			4, 4, time.Hour, doctor.Warn, "the job needs 4 nodes, and of the 4 in partition p only 3 are up",
		},
		"smaller nodes are too few": {
			5, 4, time.Hour, doctor.Fail, "the job needs 5 nodes of 4 GPUs, partition p has 4 (at most 4 GPUs a node)" +
				"; it would wait for ever",
		},
		"with fewer GPUs": {4, 2, time.Hour, doctor.OK, "partition p: 5 nodes of 4 GPUs, 4 up, for at most 2:00:00"},
		"too many nodes": {
			6, 4, time.Hour, doctor.Fail, "the job needs 6 nodes, partition p has 5; it would wait for ever",
		},
		"too long": {1, 1, 2*time.Hour + time.Second, doctor.Fail, "the job asks for 02:00:01, partition p allows " +
			"2:00:00; it would wait for ever"},
	} {
		p := plan.Plan{Layout: roles.Layout{TotalNodes: tt.nodes, GPUsPerNode: tt.gpus}}
		p.Timeouts.Job = roles.Duration(tt.limit)
		f := partitionFits(p, groups)
		if f.Level != tt.level || f.Text != tt.text || f.Refused != (f.Level == doctor.Fail) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// Nodes of an architecture that there is no agent for are not compared: nothing is known of them.
func TestArchOfNodes(t *testing.T) {
	pretendCluster(t)
	p := examinedPlan(t)
	for node, want := range map[string]string{
		"x86_64": "ok    the nodes are amd64", "ppc64le": "",
		"aarch64": "FAIL  node gpu7 is arm64, the agent is for amd64",
	} {
		t.Setenv("NODE_ARCH", node)
		p.Cluster.Arch = "amd64"
		var text string
		for _, f := range (Slurm{}).examineArch(t.Context(), p) {
			text += f.String()
		}
		if !strings.HasPrefix(text, want) || want == "" && text != "" {
			t.Errorf("%s: %q", node, text)
		}
	}
}

// Questions are asked at the same time and answered in their order.
func TestAllKeepsOrder(t *testing.T) {
	second := make(chan struct{})
	got := all(t.Context(), plan.Plan{}, []question{
		func(context.Context, plan.Plan) []doctor.Finding {
			<-second // it ends only if the other one is asked meanwhile
			return []doctor.Finding{doctor.Good("first", "")}
		},
		func(context.Context, plan.Plan) []doctor.Finding {
			close(second)
			return []doctor.Finding{doctor.Good("second", ""), doctor.Good("third", "")}
		},
	})
	if len(got) != 3 || got[0].Check != "first" || got[2].Check != "third" {
		t.Errorf("%v", got)
	}
}

// Fields of a job are read whole, with blanks in them, up to the next name; a line without one is passed over.
func TestJobFields(t *testing.T) {
	got := jobFields("JobId=7 JobName=a b\n   WorkDir=/x y/z\n   Reason=None Dependency=(null)\nno field\n   Power=\n")
	want := map[string]string{
		"JobId": "7", "JobName": "a b", "WorkDir": "/x y/z", "Reason": "None", "Dependency": "(null)", "Power": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever scontrol prints, it is read to its end, and no value spans lines.
func FuzzJobFields(f *testing.F) {
	f.Add("JobId=7 JobName=a b=c\n  X:Y=1 = =")
	f.Add("a=b=c a=\n\n=")
	f.Fuzz(func(t *testing.T, text string) {
		for name, value := range jobFields(text) {
			if name == "" || strings.Contains(value, "\n") {
				t.Errorf("%q: %q=%q", text, name, value)
			}
		}
	})
}

// A step's memory is known where Slurm tells a number of mebibytes.
func TestStepMemory(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "0": 0, "2": 2 << 20, "-1": 0, "x": 0, "1048576": 1 << 40} {
		if got := stepMemory(func(string) string { return text }); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// Tasks lose Slurm's variables but the one that tells programs their rank.
func TestTaskVars(t *testing.T) {
	patterns, kept := Slurm{}.TaskVars()
	if !slices.Equal(patterns, []string{"SLURM*"}) || !slices.Equal(kept, []string{"SLURM_PROCID"}) {
		t.Errorf("%v, %v", patterns, kept)
	}
}

// Only pyxis needs a plugin of srun's.
func TestContainerOfProfile(t *testing.T) {
	pretend(t, "srun", "echo --nodes")
	p := plan.Plan{}
	for name, c := range map[string]*profile.Container{
		"none": nil, "apptainer": {Kind: profile.Apptainer, Image: "i"},
	} {
		p.Cluster.Container = c
		if got := (Slurm{}).examineContainer(t.Context(), p); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := (Slurm{}).examineMPI(t.Context(), p); got != nil {
		t.Errorf("nobody joins ranks: %v", got)
	}
}
