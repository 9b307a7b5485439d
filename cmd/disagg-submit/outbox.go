package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/cmd/internal/command"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/upload"
)

// recordState is a record and one sink, or a notice and its target, as `upload status` tells it.
type recordState struct {
	Sink  string `json:"sink"` // or the target
	ID    string `json:"id"`
	State string `json:"state"` // pending, sent or dead
	Tries int    `json:"tries,omitempty"`
	Error string `json:"error,omitempty"` // of the last try, or why it is dead
}

// outboxCommand tells what was sent.
func outboxCommand() *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "tell which records and notices are pending, sent, or refused for good, and why",
		ArgsUsage:   "[RUN]",
		Description: aboutRun + "\n\n  disagg-submit upload status\n  disagg-submit upload status 4459 --json",
		Flags:       []cli.Flag{uploadFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			o, err := outboxesOf(c)
			if err != nil {
				return err
			}
			list := []recordState{}
			err = o.each(func(d upload.Drain) error {
				states, err := statesOf(d)
				list = append(list, states...)
				return err
			})
			if err != nil {
				return err
			}
			list = append(list, o.notices()...)
			if c.Bool("json") {
				return printJSON(c.App.Writer, list)
			}
			for _, s := range list {
				why := ""
				if s.Error != "" {
					why = ": " + s.Error
				}
				fmt.Fprintf(c.App.Writer, "%-7s %s  %s%s\n", s.State, s.ID, s.Sink, why)
			}
			return nil
		},
	}
}

func statesOf(d upload.Drain) (list []recordState, err error) {
	for _, of := range []struct {
		state string
		ids   func() ([]string, error)
	}{{"pending", d.Outbox.Pending}, {"dead", d.Outbox.Dead}, {"sent", d.Outbox.Sent}} {
		ids, err := of.ids()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			s := recordState{Sink: d.URL, ID: id, State: of.state}
			switch of.state {
			case "pending":
				t := d.Outbox.TriesOf(id)
				s.Tries, s.Error = t.Tries, t.Error
			case "dead":
				s.Error = strings.TrimSpace(d.Outbox.Reason(id))
			}
			list = append(list, s)
		}
	}
	return list, nil
}

// retryCommand lets records be sent that a sink refused.
func retryCommand() *cli.Command {
	return &cli.Command{
		Name:      "retry",
		Usage:     "make records pending again that a sink refused for good; then drain",
		ArgsUsage: "[RUN]",
		Description: aboutRun + ` Mend first why they were refused: disagg-submit upload status tells.

  disagg-submit upload retry 4459 && disagg-submit upload drain 4459
  disagg-submit upload retry 4459 --upload sqlite://$PWD/results.db`,
		Flags: []cli.Flag{
			uploadFlag(),
			&cli.StringSliceFlag{Name: "id", Usage: "only the record `ID`; may be repeated, or several with commas"},
		},
		Action: func(c *cli.Context) error {
			o, err := outboxesOf(c)
			if err != nil {
				return err
			}
			revived := 0
			err = o.each(func(d upload.Drain) error {
				ids, err := d.Outbox.Dead()
				if err != nil {
					return err
				}
				for _, id := range chosen(c, ids) {
					why := "refused before: " + strings.TrimSpace(d.Outbox.Reason(id))
					if err := d.Outbox.Revive(id, why); err != nil {
						return err
					}
					revived++
				}
				return nil
			})
			fmt.Fprintf(c.App.Writer, "%d %s pending again\n", revived, plural(revived, "record is", "records are"))
			if err == nil && revived == 0 && c.IsSet("id") {
				err = errors.New("no record of that id was refused: disagg-submit upload status lists them")
			}
			return err
		},
	}
}

// verifyCommand asks the sinks for what was sent.
func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:        "verify",
		Usage:       "ask the sinks whether they still have what was sent; exit with 1 if they have not",
		ArgsUsage:   "[RUN]",
		Description: aboutRun + "\n\n  disagg-submit upload verify\n  disagg-submit upload verify 4459 --repair",
		Flags: []cli.Flag{
			uploadFlag(), &cli.BoolFlag{Name: "repair", Usage: "make pending again what is missing; then drain"},
		},
		Action: func(c *cli.Context) error {
			o, err := outboxesOf(c)
			if err != nil {
				return err
			}
			missing := 0
			err = o.each(func(d upload.Drain) error {
				good, doubts, err := d.Verify(c.Context)
				for _, x := range doubts {
					what := "record " + x.ID + " is missing"
					switch {
					case x.Error != "":
						what = report.Printable(x.Error)
					case x.Found != "":
						what = "record " + x.ID + " is another one there"
					}
					fmt.Fprintf(c.App.Writer, "%s: %s\n", d.URL, what)
					if c.Bool("repair") && x.Found == "" && x.Error == "" && err == nil {
						err = d.Outbox.Revive(x.ID, "it was sent, and is not there any more")
					}
				}
				missing += len(doubts)
				if err != nil && good == 0 && len(doubts) == 0 {
					return err // it was not asked
				}
				fmt.Fprintf(c.App.Writer, "%s: %d of %d records are as they were sent\n", d.URL, good,
					good+len(doubts))
				return err
			})
			if err == nil && missing > 0 {
				return command.Exit(protocol.ExitFailed, nil)
			}
			return err
		},
	}
}
