package results

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"github.com/disagg/disagg/pkg/atomicfile"
)

//go:embed report.html.tmpl
var reportPage string

//go:embed report.css
var reportStyle []byte

// WriteReport writes the page that people read, and its style sheet beside it: CI servers show artifacts without
// scripts and without inline styles.
func WriteReport(file string, r Result) error {
	page, err := template.New("report").Funcs(template.FuncMap{"num": number}).Parse(reportPage)
	if err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "report.css"), reportStyle, 0o644); err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	if err := atomicfile.Write(file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("cannot write report: %w", err)
	}
	return nil
}

func number(p Point, name string) string {
	v, ok := p.Metrics[name]
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%.2f", v)
}
