package steptime_test

import (
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/disagg/disagg/pkg/stats/percentile"
	"github.com/disagg/disagg/pkg/steptime"
)

// The reference reads a whole log with patterns, in the plainest way: what the reader is compared with.
var (
	refEnd  = regexp.MustCompile(`[\r\n]`)
	refStep = regexp.MustCompile(`iter[\s\v]*=[\s\v]*(\d+),(?s:.*?)` +
		`prev_device_step_time[\s\v]*=[\s\v]*([\d.]+)[\s\v]*ms`)
	refScheduled = regexp.MustCompile(`iter[\s\v]*=[\s\v]*(\d+),(?s:.*?)` +
		`num_scheduled_requests[\s\v]*=[\s\v]*(\d+)`)
	refRank   = regexp.MustCompile(`global_rank[\s\v]*=[\s\v]*(\d+)`)
	refTokens = regexp.MustCompile(`'num_generation_tokens':[\s\v]*(\d+)`)
	refMarker = regexp.MustCompile(`prev_device_step_time`)
)

// refRow is a step: its tokens, nil if the line does not say, and its time.
type refRow struct {
	tokens *int
	ms     float64
}

// refNumber is the whole number that a group of a pattern matched, nil if there is none.
func refNumber(pattern *regexp.Regexp, line string, group int) *int {
	m := pattern.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	n, err := strconv.Atoi(m[group])
	if err != nil {
		return nil
	}
	return &n
}

func refRows(log string) (rows []refRow) {
	type state struct{ iteration, scheduled *int }
	before := map[int]state{}
	for _, line := range refEnd.Split(log, -1) {
		if len(line) > steptime.MaxLine || !refMarker.MatchString(line) {
			continue
		}
		rank := -1
		if n := refNumber(refRank, line, 1); n != nil && *n < 1<<16 {
			rank = *n
		}
		was := before[rank]
		before[rank] = state{refNumber(refScheduled, line, 1), refNumber(refScheduled, line, 2)}
		iteration := refNumber(refStep, line, 1)
		if iteration == nil || *iteration < 5 {
			continue
		}
		ms, err := strconv.ParseFloat(refStep.FindStringSubmatch(line)[2], 64)
		idle := was.iteration != nil && *was.iteration == *iteration-1 && was.scheduled != nil && *was.scheduled == 0
		if err != nil || ms > 1e12 || idle || len(rows) == steptime.MaxSteps {
			continue
		}
		rows = append(rows, refRow{refNumber(refTokens, line, 1), ms})
	}
	return rows
}

// refStats describes the steps of a log; nil if there are none.
func refStats(log string) *steptime.Stats {
	rows := refRows(log)
	counts := map[int]int{}
	for _, r := range rows {
		if r.tokens != nil {
			counts[*r.tokens]++
		}
	}
	mode := -1
	for tokens, n := range counts {
		if mode < 0 || n > counts[mode] || n == counts[mode] && tokens > mode {
			mode = tokens
		}
	}
	var ms []float64
	for _, r := range rows {
		if mode < 0 || r.tokens != nil && *r.tokens == mode {
			ms = append(ms, r.ms)
		}
	}
	if len(ms) == 0 {
		return nil
	}
	return refDescribe(ms, max(mode, 0))
}

func refDescribe(ms []float64, tokens int) *steptime.Stats {
	var sum, squares float64
	for _, v := range ms {
		sum += v
	}
	mean := sum / float64(len(ms))
	for _, v := range ms {
		squares += (v - mean) * (v - mean)
	}
	s := steptime.Stats{Steps: len(ms), Tokens: tokens, Mean: mean, Median: percentile.Median(ms),
		P75: percentile.Of(slices.Clone(ms), 75), P99: percentile.Of(ms, 99)}
	if len(ms) > 1 {
		s.Std = math.Sqrt(squares / float64(len(ms)-1))
	}
	return &s
}
