package slurm

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/lazyregexp"
)

// Survey is what a cluster says of itself, as far as it answers: what is not known is empty.
type Survey struct {
	Cluster, Version string
	KillWait         time.Duration
	Accounting       bool // jobs are kept in a database
	// MPI are the plugins that srun has, DefaultMPI what it takes unless told otherwise.
	MPI        []string
	DefaultMPI string
	Topology   string
	Pyxis      bool
	Partitions []Partition
	Accounts   []string // of the user, the default one first
	Arch       string   // of a node of the default partition, as Go names it; "": there is no agent for it
	Problems   []error  // what did not answer
}

// Partition is a part of a cluster. Nodes that differ in their GPUs make several of one name.
type Partition struct {
	Name    string
	Default bool
	Nodes   int
	Limit   string // of a job's time, as Slurm writes it
	GPUs    int    // a node
	GPU     string // kind; "": the cluster does not say
}

// Survey asks the cluster. A command that fails is a problem, and the others are asked all the same.
func (s Slurm) Survey(ctx context.Context) (v Survey) {
	ask := func(name string, args ...string) string {
		out, err := s.run(ctx, "", name, args...)
		if err != nil {
			v.Problems = append(v.Problems, err)
		}
		return out
	}
	v.config(ask("scontrol", "show", "config"))
	v.Partitions = partitions(ask("sinfo", "--noheader", "--format=%R|%P|%D|%l|%G"))
	v.MPI = mpiPlugins(ask("srun", "--mpi=list"))
	v.Pyxis = strings.Contains(ask("srun", "--help"), "--container-image")
	var problem error
	if v.Accounts, problem = s.ownAccounts(ctx); problem != nil {
		v.Problems = append(v.Problems, problem)
	}
	if p, ok := v.Usual(); ok {
		node := ask("sinfo", "--noheader", "--partition="+p.Name, "--format=%n")
		if node, _, _ = strings.Cut(strings.TrimSpace(node), "\n"); node != "" {
			if m := archOf().FindStringSubmatch(ask("scontrol", "show", "node", node)); m != nil {
				v.Arch = goArch(m[1])
			}
		}
	}
	return v
}

// Usual is the partition to begin with: the default one if it has GPUs, else the one with the most of them.
func (v Survey) Usual() (usual Partition, ok bool) {
	better := func(p Partition) bool {
		if p.Default != usual.Default && p.GPUs > 0 == (usual.GPUs > 0) {
			return p.Default
		}
		return p.GPUs*p.Nodes > usual.GPUs*usual.Nodes
	}
	for _, p := range v.Partitions {
		if !ok || better(p) {
			usual, ok = p, true
		}
	}
	return usual, ok
}

var archOf = lazyregexp.New(`\bArch=(\S+)`)

// config reads what scontrol shows.
func (v *Survey) config(out string) {
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "ClusterName":
			v.Cluster = value
		case "SLURM_VERSION":
			v.Version = value
		case "KillWait":
			number, _, _ := strings.Cut(value, " ")
			seconds, _ := strconv.Atoi(number)
			v.KillWait = time.Duration(seconds) * time.Second
		case "MpiDefault":
			v.DefaultMPI = value
		case "TopologyPlugin":
			v.Topology = value
		case "AccountingStorageType":
			v.Accounting = value != "" && value != "(null)" && !strings.HasSuffix(value, "/none")
		}
	}
	if v.Cluster == "" && len(v.Problems) == 0 {
		v.Problems = append(v.Problems, errors.New("scontrol show config says nothing of the cluster's name"))
	}
}

// gpuGRES finds GPUs in a list of generic resources, such as gpu:h200:8(S:0-1) or gpu:4.
var gpuGRES = lazyregexp.New(`(?:^|,)gpu(?::([^:,()]+))??:(\d+)(?:[,(]|$)`)

func partitions(out string) (list []Partition) {
	for line := range strings.Lines(out) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != 5 {
			continue
		}
		p := Partition{Name: f[0], Default: strings.HasSuffix(f[1], "*"), Limit: f[3]}
		p.Nodes, _ = strconv.Atoi(f[2])
		if m := gpuGRES().FindStringSubmatch(f[4]); m != nil {
			p.GPU = m[1]
			p.GPUs, _ = strconv.Atoi(m[2])
		}
		list = append(list, p)
	}
	return list
}

// mpiPlugins reads what srun lists: one per line, below a heading, and the versions of pmix after another.
func mpiPlugins(out string) (list []string) {
	for line := range strings.Lines(out) {
		word := strings.TrimPrefix(strings.TrimSpace(line), "srun: ")
		if word != "" && word != "none" && !strings.ContainsAny(word, " :") {
			list = append(list, word)
		}
	}
	return list
}

// ownAccounts are the accounts that this user may use, the default one first.
func (s Slurm) ownAccounts(ctx context.Context) ([]string, error) {
	name := userName(s.environ())
	if name == "" {
		return nil, nil
	}
	show := func(args ...string) (string, error) {
		return s.run(ctx, "", "sacctmgr", append([]string{"--noheader", "--parsable2", "show"}, args...)...)
	}
	preferred, err := show("user", name, "format=defaultaccount")
	if err != nil {
		return nil, err
	}
	all, err := show("association", "where", "user="+name, "format=account")
	return accounts(preferred, all), err
}

func accounts(preferred, all string) (list []string) {
	seen := map[string]bool{"": true}
	for line := range strings.Lines(preferred + "\n" + all) {
		if a := strings.TrimSpace(line); !seen[a] {
			seen[a] = true
			list = append(list, a)
		}
	}
	return list
}

func userName(environ []string) string {
	for _, kv := range environ {
		if name, value, _ := strings.Cut(kv, "="); name == "USER" || name == "LOGNAME" {
			return value
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// String is a partition in a few words.
func (p Partition) String() string {
	gpus := "no GPUs"
	if p.GPUs > 0 {
		gpus = fmt.Sprintf("%d GPUs each", p.GPUs)
	}
	if p.GPU != "" {
		gpus += " (" + p.GPU + ")"
	}
	return fmt.Sprintf("%s: %d nodes, %s, at most %s", p.Name, p.Nodes, gpus, p.Limit)
}
