package agent

import (
	"context"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/recipe"
)

// liveProbe is a probe of a service that works, and may be too busy to answer.
func (s *service) liveProbe(p recipe.Probe) (healthcheck.Probe, error) {
	probe, err := s.probe(p)
	if err == nil && s.busy != nil {
		probe = healthcheck.Excuse(probe, s.busy)
	}
	return probe, err
}

// starved begins to look whether the service gets a processor.
func (s *service) starved() (waits func() bool) { return s.child.Starved() }

func rule(p recipe.Probe) healthcheck.Rule {
	return healthcheck.Rule{Period: time.Duration(p.Period), Successes: p.Successes, Failures: p.Failures}
}

// probe makes a probe of a recipe's, whose last answer is remembered.
func (s *service) probe(p recipe.Probe) (healthcheck.Probe, error) {
	probe, err := s.newProbe(p)
	return remembered{probe, s}, err
}

func (s *service) newProbe(p recipe.Probe) (healthcheck.Probe, error) {
	timeout := time.Duration(p.Timeout)
	switch {
	case p.Line != "":
		return s.logged[p.Line], nil
	case p.TCP != "":
		address, err := recipe.Render("tcp", p.TCP, s.data)
		return healthcheck.TCP{Address: address, Tries: healthcheck.Tries{Bound: timeout}}, err
	case len(p.Command) > 0:
		argv, err := recipe.RenderArgs("command", p.Command, s.data)
		run := func(ctx context.Context) ([]byte, int, error) { return s.sup.Run(ctx, argv, s.env) }
		return healthcheck.Command{Run: run, Timeout: timeout}, err
	}
	return s.httpProbe(p, timeout)
}

func (s *service) httpProbe(p recipe.Probe, timeout time.Duration) (healthcheck.Probe, error) {
	url, err := recipe.Render("url", p.URL, s.data)
	if err != nil {
		return nil, err
	}
	body, err := recipe.Render("body", p.Body, s.data)
	if err != nil {
		return nil, err
	}
	expect, err := healthcheck.ParseConditions(p.Expect)
	return healthcheck.HTTP{
		URL: url, Method: p.Method, Body: body, Expect: expect, Timeout: timeout, AnyStatus: p.AnyStatus,
	}, err
}
