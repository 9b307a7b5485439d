package gpu_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/disagg/disagg/pkg/gpu"
	"github.com/disagg/disagg/pkg/protocol"
)

var begin = time.Date(2026, 11, 27, 22, 30, 0, 0, time.UTC)

func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

// The command asks for the GPUs that are named, and for what Parse reads.
func TestCommand(t *testing.T) {
	got := strings.Join(gpu.Command([]string{"0", "GPU-ab"}, 1500*time.Millisecond), " ")
	const want = "nvidia-smi --id=0,GPU-ab --query-gpu=timestamp,index,utilization.gpu,memory.used,power.draw " +
		"--format=csv,noheader,nounits --loop-ms=1500"
	if got != want {
		t.Errorf("%s", got)
	}
}

// A sample is read with its units; what the driver does not tell is not known.
func TestParse(t *testing.T) {
	s, err := gpu.Parse("2026/11/27 22:30:01.250, 3, 87, 1024, 812.5")
	if err != nil || !s.At.Equal(at(1.25)) || s.Index != 3 || s.Values != [3]float64{0.87, 1 << 30, 812.5} {
		t.Errorf("%+v %v", s, err)
	}
	s, err = gpu.Parse("2026/11/27 22:30:01, 0, [N/A], 5, [Not Supported]")
	if err != nil || s.Values[gpu.Memory] != 5<<20 {
		t.Errorf("%+v %v", s, err)
	}
	for _, q := range []gpu.Quantity{gpu.Utilization, gpu.Power} {
		if v, ok := s.Value(q); ok {
			t.Errorf("quantity %d is %v", q, v)
		}
	}
}

// What is no sample is refused, with what is wrong.
func TestParseFaults(t *testing.T) {
	for line, want := range map[string]string{
		"":                                            "1 fields: want 5",
		"No devices were found":                       "1 fields: want 5",
		"now, 0, 1, 1, 1":                             "it begins with no time",
		"2026/13/27 22:30:01, 0, 1, 1, 1":             "it begins with no time",
		"2026/11/27 22:30:01, x, 1, 1, 1":             `the index of the GPU is "x"`,
		"2026/11/27 22:30:01, -1, 1, 1, 1":            `the index of the GPU is "-1"`,
		"2026/11/27 22:30:01, 99999, 1, 1, 1":         `the index of the GPU is "99999"`,
		"2026/11/27 22:30:01, 0, 101, 1, 1":           `"101" is not a number from 0 to 100`,
		"2026/11/27 22:30:01, 0, 1, -1, 1":            `"-1" is not a number from 0 to 1.6777216e+07`,
		"2026/11/27 22:30:01, 0, 1, 1, inf":           `"inf" is not a number from 0 to 100000`,
		"2026/11/27 22:30:01, 0, 1, 1, nan":           `"nan" is not a number`,
		"2026/11/27 22:30:01, 0, 1, 1, ":              `"" is not a number`,
		"2026/11/27 22:30:01, 0, 1, 1, 1, 1":          "6 fields: want 5",
		"2026/11/27 22:30:01, 0, 87 %, 1024 MiB, 1 W": `"87 %" is not a number`,
	} {
		if _, err := gpu.Parse(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", line, err, want)
		}
	}
}

// sample is one of a GPU that uses half of itself, a GiB, and some power.
func sample(index int, seconds, watts float64) gpu.Sample {
	return gpu.Sample{At: at(seconds), Index: index, Values: [3]float64{0.5, 1 << 30, watts}}
}

// A sample tells of the time since the one before it, the first of one interval; a mean is over time, and energy is
// power over time. What lies outside of the span does not count, and neither does a gap.
func TestMeter(t *testing.T) {
	for name, tt := range map[string]struct {
		from, to float64 // seconds; 0: no end
		samples  [][2]float64
		seconds  float64
		mean     float64
		max      float64
	}{
		"steady":                {0, 0, [][2]float64{{1, 100}, {2, 100}, {3, 400}}, 3, 200, 400},
		"one":                   {0, 0, [][2]float64{{1, 100}}, 1, 100, 100},
		"uneven":                {0, 0, [][2]float64{{1, 100}, {3, 400}}, 3, 300, 400},
		"a part of a span":      {1.5, 2.5, [][2]float64{{1, 900}, {2, 100}, {3, 400}, {4, 900}}, 1, 250, 400},
		"a gap is not filled":   {0, 0, [][2]float64{{1, 100}, {100, 200}}, 4, 175, 200},
		"times that stand":      {0, 0, [][2]float64{{1, 100}, {1, 900}, {2, 200}}, 2, 150, 200},
		"a clock that was set":  {0, 0, [][2]float64{{100, 100}, {1, 900}, {2, 200}}, 2, 150, 200},
		"before the span":       {10, 20, [][2]float64{{1, 100}, {2, 100}}, 0, 0, 0},
		"behind the span":       {1, 2, [][2]float64{{30, 100}, {31, 100}}, 0, 0, 0},
		"a span with one in it": {1, 1.5, [][2]float64{{2, 100}}, 0.5, 100, 100},
	} {
		m := gpu.Meter{Host: "n1", Every: time.Second}
		if tt.from > 0 {
			m.From = at(tt.from)
		}
		if tt.to > 0 {
			m.To = at(tt.to)
		}
		for _, s := range tt.samples {
			m.Add(sample(2, s[0], s[1]))
		}
		var want []protocol.GPUUse
		if tt.seconds > 0 {
			want = []protocol.GPUUse{{
				Host: "n1", Index: 2, Seconds: tt.seconds, Utilization: &protocol.Spread{Mean: 0.5, Max: 0.5},
				Memory: &protocol.Spread{Mean: 1 << 30, Max: 1 << 30},
				Power:  &protocol.Spread{Mean: tt.mean, Max: tt.max}, Energy: tt.mean * tt.seconds,
			}}
		}
		if diff := cmp.Diff(want, m.Use(), cmpopts.EquateApprox(0, 1e-6)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// GPUs are told in the order of their indices, each with what is known of it.
func TestMeterOfSeveral(t *testing.T) {
	m := gpu.Meter{Host: "n1", Every: time.Second}
	silent := sample(0, 1, 0)
	silent.Values = [3]float64{math.NaN(), 7, math.NaN()}
	for _, s := range []gpu.Sample{sample(10, 1, 100), silent, sample(2, 1, 300), sample(10, 2, 200)} {
		m.Add(s)
	}
	use, now := m.Use(), m.Now()
	indices := func(yield func(int) bool) {
		for _, u := range use {
			if !yield(u.Index) {
				return
			}
		}
	}
	if got := slices.Collect(indices); !slices.Equal(got, []int{0, 2, 10}) {
		t.Errorf("%v", got)
	}
	if u := use[0]; u.Utilization != nil || u.Power != nil || u.Energy != 0 || u.Memory.Mean != 7 {
		t.Errorf("%+v", u)
	}
	if s := now[0]; s.Utilization != nil || s.Power != nil || *s.Memory != 7 {
		t.Errorf("%+v", s)
	}
	if s := now[2]; s.Index != 10 || !s.At.Equal(at(2)) || *s.Power != 200 || s.Energy != 300 {
		t.Errorf("%+v", s)
	}
}

// Whatever is printed, a line is refused or has numbers within their bounds.
func FuzzParse(f *testing.F) {
	f.Add("2026/11/27 22:30:01.250, 3, 87, 1024, 812.5")
	f.Add("2026/11/27 22:30:01, 0, [N/A], 5, [Not Supported]")
	f.Add("2026/11/27 22:30:01, 0, 0x1p3, 1e3, NaN")
	f.Fuzz(func(t *testing.T, line string) {
		s, err := gpu.Parse(line)
		if err != nil {
			return
		}
		for q, v := range s.Values {
			if v < 0 || math.IsInf(v, 0) {
				t.Errorf("%q: quantity %d is %v", line, q, v)
			}
		}
		m := gpu.Meter{Host: "h", Every: time.Second}
		m.Add(s)
		if u := m.Use(); s.Index < 0 || len(u) != 1 || u[0].Seconds != 1 {
			t.Errorf("%q: %+v", line, u)
		}
	})
}

// A second of 4 GPUs, as the hub reads it at the end of a job: two hours on 14 nodes are 100,000 of them.
func BenchmarkSecond(b *testing.B) {
	var lines []string
	for i := range 4 {
		lines = append(lines, fmt.Sprintf("2026/11/27 22:30:01.250, %d, 87, 151234, 812.53", i))
	}
	m := gpu.Meter{Host: "n1", Every: time.Second}
	for b.Loop() {
		for _, line := range lines {
			s, err := gpu.Parse(line)
			if err != nil {
				b.Fatal(err)
			}
			m.Add(s)
		}
	}
}
