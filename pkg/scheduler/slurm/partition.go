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
		return unanswered(partitionCheck, err)
	}
	groups := nodeGroups(out)
	if len(groups) == 0 {
		return []doctor.Finding{doctor.Doubt(partitionCheck, "", "sinfo lists no partition")}
	}
	return []doctor.Finding{partitionFits(p, groups)}
}

// partitionFits judges the partition that a plan's job would be sent to.
func partitionFits(p plan.Plan, groups []nodeGroup) doctor.Finding {
	asked := p.Cluster.Partition
	var names []string
	var own []nodeGroup
	for _, g := range groups {
		if !slices.Contains(names, g.partition) {
			names = append(names, g.partition)
		}
		if g.partition == asked || asked == "" && g.standard {
			own = append(own, g)
		}
	}
	switch list := strings.Join(names, ", "); {
	case strings.Contains(asked, ","): // the job goes to the one that starts it first
		return doctor.Good(partitionCheck, "partitions %s", asked)
	case len(own) == 0 && asked == "":
		return refused("name one in the profile (partition)", "the cluster has no default partition: it has %s", list)
	case len(own) == 0:
		return refused(correctPartition, "there is no partition %s: there is %s", asked, list)
	}
	return roomFor(own, askedGPUs(p)).fits(p)
}

const (
	partitionCheck   = "partition"
	correctPartition = "correct partition in the profile, or pass --partition"
)

// refused is that a job would not start at all.
func refused(do, format string, args ...any) doctor.Finding {
	f := doctor.Bad(partitionCheck, do, format, args...)
	f.Refused = true
	return f
}

// room is what a partition has for a job.
type room struct {
	name  string
	up    bool // it starts jobs
	limit string
	gpus  int // that the job asks for on each node
	most  int // that a node has
	// How many nodes there are, those with GPUs enough, and those of them that can be used now.
	nodes, fit, ready int
}

// roomFor counts in the groups of a partition what there is for a job that asks for so many GPUs on each node.
func roomFor(groups []nodeGroup, gpus int) room {
	r := room{name: groups[0].partition, up: groups[0].up, limit: groups[0].limit, gpus: gpus}
	for _, g := range groups {
		r.nodes += g.nodes
		r.most = max(r.most, g.gpus)
		if g.gpus < gpus {
			continue
		}
		r.fit += g.nodes
		if g.usable {
			r.ready += g.nodes
		}
	}
	return r
}

// fits tells whether a plan's job can start there.
func (r room) fits(p plan.Plan) doctor.Finding {
	const never = "; it would wait for ever"
	want := p.JobNodes()
	limit, limited := limitOf(r.limit)
	switch {
	case !r.up:
		return refused(correctPartition, "partition %s starts no jobs now (it is not up)", r.name)
	case r.nodes < want:
		return refused(correctPartition, "the job needs %d nodes, partition %s has %d%s", want, r.name, r.nodes, never)
	case r.fit < want && r.most == 0:
		return refused("say gpus: none in the profile, or correct partition",
			"the job asks for %d GPUs a node, and Slurm knows of none in partition %s", r.gpus, r.name)
	case r.fit < want:
		return refused(correctPartition,
			"the job needs %d nodes of %d GPUs, partition %s has %d (at most %d GPUs a node)%s",
			want, r.gpus, r.name, r.fit, r.most, never)
	case limited && limit < roles.Duration(p.JobTime()) && p.Cluster.QOS == "": // a QOS may lift it
		return refused("pass a lower --time, or choose another partition",
			"the job asks for %s, partition %s allows %s%s", clock(p.JobTime()), r.name, r.limit, never)
	case r.ready < want:
		return doctor.Doubt(partitionCheck, "sinfo -R says why",
			"the job needs %d nodes, and of the %d in partition %s only %d are up", want, r.fit, r.name, r.ready)
	}
	return doctor.Good(partitionCheck, "partition %s: %d nodes%s, %d up, for at most %s", r.name, r.nodes, each(r.most),
		r.ready, r.limit)
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
