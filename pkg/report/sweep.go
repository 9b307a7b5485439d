package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/disagg/disagg/pkg/report/chart"
	"github.com/disagg/disagg/pkg/roles"
)

// sweep is runs beside each other that differ in their settings.
type sweep struct {
	Keys  []string // that differ, as short as they can be told apart
	Rows  []sweepRow
	Curve *drawn // of the best points; nil: there are fewer than two
	// Beside says that some runs have more points than that, which are drawn beside it.
	Beside bool
}

// sweepRow is a run in the table: the value of each key, and the best point.
type sweepRow struct {
	Name, Status, Class, Page string
	Cells                     []cell
	values                    []string // of the keys
	model                     *Model
}

// Varied names what differs, in words.
func (s sweep) Varied() string { return strings.Join(s.Keys, " and ") }

// noValue stands for a value that there is none of.
const noValue = "–"

// newSweep compares runs by what differs in their settings; nil if nothing does.
func newSweep(runs []ListedRun) *sweep {
	keys := variedKeys(runs)
	if len(keys) == 0 {
		return nil
	}
	s := sweep{Keys: roles.Ends(keys)}
	for _, r := range runs {
		row := sweepRow{Name: r.Name, Status: r.Status, Class: classOf(r.Status), Page: r.Page, model: r.Model}
		for i, key := range keys {
			value := settingOf(r.Settings, key)
			row.values = append(row.values, value)
			row.Cells = append(row.Cells, cell{Heading: s.Keys[i], Value: value})
		}
		row.Cells = append(row.Cells, bestCells(r.Model)...)
		s.Rows = append(s.Rows, row)
	}
	s.Curve, s.Beside = s.curve()
	return &s
}

// variedKeys are the keys of settings that are not the same in all runs, in the order in which they appear.
func variedKeys(runs []ListedRun) (keys []string) {
	for _, r := range runs {
		for _, s := range r.Settings {
			differs := slices.ContainsFunc(runs, func(other ListedRun) bool {
				return settingOf(other.Settings, s.Key) != s.Value
			})
			if differs && !slices.Contains(keys, s.Key) {
				keys = append(keys, s.Key)
			}
		}
	}
	return keys
}

func settingOf(settings []roles.Setting, key string) string {
	for _, s := range settings {
		if s.Key == key {
			return s.Value
		}
	}
	return noValue
}

// bestCells are a run's best point.
func bestCells(m *Model) []cell {
	list := []cell{
		{Heading: "output tok/s/GPU", Value: noValue}, {Heading: "output tok/s/user", Value: noValue},
		{Heading: "concurrency", Value: noValue},
	}
	if m == nil || m.Best == nil {
		return list
	}
	list[0].Value, list[2].Value = figure(m.Best.TokPerGPU), strconv.Itoa(m.Best.Concurrency)
	if m.Best.TokPerUser > 0 {
		list[1].Value = figure(m.Best.TokPerUser)
	}
	return list
}

// curve joins the best points of runs that differ in the last key alone, before all points of each run.
func (s sweep) curve() (curve *drawn, beside bool) {
	c := chart.Curve{
		XTitle: "output tok/s per user →", YTitle: "output tok/s per GPU →",
		Description: "Best output tokens per second and GPU over output tokens per second and user, by " + s.Varied(),
	}
	before := ""
	for _, row := range s.Rows {
		if row.model == nil || row.model.Best == nil || row.model.Best.TokPerUser == 0 {
			continue
		}
		if all := curvePoints(row.model.Points); len(all) > 1 {
			c.Muted = append(c.Muted, all)
		}
		b := row.model.Best
		group := row.group()
		c.Main = append(c.Main, chart.Point{
			X: b.TokPerUser, Y: b.TokPerGPU, Label: strings.Join(row.values, " · "), Apart: group != before,
			Title: fmt.Sprintf("%s: %s output tok/s/GPU, %s output tok/s/user at concurrency %d", row.Name,
				figure(b.TokPerGPU), figure(b.TokPerUser), b.Concurrency),
		})
		before = group
	}
	if len(c.Main) < 2 {
		return nil, false
	}
	return inWidths(760, narrowWidth, func(width float64) string {
		c.Width, c.Height = width, 0.6*width
		return c.SVG()
	}), len(c.Muted) > 0
}

// group is what runs have in common whose points are joined: the test, and all values but the last.
func (r sweepRow) group() string {
	return strings.Join(append([]string{r.model.Run.TestID}, r.values[:len(r.values)-1]...), "\x00")
}
