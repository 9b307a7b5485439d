package agent

import (
	"fmt"
	"regexp"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/recipe"
)

// lookForWork prepares to see, by its recipe's sign, that a service which does not answer works.
func (s *service) lookForWork(b recipe.Busy) error {
	if b.CPU > 0 {
		s.busy = cpuWork(func() time.Duration { return s.child.Vitals().CPU }, b.CPU)
		return nil
	}
	pattern, err := regexp.Compile(b.Line)
	if err != nil {
		return fmt.Errorf("cannot watch progress: %w", err)
	}
	p := healthcheck.NewProgress(pattern)
	s.busy, s.lines = p.Work, append(s.lines, p.Line)
	return nil
}

// cpuWork sees work by the time on processors, of which at least a share of one is used.
func cpuWork(used func() time.Duration, share float64) healthcheck.Work {
	return func() func() bool {
		begun, before := time.Now(), used()
		return func() bool { return float64(used()-before) >= share*float64(time.Since(begun)) }
	}
}
