package main

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/supervisor"
)

const guardName = "guard"

// guardCommand ends what a killed agent leaves behind. Agents start it themselves.
func guardCommand() *cli.Command {
	return &cli.Command{
		Name:   guardName,
		Usage:  "end the processes with this mark, once the process that holds the other end of stdin is gone",
		Hidden: true,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return errors.New("want one mark")
			}
			_, err := supervisor.Watch(os.Stdin, c.Args().First())
			return err
		},
	}
}
