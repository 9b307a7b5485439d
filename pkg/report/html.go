package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"path"
	"strings"
	"sync"
)

//go:embed page.html.tmpl
var pageText string

//go:embed index.html.tmpl
var indexText string

//go:embed report.css
var style string

// Names of the files of a report.
const (
	pageFile  = "index.html"
	styleFile = "report.css"
	dataFile  = "data.json"
)

// templates are the pages, parsed once.
var templates = sync.OnceValue(func() *template.Template {
	t := template.New("").Funcs(template.FuncMap{
		"moment": moment, "span": span, "figure": figure, "percent": percent, "several": several,
		"mib":       func(bytes int64) string { return fmt.Sprint(bytes >> 20) },
		"percentOf": func(part float64) string { return figure(100 * part) },
		"gib":       func(bytes float64) string { return figure(bytes / (1 << 30)) },
		"wh":        func(joules float64) string { return figure(joules / 3600) },
	})
	template.Must(t.New(pageFile).Parse(pageText))
	template.Must(t.New(indexFile).Parse(indexText))
	return t
})

// Files are the files of a report by their names: the page, its style sheet, and the model as data.json. CI servers
// show pages without scripts and without inline styles, so the page has neither. Links to logs are right if the files
// lie in a folder of their own in the attempt's.
func Files(m Model) (map[string][]byte, error) {
	data, err := Data(m)
	if err != nil {
		return nil, err
	}
	html, err := execute(pageFile, newPage(m, ""))
	if err != nil {
		return nil, err
	}
	return map[string][]byte{pageFile: html, styleFile: []byte(style), dataFile: data}, nil
}

// Single is the page in one file, to be sent elsewhere: its style is in it, and it has no links.
func Single(m Model) ([]byte, error) { return execute(pageFile, newPage(m, template.CSS(style))) }

// Data is the model as data.json.
func Data(m Model) ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode report: %w", err)
	}
	return append(data, '\n'), nil
}

// execute makes a page. A fault of ours in it is an error: a verdict must not be lost for the sake of its report.
func execute(name string, data any) (html []byte, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("cannot make report: %v", fault)
		}
	}()
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("cannot make report: %w", err)
	}
	return b.Bytes(), nil
}

// page is what the template of a run shows.
type page struct {
	Model
	Style                       template.CSS // in the page; "": beside it
	Verdict, Complete, Before   string
	Servers, GPUs, Load, Engine string
	Curve, Timeline             *drawn
	Latencies                   []latencyChart
	Columns                     []column
	Tables                      []pointTable
	Phases                      string
}

// latencyChart is a chart of a time by concurrency.
type latencyChart struct {
	Title string
	Chart *drawn
}

// pointTable is a table of points: of the first measurement, or of one that followed.
type pointTable struct {
	Title   string // "" for the first
	Columns []column
	Rows    []pointRow
}

// pointRow is a line of the table of points.
type pointRow struct {
	PointInfo
	Requests string
	Cells    []cell
}

func newPage(m Model, css template.CSS) page {
	p := page{
		Model: m, Style: css, Verdict: m.Run.Ending(), Complete: m.complete(), Before: m.before(),
		Servers: m.Setup.servers(), GPUs: m.Setup.gpus(), Load: m.load(), Engine: m.Setup.engine(),
		Curve: m.curve(), Timeline: m.timeline(), Columns: m.columns(), Phases: m.Run.phases(),
	}
	for _, l := range []latencyChart{
		{"Time to first token, ms", m.latency("ttft", "Time to first token")},
		{"Time per output token, ms", m.latency("tpot", "Time per output token")},
	} {
		if l.Chart != nil {
			p.Latencies = append(p.Latencies, l)
		}
	}
	if len(m.Points) > 0 {
		p.Tables = append(p.Tables, newTable("", p.Columns, m.Points))
	}
	for _, again := range m.Again {
		title := fmt.Sprintf("Measurement %d, on the same servers", again.Number)
		p.Tables = append(p.Tables, newTable(title, p.Columns, again.Points))
	}
	return p
}

func newTable(title string, columns []column, points []PointInfo) pointTable {
	t := pointTable{Title: title, Columns: columns}
	for _, pt := range points {
		t.Rows = append(t.Rows, pointRow{PointInfo: pt, Requests: pt.requests(), Cells: pt.cells(columns)})
	}
	return t
}

// Circumstances say when the failure was.
func (p page) Circumstances() string { return p.circumstances() }

// GPUsInUse say how GPUs were used in the whole run; "": they were not sampled.
func (p page) GPUsInUse() string { return p.gpuUse() }

// Consequences say what followed from the failure.
func (p page) Consequences() string { return p.Failure.consequences() }

// Why is why a rank was stopped. Most were for the first cause, which the page has told.
func (p page) Why(r RankInfo) string {
	if f := p.Failure; f != nil && f.stopped(r.StopReason) {
		return "stopped because of the first cause"
	}
	return r.StopReason
}

// Link is where a file of the attempt is, seen from the page.
func (page) Link(file string) string { return path.Join("..", file) }

// before is what the points are compared with, in words.
func (m Model) before() string {
	if len(m.Earlier) == 0 {
		return ""
	}
	last := m.Earlier[len(m.Earlier)-1]
	return "the run of " + moment(last.At)
}

// engine is what served: its version, and the commit of the checkout that was tested.
func (s Setup) engine() string {
	var parts []string
	if s.Origin.Engine != "" {
		parts = append(parts, s.Origin.Engine)
	}
	if c := s.Origin.Commit; c != "" {
		c = "commit " + c[:min(len(c), 12)]
		if s.Origin.Branch != "" {
			c += " of " + s.Origin.Branch
		}
		if s.Origin.Dirty {
			c += ", with changes"
		}
		parts = append(parts, c)
	}
	return strings.Join(parts, ", ")
}

// phases are how long each part of the job took, in words.
func (r RunInfo) phases() string {
	var parts []string
	for _, p := range []struct {
		name    string
		seconds float64
	}{
		{"queue", r.Phases.Queue}, {"install", r.Phases.Install}, {"launch", r.Phases.Launch},
		{"preflight", r.Phases.Preflight}, {"loading", r.Phases.Ready}, {"benchmark", r.Phases.Benchmark},
		{"stop", r.Phases.Stop}, {"upload", r.Phases.Upload},
	} {
		if p.seconds > 0 {
			parts = append(parts, p.name+" "+span(p.seconds))
		}
	}
	return strings.Join(parts, " · ")
}
