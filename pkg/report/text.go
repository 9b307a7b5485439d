package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// figure is a number for people: three digits or more, with commas.
func figure(v float64) string {
	decimals := 0
	switch size := math.Abs(v); {
	case size == 0 || size >= 100:
	case size >= 10:
		decimals = 1
	default:
		decimals = 2
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

// percent is a change for people: +2.1 %.
func percent(part float64) string { return fmt.Sprintf("%+.1f %%", 100*part) }

// span is a time in seconds for people: 8.7 s, 12 min 41 s, 2 h 5 min.
func span(seconds float64) string {
	switch {
	case seconds < 1 && seconds > 0:
		return fmt.Sprintf("%.2g s", seconds)
	case seconds < 59.95: // 60.0 s is a minute
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 3599.5: // 60 min 0 s is an hour
		s := int(math.Round(seconds))
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	m := int(math.Round(seconds / 60))
	return fmt.Sprintf("%d h %d min", m/60, m%60)
}

// moment is a time of day for people.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 MST") }

// several is a number of things: 1 rank, 2 ranks.
func several(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// servers are the groups of servers in words: 2 × prefill on 2 GPUs, 1 × decode on 4 GPUs.
func (s Setup) servers() string {
	var parts []string
	for _, g := range s.Servers {
		name := "decode"
		if g.Kind == roles.Ctx {
			name = "prefill"
		}
		parts = append(parts, fmt.Sprintf("%d × %s on %s", g.Count, name, several(g.GPUs, "GPU")))
	}
	return strings.Join(parts, ", ")
}

// gpus is how many GPUs servers use of those that were asked for.
func (s Setup) gpus() string {
	if s.UsedGPUs == 0 {
		return ""
	}
	if s.AskedGPUs <= s.UsedGPUs {
		return several(s.UsedGPUs, "GPU") + " used"
	}
	return fmt.Sprintf("%d GPUs used of %d asked", s.UsedGPUs, s.AskedGPUs)
}

// gpuUse is how GPUs were used in the whole run, in a line; "": they were not sampled.
func (m Model) gpuUse() string {
	if len(m.GPUUse) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s sampled)", results.DescribeGPUUse(m.GPUUse), several(len(m.GPUUse), "GPU"))
}

// load is what the points ask for, besides their concurrency.
func (m Model) load() string {
	if len(m.Points) == 0 {
		return ""
	}
	l := m.Points[0].Load
	for _, p := range m.Points {
		if p.Load != l {
			return "differs from point to point"
		}
	}
	text := fmt.Sprintf("%d tokens in, %d out, %s", l.InputLength, l.OutputLength, several(l.Rounds, "round"))
	if l.RangeRatio != 0 {
		text += fmt.Sprintf(", random range ratio %g", l.RangeRatio)
	}
	if l.Dataset != "" {
		text += ", " + l.Dataset
	}
	return text
}

// complete is how many points count, of how many.
func (m Model) complete() string {
	n := 0
	for _, p := range m.Points {
		if p.State == Counts {
			n++
		}
	}
	return fmt.Sprintf("%d of %s", n, several(len(m.Points), "point"))
}

// NoVerdict is what programs read where a verdict would stand: the job still runs, or has ended and left none.
const NoVerdict = "none"

// Word is the verdict as programs read it; [NoVerdict] if there is none.
func (r RunInfo) Word() string { return cmp.Or(string(r.Verdict), NoVerdict) }

// Title is what was run: the test, and the settings that make a variant of it.
func (r RunInfo) Title() string { return roles.Title(r.TestID, r.Settings) }

// Ending is how the run ended, in a word or three.
func (r RunInfo) Ending() string {
	if r.Verdict == "" {
		return "no verdict yet"
	}
	return string(r.Verdict)
}

// circumstances say when a failure was, and how much had been measured: "job 4459, after 12 min 41 s, while the
// servers were loading; 0 of 6 points".
func (m Model) circumstances() string {
	f := m.Failure
	var parts []string
	if m.Run.JobID != "" {
		parts = append(parts, "job "+m.Run.JobID)
	}
	if f.Seconds > 0 {
		parts = append(parts, "after "+span(f.Seconds))
		if f.Phase != "" {
			parts = append(parts, during(f.Phase))
		}
	}
	text := strings.Join(parts, ", ")
	if len(m.Points) > 0 {
		text += "; " + m.complete()
	}
	return strings.TrimPrefix(text, "; ")
}

// consequences say what followed from a failure: "The other 63 ranks were stopped because of it, 26 ms later; nothing
// was left of them after 0.2 s." Nothing if no rank was stopped because of it.
func (f Failure) consequences() string {
	if f.Stopped == 0 {
		return ""
	}
	text := fmt.Sprintf("%d other ranks were stopped because of it", f.Stopped)
	if f.Stopped == 1 {
		text = "Another rank was stopped because of it"
	}
	if f.StoppedAfter > 0 {
		text += ", " + soon(f.StoppedAfter) + " later"
	}
	if f.GoneAfter > 0 {
		text += "; nothing was left of the job after " + soon(f.GoneAfter)
	}
	return text + "."
}

// soon is a short time in seconds for people: 26 ms, 0.2 s, 12 min 41 s.
func soon(seconds float64) string {
	if seconds < 0.1 {
		return fmt.Sprintf("%.0f ms", 1000*seconds)
	}
	return span(seconds)
}

// upperFirst is a text that begins a sentence.
func upperFirst(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return text
	}
	return string(unicode.ToUpper(r)) + text[n:]
}
