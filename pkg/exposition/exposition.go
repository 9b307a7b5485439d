// Package exposition writes what an agent knows of its rank as Prometheus' text: /metrics of an agent.
//
// Rules:
//   - Agents do not link Prometheus' own library, so the format is written here; its parser and its linter read it in
//     the tests.
//   - Words are those of package telemetry, which writes the metrics of a run that is over. Units are Prometheus' base
//     units.
//   - Which run, role, rank and host it is stands in the labels of the target (package runs), and not here. A label of
//     another role is therefore called of_role.
//   - What is not known is absent.
//
// Terms: a family is the samples of one metric.
package exposition

import (
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// ContentType is what the text is.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Text is the status of a rank as metrics.
func Text(s protocol.RankStatus) []byte {
	w := &writer{}
	w.gauge("disagg_agent_info", "The agent; always 1.", one("version", s.Tool, 1))
	w.gauge("disagg_rank_stage", "Whether the rank's child is so far.", oneOf("stage", s.Stage, protocol.Stages())...)
	w.child(s.Child, s.At)
	w.service(s.Service)
	w.gpus(s.GPUs)
	if s.Job != nil {
		w.job(*s.Job, s.Points)
	}
	return []byte(w.String())
}

func (w *writer) child(c *protocol.ChildStatus, now time.Time) {
	if c == nil {
		return
	}
	w.gauge("disagg_child_start_timestamp_seconds", "When the child was started, since 1970.", at(c.StartedAt)...)
	w.gauge("disagg_child_resident_memory_bytes", "Memory of the child's process tree.", plain(float64(c.RSS)))
	w.counter("disagg_child_cpu_seconds_total", "Time of the child's process tree on a processor.", plain(c.CPU))
	w.counter("disagg_child_output_bytes_total", "What the child has printed.", plain(float64(c.OutputBytes)))
	if !c.OutputAt.IsZero() {
		w.gauge("disagg_child_output_age_seconds", "Time since the child has printed something.",
			plain(now.Sub(c.OutputAt).Seconds()))
	}
	if p := c.Progress; p != nil {
		w.gauge("disagg_child_progress_ratio", "How far the last progress bar is that the child has printed.",
			one("what", p.What, float64(p.Percent)/100))
	}
}

func (w *writer) service(s *protocol.ServiceStatus) {
	if s == nil {
		return
	}
	w.gauge("disagg_service_ready", "Whether the role's service has been ready.", truth(s.Ready))
	if p := s.Probe; p != nil {
		w.gauge("disagg_probe_healthy", "Whether the last probe of the service found it healthy.", truth(p.Healthy))
		w.gauge("disagg_probe_timestamp_seconds", "When the last probe was answered, since 1970.", at(p.At)...)
	}
}

func (w *writer) gpus(list []protocol.GPUStatus) {
	var use, memory, power, energy []sample
	add := func(to *[]sample, index int, v *float64) {
		if v != nil {
			*to = append(*to, one("device", strconv.Itoa(index), *v))
		}
	}
	for _, g := range list {
		add(&use, g.Index, g.Utilization)
		add(&memory, g.Index, g.Memory)
		add(&power, g.Index, g.Power)
		if g.Power != nil {
			add(&energy, g.Index, &g.Energy)
		}
	}
	w.gauge("disagg_gpu_utilization_ratio", "Part of the last moment in which the GPU computed something.", use...)
	w.gauge("disagg_gpu_memory_used_bytes", "Memory of the GPU that is in use.", memory...)
	w.gauge("disagg_gpu_power_watts", "What the GPU draws.", power...)
	w.counter("disagg_gpu_energy_joules_total", "What the GPU has used since the agent began.", energy...)
}

// job is the hub's view of the whole job.
func (w *writer) job(s protocol.State, points int) {
	w.gauge("disagg_job_phase", "Whether the job waits for this.", oneOf("phase", s.Phase, protocol.Phases())...)
	if s.Cause != nil {
		w.gauge("disagg_run_first_cause", "Why the run will not pass; always 1.",
			one("kind", string(s.Cause.Kind), 1))
	}
	n := map[string]int{}
	for _, p := range s.Points {
		state := "counts"
		if p.Invalid != "" {
			state = "invalid"
		}
		n[state]++
	}
	n["not_run"] = max(points-len(s.Points), 0)
	var states []sample
	for _, state := range []string{"counts", "invalid", "not_run"} {
		states = append(states, one("state", state, float64(n[state])))
	}
	w.gauge("disagg_run_points",
		"Points of the run: those that count, that were measured and do not count, that were not run yet.", states...)
	w.roles(s.Roles)
}

func (w *writer) roles(list []protocol.RoleState) {
	var ranks, ready []sample
	for _, r := range list {
		name := r.Role.String()
		ready = append(ready, one("of_role", name, truth(r.Ready).value))
		for _, state := range []struct {
			name string
			n    int
		}{
			{"planned", r.Ranks}, {"attached", r.Attached}, {"started", r.Started}, {"exited", r.Exited},
			{"gone", r.Gone},
		} {
			ranks = append(ranks, sample{[]label{{"of_role", name}, {"state", state.name}}, float64(state.n)})
		}
	}
	w.gauge("disagg_role_ranks", "Ranks of a role: how many there are to be, and how many are so far.", ranks...)
	w.gauge("disagg_role_ready", "Whether the service of a role is ready.", ready...)
}

type (
	label  struct{ name, value string }
	sample struct {
		labels []label
		value  float64
	}
)

func plain(v float64) sample { return sample{value: v} }

func one(name, value string, v float64) sample { return sample{[]label{{name, value}}, v} }

func truth(is bool) sample {
	if is {
		return plain(1)
	}
	return plain(0)
}

// at is a moment, as a sample; none if it is not known.
func at(t time.Time) []sample {
	if t.IsZero() {
		return nil
	}
	return []sample{plain(float64(t.UnixMilli()) / 1000)}
}

// oneOf says which of several words holds.
func oneOf[T ~string](name string, holds T, words []T) (list []sample) {
	for _, w := range words {
		list = append(list, one(name, string(w), truth(w == holds).value))
	}
	return list
}

// writer writes families, each at once.
type writer struct{ strings.Builder }

func (w *writer) gauge(name, help string, samples ...sample) { w.family("gauge", name, help, samples) }

func (w *writer) counter(name, help string, samples ...sample) {
	w.family("counter", name, help, samples)
}

func (w *writer) family(kind, name, help string, samples []sample) {
	if len(samples) == 0 {
		return
	}
	w.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
	for _, s := range samples {
		w.WriteString(name)
		for i, l := range s.labels {
			w.WriteString([]string{"{", ","}[min(i, 1)] + l.name + `="` + escape(l.value) + `"`)
		}
		if len(s.labels) > 0 {
			w.WriteString("}")
		}
		w.WriteString(" " + strconv.FormatFloat(s.value, 'g', -1, 64) + "\n")
	}
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// escape makes a text the value of a label.
func escape(text string) string { return escapes.Replace(strings.ToValidUTF8(text, "\ufffd")) }
