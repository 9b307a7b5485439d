package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/healthcheck"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// peer is a role whose service this one depends on.
type peer struct {
	role    roles.Role
	address string
}

// Peers are only connected to: whether they work is for their own agents to say. A peer is unreachable after about as
// long as an agent is lost.
const (
	peerPeriod   = 2 * time.Second
	peerTimeout  = 1750 * time.Millisecond
	peerFailures = 3
	// checkTimeout is how long everybody may take to answer once: the hub waits for it with a failed benchmark.
	checkTimeout = time.Second

	mostFaults = 8 // that one answer names
)

// peerTries lets a fifth of the packets of both hosts be lost, which is a third of all between them, without a probe
// that fails for it in more than one case of forty, nor three in one of fifty thousand.
var peerTries = healthcheck.Tries{Most: 7, Pause: 250 * time.Millisecond, Bound: peerTimeout}

func (p peer) probe() healthcheck.Probe {
	return healthcheck.TCP{Address: p.address, Tries: peerTries}
}

// cannotReach says who cannot reach whom, and why.
func (s *service) cannotReach(p peer, err error) string {
	reason := err.Error()
	if f, ok := errors.AsType[*healthcheck.Failure](err); ok {
		reason = string(f.Reason)
	}
	return fmt.Sprintf("%s cannot reach %s at %s: %s", s.data.Node, p.role, p.address, reason)
}

// watch begins to watch what matters while the benchmark runs: peers, and progress.
func (s *service) watch(addresses map[string]string) {
	var peers []peer
	for name, address := range addresses {
		role, _ := roles.ParseRole(name) // the command was validated
		peers = append(peers, peer{role, address})
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.endWatch()
	s.mu.Lock()
	s.peers, s.watched = peers, cancel
	s.mu.Unlock()
	for _, p := range peers {
		go healthcheck.Rule{Period: peerPeriod, Failures: peerFailures}.Watch(ctx, p.probe(), func(err error) {
			if err != nil {
				s.tell(protocol.Event{
					Kind: protocol.EventUnreachable, Peers: []roles.Role{p.role}, Detail: s.cannotReach(p, err),
				})
			}
		})
	}
	if s.stall != nil {
		go s.watchProgress(ctx)
	}
}

// endWatch ends the watch of peers and progress: nothing is measured.
func (s *service) endWatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched != nil {
		s.watched()
	}
	s.peers, s.watched = nil, nil
}

// check asks this service and every peer once, at the same time, and tells what does not answer. What has to be told
// before that is.
func (s *service) check(before func()) {
	s.mu.Lock()
	peers := s.peers
	s.mu.Unlock()
	go func() {
		before()
		// The benchmark is asked when its child has ended, and this context with it.
		ctx, cancel := healthcheck.Within(context.WithoutCancel(s.ctx), checkTimeout)
		defer cancel()
		faults := make([]string, len(peers))
		e := protocol.Event{Kind: protocol.EventChecked}
		var wg sync.WaitGroup
		wg.Go(func() { e.Unwell = s.checkOwn(ctx) })
		for i, p := range peers {
			wg.Go(func() {
				if err := p.probe().Probe(ctx); err != nil {
					faults[i] = s.cannotReach(p, err)
				}
			})
		}
		wg.Wait()
		for i, p := range peers {
			if faults[i] != "" {
				e.Peers = append(e.Peers, p.role)
			}
		}
		slices.SortFunc(e.Peers, func(a, b roles.Role) int { return strings.Compare(a.String(), b.String()) })
		faults = slices.DeleteFunc(faults, func(f string) bool { return f == "" })
		slices.Sort(faults)
		if n := len(faults) - mostFaults; n > 0 {
			faults = append(faults[:mostFaults], fmt.Sprintf("and %d more", n))
		}
		e.Detail = strings.Join(faults, "; ")
		s.tell(e)
	}()
}

// checkOwn tells why this service does not answer its live probe, "" if it does, or has none, or need not answer yet.
// One that gets no processor cannot answer so soon, and says nothing about itself by that.
func (s *service) checkOwn(ctx context.Context) string {
	if s.spec.Live == nil || !s.own.watched() {
		return ""
	}
	probe, err := s.liveProbe(*s.spec.Live)
	if err == nil {
		err = healthcheck.Excuse(probe, s.starved).Probe(ctx)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
