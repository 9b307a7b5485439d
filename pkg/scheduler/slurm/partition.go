package slurm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/doctor"
	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/roles"
)

// nodeGroup are nodes of a partition that are alike.
type nodeGroup struct {
	partition string
	standard  bool // it is the cluster's default
	up        bool // the partition starts jobs
	nodes     int
	limit     string // of a job's time
	gpus      int    // a node
	usable    bool   // nodes that are there, and not kept from jobs
}

const groupFormat = "%R|%P|%a|%D|%l|%G|%T"

// nodeGroups reads what sinfo prints in the format above; what is of another form is passed over.
func nodeGroups(out string) (list []nodeGroup) {
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 7 {
			continue
		}
		g := nodeGroup{
			partition: f[0], standard: strings.HasSuffix(f[1], "*"), up: f[2] == "up", limit: f[4],
			usable: usable(f[6]),
		}
		var err error
		if g.nodes, err = strconv.Atoi(f[3]); err != nil || g.nodes < 0 {
			continue
		}
		if m := gpuGRES().FindStringSubmatch(f[5]); m != nil {
			g.gpus, _ = strconv.Atoi(m[2])
		}
		list = append(list, g)
	}
	return list
}

// usable tells whether nodes in a state may run jobs, at once or after others. A mark after the state, such as *, says
// that they do not answer, or are about to be started again.
func usable(state string) bool {
	word := strings.TrimRight(state, "*~#!%$@^-+")
	return !strings.HasSuffix(state, "*") && !slices.Contains([]string{
		"down", "drained", "draining", "drain", "fail", "failing", "error", "unknown", "inval", "future",
	}, word)
}

// examinePartition asks whether the partition can ever hold the job.
func (s Slurm) examinePartition(ctx context.Context, p plan.Plan) []doctor.Finding {
	out, err := s.run(ctx, "", "sinfo", "--all", "--noheader", "--format="+groupFormat)
	if err != nil {
		return unanswered("partition", err)
	}
	groups := nodeGroups(out)
	if len(groups) == 0 {
		return []doctor.Finding{doctor.Doubt("partition", "", "sinfo lists no partition")}
	}
	return []doctor.Finding{partitionFits(p, groups)}
}

// partitionFits judges the partition that a plan's job would be sent to.
func partitionFits(p plan.Plan, groups []nodeGroup) doctor.Finding {
	const check, never = "partition", "; it would wait for ever"
	var names []string
	var own []nodeGroup
	for _, g := range groups {
		if !slices.Contains(names, g.partition) {
			names = append(names, g.partition)
		}
		if g.partition == p.Cluster.Partition || p.Cluster.Partition == "" && g.standard {
			own = append(own, g)
		}
	}
	refused := func(do, format string, args ...any) doctor.Finding {
		f := doctor.Bad(check, do, format, args...)
		f.Refused = true
		return f
	}
	correct := "correct partition in the profile, or pass --partition"
	if strings.Contains(p.Cluster.Partition, ",") { // the job goes to the one that starts it first
		return doctor.Good(check, "partitions %s", p.Cluster.Partition)
	}
	if len(own) == 0 && p.Cluster.Partition == "" {
		return refused("name one in the profile (partition)", "the cluster has no default partition: it has %s",
			strings.Join(names, ", "))
	}
	if len(own) == 0 {
		return refused(correct, "there is no partition %s: there is %s", p.Cluster.Partition, strings.Join(names, ", "))
	}
	name, want, gpus := own[0].partition, p.JobNodes(), askedGPUs(p)
	there, fit, ready := 0, 0, 0
	for _, g := range own {
		there += g.nodes
		if g.gpus < gpus {
			continue
		}
		fit += g.nodes
		if g.usable {
			ready += g.nodes
		}
	}
	most := slices.MaxFunc(own, func(a, b nodeGroup) int { return a.gpus - b.gpus }).gpus
	limit, limited := limitOf(own[0].limit)
	switch {
	case !own[0].up:
		return refused(correct, "partition %s starts no jobs now (it is not up)", name)
	case there < want:
		return refused(correct, "the job needs %d nodes, partition %s has %d%s", want, name, there, never)
	case fit < want && most == 0:
		return refused("say gpus: none in the profile, or correct partition",
			"the job asks for %d GPUs a node, and Slurm knows of none in partition %s", gpus, name)
	case fit < want:
		return refused(correct, "the job needs %d nodes of %d GPUs, partition %s has %d (at most %d GPUs a node)%s",
			want,
			gpus, name, fit, most, never)
	case limited && limit < roles.Duration(p.JobTime()) && p.Cluster.QOS == "": // a QOS may lift it
		return refused("pass a lower --time, or choose another partition",
			"the job asks for %s, partition %s allows %s%s", clock(p.JobTime()), name, own[0].limit, never)
	case ready < want:
		return doctor.Doubt(check, "sinfo -R says why",
			"the job needs %d nodes, and of the %d in partition %s only %d "+
				"are up", want, fit, name, ready)
	}
	return doctor.Good(check, "partition %s: %d nodes%s, %d up, for at most %s", name, there, each(most), ready,
		own[0].limit)
}

func each(gpus int) string {
	if gpus == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d GPUs", gpus)
}

// askedGPUs is how many GPUs of a node the job asks for, 0 if it asks for none.
func askedGPUs(p plan.Plan) int {
	if p.Cluster.GPUs == "none" {
		return 0
	}
	return p.Layout.GPUsPerNode
}

// limitOf reads a partition's limit of a job's time; false if there is none.
func limitOf(text string) (roles.Duration, bool) {
	d, err := roles.ParseLimit(text)
	return d, err == nil
}
