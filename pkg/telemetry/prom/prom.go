// Package prom writes the gauges of a run as a file for the textfile collector of Prometheus' node_exporter.
//
// Rules: names begin with disagg_ and end with the unit, in Prometheus' base units (seconds). The text is checked as a
// whole before there is any: no sample stands twice in it. It does no I/O.
package prom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/disagg/disagg/pkg/plan"
	"github.com/disagg/disagg/pkg/telemetry"
)

// Suffix is what the name of a file must end with: node_exporter reads no other.
const Suffix = ".prom"

// mostName is how long the name of a file may be without its suffix, in bytes: a longer title is cut.
const mostName = 200

// FileName is the name of a run's file in a folder of many: one a test, or variant of it, so that a newer run takes the
// place of the one before.
func FileName(title string) string {
	name := "disagg_" + plan.Plain(title)
	if len(name) > mostName {
		sum := sha256.Sum256([]byte(title))
		name = name[:mostName] + "-" + hex.EncodeToString(sum[:4])
	}
	return name + Suffix
}

// Text is the file's content.
func Text(r telemetry.Run) ([]byte, error) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(collector(r.Gauges)); err != nil {
		return nil, fmt.Errorf("cannot write metrics: %w", err)
	}
	families, err := registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("cannot write metrics: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, fmt.Errorf("cannot write metrics: %w", err)
		}
	}
	return b.Bytes(), nil
}

// collector hands gauges to the library.
type collector []telemetry.Gauge

// Describe implements [prometheus.Collector]: what there will be is known only when it is collected.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, g := range c {
		for _, s := range g.Samples {
			out <- metric(g, s)
		}
	}
}

func metric(g telemetry.Gauge, s telemetry.Sample) prometheus.Metric {
	var names, values []string
	for _, l := range s.Labels {
		names, values = append(names, l.Name), append(values, strings.ToValidUTF8(l.Value, "\ufffd"))
	}
	desc := prometheus.NewDesc(name(g), g.Help, names, nil)
	m, err := prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.Value, values...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err) // Gather tells
	}
	return m
}

// suffixes of names, by the units that they stand for.
var suffixes = map[string]string{
	"s": "_seconds", "{token}": "_tokens", "{token}/s": "_tokens_per_second", "{request}/s": "_requests_per_second",
	"1": "_ratio", "By": "_bytes", "W": "_watts", "J": "_joules",
}

func name(g telemetry.Gauge) string { return strings.ReplaceAll(g.Name, ".", "_") + suffixes[g.Unit] }
