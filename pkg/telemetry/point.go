package telemetry

import (
	"maps"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/report"
	"github.com/disagg/disagg/pkg/results"
)

// metricsPrefix begins the name of a gauge of a point's metric.
const metricsPrefix = "disagg.point."

// otherName is the gauge of metrics that the table of metrics does not know, such as those of a client of your own.
const otherName = metricsPrefix + "other"

// units of the table of metrics: as UCUM has them, and by what their values are multiplied.
var units = map[string]struct {
	ucum   string
	factor float64
}{
	"ms": {seconds, 0.001}, "tok/s": {tokensPerSecond, 1}, "req/s": {requestsPerSecond, 1}, "tokens": {tokens, 1},
	"%": {part, 0.01}, "MiB": {bytes, 1 << 20}, "W": {watts, 1}, "J": {joules, 1},
}

// statistics may stand before the name of what was measured.
var statistics = []string{"mean", "median", "std", "max", "p75", "p90", "p95", "p99"}

// statistic takes the name of a metric apart; the statistic is "" if there is none.
func statistic(metric string) (statistic, of string) {
	first, rest, ok := strings.Cut(metric, "_")
	if ok && slices.Contains(statistics, first) {
		return first, rest
	}
	return "", metric
}

// pointGauges are the metrics of the points that count, in the order of the table of metrics.
func pointGauges(m report.Model) (list []Gauge) {
	for _, metric := range results.Metrics() {
		list = addMetric(list, m, metric)
	}
	if other := others(m); len(other.Samples) > 0 {
		list = append(list, other)
	}
	return list
}

func addMetric(list []Gauge, m report.Model, metric results.Metric) []Gauge {
	stat, of := statistic(metric.Name)
	unit, known := units[metric.Unit]
	if !known {
		unit.factor = 1 // a number without a unit
	}
	for _, p := range m.Points {
		v, measured := p.Values[metric.Name]
		if !measured || p.State != report.Counts {
			continue
		}
		i := slices.IndexFunc(list, func(g Gauge) bool { return g.Name == metricsPrefix+of })
		if i < 0 {
			list, i = append(list, newGauge(metric, of, unit.ucum)), len(list)
		}
		var more []Label
		if stat != "" {
			more = []Label{{"statistic", stat}}
		}
		list[i].Samples = append(list[i].Samples, Sample{pointLabels(m, p, more...), v * unit.factor})
	}
	return list
}

// newGauge is the gauge of a metric, of which there may be several statistics.
func newGauge(metric results.Metric, name, unit string) Gauge {
	help := metric.Definition
	if name != metric.Name { // the label says which statistic it is
		if _, of, ok := strings.Cut(help, " of the "); ok {
			help = of
		}
	}
	return Gauge{Name: metricsPrefix + name, Unit: unit, Help: strings.ToUpper(help[:1]) + help[1:] + "."}
}

// others are metrics that the table does not know, under their own names, as they were measured.
func others(m report.Model) Gauge {
	g := Gauge{Name: otherName, Help: "A metric that only the benchmark client knows, as it reports it."}
	for _, p := range m.Points {
		for _, name := range slices.Sorted(maps.Keys(p.Values)) {
			if _, known := results.MetricNamed(name); !known && p.State == report.Counts {
				g.Samples = append(g.Samples, Sample{pointLabels(m, p, Label{"metric", name}), p.Values[name]})
			}
		}
	}
	return g
}
