package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/notice/post"
	"github.com/disagg/disagg/pkg/telemetry/otlp"
	"github.com/disagg/disagg/pkg/telemetry/prom"
)

// tools are what hears of a run when it is over.
type tools struct {
	otlp       string // URL of a collector; "": the one that OpenTelemetry's variables name, if they do
	prometheus string // file or folder; "": none
	targets    []notice.Target
}

// none tells whether nobody wants to hear of a run.
func (t tools) none() bool {
	return t.otlp == "" && !otlp.Named() && t.prometheus == "" && len(t.targets) == 0
}

// exportFlags say what a run is exported to.
func exportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "otlp", DefaultText: "as OTEL_EXPORTER_OTLP_ENDPOINT says, if it is set",
			Usage:  "send the run that is over to the OpenTelemetry collector at `URL`: a trace, and metrics",
			Action: func(_ *cli.Context, url string) error { return otlp.Check(url) },
		},
		&cli.StringFlag{
			Name:   "prometheus",
			Usage:  "write metrics of the run that is over to `FILE|DIR`, for node_exporter's textfile collector",
			Action: func(_ *cli.Context, place string) error { return checkProm(place) },
		},
	}
}

// toolFlags say who hears of a run when it is over.
func toolFlags() []cli.Flag {
	return append(exportFlags(), &cli.StringSliceFlag{
		Name: "notify",
		Usage: "tell how the run ended to a command, on its standard input, or a URL: `CMD|URL`, as JSON, or as a " +
			"message to Slack (slack+https://…); may be repeated",
		Action: func(_ *cli.Context, list []string) error {
			for _, text := range list {
				if err := checkTarget(text); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

func checkTarget(text string) error {
	t, err := notice.Parse(text)
	if err != nil {
		return err
	}
	return post.Check(t)
}

// checkProm tells whether metrics can be written to a place: what is found out after hours comes too late.
func checkProm(place string) error {
	folder := place
	if !isFolder(place) {
		if filepath.Ext(place) != prom.Suffix {
			return fmt.Errorf("cannot write metrics to %q: want a folder, or a file that ends with %s: node_exporter "+
				"reads no other", place, prom.Suffix)
		}
		folder = filepath.Dir(place)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("cannot write metrics to %q: there is no folder %s", place, folder)
	}
	return nil
}

// isFolder tells whether a place is one for many files.
func isFolder(place string) bool {
	info, err := os.Stat(place)
	return err == nil && info.IsDir() || strings.HasSuffix(place, "/")
}

// toolsOf are those of the command line, whose flags were checked.
func toolsOf(c *cli.Context) tools {
	t := tools{otlp: c.String("otlp"), prometheus: c.String("prometheus")}
	for _, text := range c.StringSlice("notify") {
		if target, err := notice.Parse(text); err == nil {
			t.targets = append(t.targets, target)
		}
	}
	return t
}

// fitTools refuses what does not go together.
func fitTools(c *cli.Context) error {
	for _, f := range toolFlags() {
		if name := f.Names()[0]; c.IsSet(name) && c.Bool("detach") {
			return fmt.Errorf("cannot use --%s with --detach: nobody is there when the run is over: pass it to "+
				"disagg-submit watch", name)
		}
	}
	if place := c.String("prometheus"); several(c) && place != "" && !isFolder(place) {
		return errors.New("cannot write metrics of several runs to one file (--prometheus): name a folder")
	}
	return nil
}
