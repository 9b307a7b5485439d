package steps

import (
	"fmt"
	"slices"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// How long the hub is not told of ranks that ended, because their step may be tried again: until the scheduler has said
// why they did, and until the step has ended.
const (
	vagueBound     = 500 * time.Millisecond
	transientBound = 5 * time.Second
)

// said takes in the scheduler's words: of ranks that ended the hub is told as soon as it is clear that their step is
// not tried again for that, of other words now and then.
func (m *Machine) said(s *step, in Said, now time.Time) {
	m.heard = now
	s.unsaid = s.unsaid || in.Diagnosis != s.diagnosis
	s.diagnosis, s.gone = in.Diagnosis, in.Ranks
	for code, list := range s.gone {
		if len(list) > len(s.ranks[code]) && s.goneAt.IsZero() {
			s.goneAt = now
		}
	}
}

// reportAt is when the hub is told of ranks that have ended; zero: there are none. The hub takes them for a failure of
// the job. What a container's start failed of may come after the line that says that it did, and the end of the step
// after that; in a step over several hosts it may not come at all.
func (m *Machine) reportAt(s *step) time.Time {
	_, again := Pause(s.tries + 1)
	switch d := s.diagnosis; {
	case s.goneAt.IsZero() || s.ended:
		return time.Time{}
	case !m.over.IsZero() || m.asked != "":
		return s.goneAt
	case d.Line == "" || d.Vague:
		return s.goneAt.Add(vagueBound)
	case d.Meaning == protocol.Transient && again:
		return s.goneAt.Add(transientBound)
	}
	return s.goneAt
}

func (m *Machine) reportRanks(s *step, now time.Time) {
	for _, code := range sortedCodes(s.gone) {
		fresh := s.gone[code][min(len(s.ranks[code]), len(s.gone[code])):]
		if len(fresh) == 0 {
			continue
		}
		s.ranks[code] = s.gone[code]
		m.report(protocol.StepReport{
			Role: s.role, Code: code, Ranks: slices.Clone(fresh), Diagnosis: s.diagnosis,
			Detail: fmt.Sprintf("the task exited with code %d before it reached the hub", code),
		})
		s.said, s.unsaid = now, false
	}
	s.goneAt = time.Time{}
}

func sortedCodes(ranks map[int][]int) []int {
	codes := make([]int, 0, len(ranks))
	for code := range ranks {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}
