package results

import (
	"fmt"
	"maps"
	"strings"

	"github.com/disagg/disagg/pkg/protocol"
)

// WithGPUUse is a point with how GPUs were used together while it was measured.
func WithGPUUse(pt protocol.Point, list []protocol.GPUUse) protocol.Point {
	pt.Metrics = maps.Clone(pt.Metrics)
	if pt.Metrics == nil {
		pt.Metrics = map[string]float64{}
	}
	maps.Copy(pt.Metrics, gpuMetrics(list))
	return pt
}

// gpuMetrics are how GPUs were used together, by the names of metrics. Each GPU counts the same.
func gpuMetrics(list []protocol.GPUUse) map[string]float64 {
	var use, memory, power together
	energy := 0.0
	for _, u := range list {
		use.add(u.Utilization)
		memory.add(u.Memory)
		power.add(u.Power)
		energy += u.Energy
	}
	m := map[string]float64{}
	if use.n > 0 {
		m["mean_gpu_utilization"] = 100 * use.sum / use.n
	}
	if memory.n > 0 {
		m["max_gpu_memory"] = memory.most / (1 << 20)
	}
	if power.n > 0 {
		m["mean_gpu_power"], m["max_gpu_power"], m["gpu_energy"] = power.sum/power.n, power.most, energy
	}
	return m
}

// together is a number of several GPUs.
type together struct{ n, sum, most float64 }

func (t *together) add(s *protocol.Spread) {
	if s != nil {
		t.n, t.sum, t.most = t.n+1, t.sum+s.Mean, max(t.most, s.Max)
	}
}

// DescribeGPUUse says in a line how GPUs were used together: "83 % in use, 812 W each (at most 1012 W), 1.32 kWh in
// all, at most 150.2 GiB of memory". It is empty if nothing is known.
func DescribeGPUUse(list []protocol.GPUUse) string {
	m := gpuMetrics(list)
	var parts []string
	if v, ok := m["mean_gpu_utilization"]; ok {
		parts = append(parts, fmt.Sprintf("%.0f %% in use", v))
	}
	if v, ok := m["mean_gpu_power"]; ok {
		parts = append(parts, fmt.Sprintf("%.0f W each (at most %.0f W)", v, m["max_gpu_power"]),
			energyText(m["gpu_energy"])+" in all")
	}
	if v, ok := m["max_gpu_memory"]; ok {
		parts = append(parts, fmt.Sprintf("at most %.1f GiB of memory", v/1024))
	}
	return strings.Join(parts, ", ")
}

// energyText is an energy in joules for people.
func energyText(joules float64) string {
	switch wh := joules / 3600; {
	case wh < 1:
		return fmt.Sprintf("%.0f J", joules)
	case wh < 1000:
		return fmt.Sprintf("%.1f Wh", wh)
	default:
		return fmt.Sprintf("%.2f kWh", wh/1000)
	}
}
