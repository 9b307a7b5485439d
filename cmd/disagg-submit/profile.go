package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/profile"
	"github.com/disagg/disagg/pkg/profile/clusters"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/scheduler/slurm"
)

// profileCommand makes profiles.
func profileCommand() *cli.Command {
	output := &cli.StringFlag{
		Name: "output", Aliases: []string{"o"}, DefaultText: "standard output",
		Usage: "write the profile to `FILE`, which must not exist yet",
	}
	return &cli.Command{
		Name:  "profile",
		Usage: "make a profile of a cluster: by asking Slurm, or from a file of upstream's scripts",
		Description: `A profile says what a cluster needs; --profile takes it.

  disagg-submit profile init --output my-cluster.yaml
  disagg-submit profile import clusters.ini east`,
		Subcommands: []*cli.Command{
			{
				Name: "init", Usage: "ask this cluster, and write down what it says",
				Description: `What the cluster does not say is left as blanks to fill in.

  disagg-submit profile init
  disagg-submit profile init --partition gpu --output my-cluster.yaml`,
				Flags: []cli.Flag{
					output,
					&cli.StringFlag{
						Name: "partition", DefaultText: "the default, if it has GPUs", Usage: "partition `NAME`",
					},
				},
				Action: profileInit,
			},
			{
				Name: "import", Usage: "take over a cluster of an INI file, or a .conf file",
				ArgsUsage: "FILE [CLUSTER]", Flags: []cli.Flag{output}, Action: profileImport,
				Description: `CLUSTER is the one of several that a file describes.

  disagg-submit profile import clusters.ini east
  disagg-submit profile import --output west.yaml west.conf`,
			},
		},
		Action: command.Unknown,
	}
}

func profileImport(c *cli.Context) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return errors.New("cannot import: pass FILE, and CLUSTER if it describes several")
	}
	data, err := os.ReadFile(c.Args().First())
	if err != nil {
		return fmt.Errorf("cannot import: %w", err)
	}
	draft, err := clusters.Import(c.Args().First(), data, c.Args().Get(1))
	if err != nil {
		return err
	}
	return writeDraft(c, draft)
}

func profileInit(c *cli.Context) error {
	draft, err := surveyed(c.Context, c.String("partition"))
	if err != nil {
		return err
	}
	return writeDraft(c, draft)
}

// writeDraft writes a draft where it is wanted, once it was read as a profile: what a cluster says of itself may be
// more than a profile takes.
func writeDraft(c *cli.Context, draft *profile.Draft) error {
	if _, err := profile.Parse("profile", draft.Text()); err != nil {
		fmt.Fprintf(c.App.ErrWriter, "disagg-submit: fix this before you use it: %v\n", err)
	}
	file := c.String("output")
	if file == "" {
		_, err := c.App.Writer.Write(draft.Text())
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, err = f.Write(draft.Text())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot write the profile: %w", err)
	}
	fmt.Fprintf(c.App.Writer, "%s\n", file)
	return nil
}

// surveyed is a draft of what the cluster says.
func surveyed(ctx context.Context, partition string) (*profile.Draft, error) {
	v := slurm.Slurm{}.Survey(ctx)
	if v.Cluster == "" {
		return nil, command.Exit(protocol.ExitUnavailable, fmt.Errorf("cannot ask the cluster: %w",
			v.Problems[0]))
	}
	usual, ok := v.Usual()
	if partition != "" {
		i := slices.IndexFunc(v.Partitions, func(p slurm.Partition) bool { return p.Name == partition })
		if i < 0 {
			return nil, fmt.Errorf("cannot find partition %s: the cluster has %s", partition, names(v.Partitions))
		}
		usual, ok = v.Partitions[i], true
	}
	d := profile.NewDraft(v.Cluster, "Of cluster "+v.Cluster+", Slurm "+v.Version+": look it over.")
	for _, p := range v.Problems {
		d.Note("Not known, because of " + p.Error())
	}
	if ok {
		for _, p := range v.Partitions {
			d.Note("Partition " + p.String())
		}
		d.Set("partition", usual.Name, "")
	}
	fromSurvey(d, v, usual)
	return d, nil
}

func fromSurvey(d *profile.Draft, v slurm.Survey, p slurm.Partition) {
	if len(v.Accounts) > 0 {
		others := ""
		if len(v.Accounts) > 1 {
			others = "or " + strings.Join(v.Accounts[1:], ", ")
		}
		d.Set("account", v.Accounts[0], others)
	}
	if p.GPUs > 0 {
		d.Set("gpus", profile.GPUsPerNode, fmt.Sprintf("%d a node", p.GPUs))
	} else {
		d.Set("gpus", profile.GPUsNone, "the partition has none that Slurm knows of: whole nodes are asked for")
	}
	if p.GPU != "" {
		d.Set("gpu", strings.ToUpper(p.GPU), "")
	}
	if i := slices.IndexFunc(v.MPI, func(m string) bool { return strings.HasPrefix(m, "pmix") }); i >= 0 {
		d.Set("mpi", v.MPI[i], "srun has "+strings.Join(v.MPI, ", "))
	} else {
		d.Set("mpi", "none", "srun has no PMIx: engines whose ranks join with MPI cannot start")
	}
	if v.KillWait > 0 {
		d.Set("kill_wait", v.KillWait.String(), "Slurm's KillWait")
	}
	if v.Arch != "" && v.Arch != runtime.GOARCH {
		d.Set("arch", v.Arch, "install disagg-agent-"+v.Arch+" beside disagg-submit")
	}
	if strings.Contains(v.Topology, "block") {
		d.Offer("segment", true, "one NVLink segment (topology/block)")
	}
	d.Offer("models_root", "/path/of/models", "models are looked up here")
	if v.Pyxis {
		d.Offer("container", map[string]any{
			"image": "/path/of/image.sqsh", "mounts": []string{"/shared:/shared"},
		}, "pyxis")
	}
}

func names(partitions []slurm.Partition) string {
	var list []string
	for _, p := range partitions {
		if !slices.Contains(list, p.Name) {
			list = append(list, p.Name)
		}
	}
	return strings.Join(list, ", ")
}
