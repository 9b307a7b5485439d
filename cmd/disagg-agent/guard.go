package main

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/supervisor"
)

const (
	guardName = "guard"
	jobVar    = "job-var"
)

// guardArgs are a guard's command and its options, for an agent whose job can be told by a variable; "": by none.
func guardArgs(self, variable string) []string {
	args := []string{self, guardName}
	if variable != "" {
		args = append(args, "--"+jobVar, variable)
	}
	return args
}

// guardCommand ends what a killed agent leaves behind. Agents start it themselves.
func guardCommand() *cli.Command {
	return &cli.Command{
		Name:   guardName,
		Usage:  "end the processes with this mark, once the process that holds the other end of stdin is gone",
		Hidden: true,
		Flags: []cli.Flag{&cli.StringFlag{
			Name: jobVar, Usage: "spare processes that have another value of `VARIABLE`: another job's",
		}},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return errors.New("want a mark")
			}
			_, err := supervisor.Watch(os.Stdin, supervisor.Left{
				Mark: c.Args().First(), Kin: c.Args().Tail(), JobVar: c.String(jobVar),
			})
			return err
		},
	}
}
