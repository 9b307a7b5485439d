package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"github.com/disagg/disagg/pkg/protocol"
)

//go:embed report.html.tmpl
var page string

//go:embed report.css
var style []byte

// Render makes the page that people read, and its style sheet, by file name: CI servers show artifacts without
// scripts and without inline styles.
func Render(r protocol.Result) (map[string][]byte, error) {
	num := func(p protocol.Point, name string) string { return metric(p, name, 2) }
	t, err := template.New("report").Funcs(template.FuncMap{"num": num}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("cannot make report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, r); err != nil {
		return nil, fmt.Errorf("cannot make report: %w", err)
	}
	return map[string][]byte{"index.html": b.Bytes(), "report.css": style}, nil
}
