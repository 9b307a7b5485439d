package gpu

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// mostGap is for how many intervals a sample tells of the time before it: one may come late, or be lost.
const mostGap = 3

// Meter adds up the samples of the GPUs of a host in a span of time.
type Meter struct {
	Host     string
	Every    time.Duration // between two samples of a GPU, as asked for
	From, To time.Time     // the span; zero: it has no such end

	gpus map[int]*account // by index
}

// account is what is known of one GPU.
type account struct {
	last    Sample
	seconds float64 // of the span that samples cover
	sums    [quantities]sum
}

// sum is a quantity over time.
type sum struct{ seconds, total, max float64 }

func (s *sum) add(v, seconds float64) {
	s.seconds, s.total, s.max = s.seconds+seconds, s.total+v*seconds, max(s.max, v)
}

// spread is the quantity in the span; nil if nothing is known of it.
func (s sum) spread() *protocol.Spread {
	if s.seconds == 0 {
		return nil
	}
	return &protocol.Spread{Mean: rounded(s.total / s.seconds), Max: rounded(s.max)}
}

// rounded leaves out the digits that only come from adding up.
func rounded(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// Add takes in a sample. Those of a GPU come in the order of their times.
func (m *Meter) Add(s Sample) {
	a := m.gpus[s.Index]
	if a == nil {
		if m.gpus == nil {
			m.gpus = map[int]*account{}
		}
		a = &account{last: Sample{At: s.At.Add(-m.Every)}}
		m.gpus[s.Index] = a
	}
	seconds := m.covered(a.last.At, s.At)
	a.last = s
	if seconds <= 0 {
		return
	}
	a.seconds += seconds
	for q := range quantities {
		if v, ok := s.Value(q); ok {
			a.sums[q].add(v, seconds)
		}
	}
}

// covered is how much of the span a sample tells of, in seconds.
func (m *Meter) covered(before, at time.Time) float64 {
	from := latest(before, at.Add(-mostGap*m.Every))
	if !m.From.IsZero() {
		from = latest(from, m.From)
	}
	if !m.To.IsZero() && at.After(m.To) {
		at = m.To
	}
	return at.Sub(from).Seconds()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Use is how each GPU was used, by index. GPUs of which no sample lies in the span are left out.
func (m *Meter) Use() (list []protocol.GPUUse) {
	for _, index := range slices.Sorted(maps.Keys(m.gpus)) {
		a := m.gpus[index]
		if a.seconds == 0 {
			continue
		}
		list = append(list, protocol.GPUUse{
			Host: m.Host, Index: index, Seconds: rounded(a.seconds), Utilization: a.sums[Utilization].spread(),
			Memory: a.sums[Memory].spread(), Power: a.sums[Power].spread(), Energy: rounded(a.sums[Power].total),
		})
	}
	return list
}

// Now is the last sample of each GPU, by index, with the energy of the span so far.
func (m *Meter) Now() (list []protocol.GPUStatus) {
	for _, index := range slices.Sorted(maps.Keys(m.gpus)) {
		a := m.gpus[index]
		list = append(list, protocol.GPUStatus{
			Index: index, At: a.last.At, Utilization: known(a.last.Values[Utilization]),
			Memory: known(a.last.Values[Memory]), Power: known(a.last.Values[Power]),
			Energy: rounded(a.sums[Power].total),
		})
	}
	return list
}

func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
