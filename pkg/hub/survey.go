package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/control"
	"github.com/disagg/disagg/pkg/preflight"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Survey is preflight.json: what was found before any model was loaded.
type Survey struct {
	Schema int                          `json:"schema"` // 1
	Hosts  []HostSurvey                 `json:"hosts"`
	Reach  map[string]map[string]string `json:"reach"` // from role to role: why it cannot be reached, "" if it can
}

// HostSurvey is what an agent found on its host.
type HostSurvey struct {
	Role     roles.Role          `json:"role"`
	Rank     int                 `json:"rank"`
	Node     string              `json:"node"`
	Findings []preflight.Finding `json:"findings"`
}

func (j *job) checkOff(name string) bool {
	off := j.plan.Preflight.Off
	return slices.Contains(off, name) || slices.Contains(off, "all")
}

// lookAt asks the first agent that comes from a host to look at it. Most have answered when the last agent comes.
func (j *job) lookAt(t *task) {
	if j.looked[t.host()] || j.checkOff("all") || j.plan.Policy.StartAlone {
		return
	}
	j.looked[t.host()] = true
	j.ask(t.Task, control.Directive{Kind: control.Look, Host: true})
}

func (j *job) ask(t roles.Task, d control.Directive) {
	if j.surveys[t] == nil {
		j.surveys[t] = &survey{}
	}
	j.surveys[t].pending++
	j.send(t, d)
}

// survey is what an agent has found so far.
type survey struct {
	control.Survey
	pending int  // answers that are still to come
	heard   bool // there was one
}

// beginSurvey asks every leader to try the way to every other, once all are there.
func (j *job) beginSurvey(now time.Time) {
	j.enter(Looking, now)
	addresses := map[string]string{}
	for _, t := range j.order {
		if h := j.tasks[t].hello; t.Leader() && h.Listen != "" && !j.checkOff(preflight.Network) {
			addresses[t.Role.String()] = h.Listen
		}
	}
	for _, t := range j.order {
		if !t.Leader() {
			continue
		}
		peers := maps.Clone(addresses)
		delete(peers, t.Role.String()) // nobody is out of its own reach
		if len(peers) > 0 {
			j.ask(t, control.Directive{Kind: control.Look, Peers: peers})
		}
	}
	j.mayEndSurvey(now)
}

// surveyed takes in what an agent found.
func (j *job) surveyed(t *task, e control.Event, now time.Time) {
	s := j.surveys[t.Task]
	if s == nil || s.pending == 0 || e.Survey == nil {
		return
	}
	if s.pending--; s.Reach == nil {
		s.Reach = e.Survey.Reach
	}
	s.Findings = append(s.Findings, e.Survey.Findings...)
	wrong := func(check, format string, args ...any) {
		if !j.checkOff(check) {
			s.Findings = append(s.Findings, preflight.Finding{Check: check, Fatal: true, Detail: fmt.Sprintf(format, args...)})
		}
	}
	if s.heard {
		j.mayEndSurvey(now)
		return
	}
	s.heard = true
	if skew := e.At.Sub(now); skew.Abs() > time.Duration(j.plan.Preflight.MaxSkew) {
		wrong(preflight.Clock, "its clock differs by %v from that of the hub's host", skew.Round(time.Millisecond))
	}
	if !j.checkOff(preflight.RunDirectory) && !j.sees(t.Task) { // to look takes time
		wrong(preflight.RunDirectory, "what it writes to the run directory is not seen on the hub's host")
	}
	j.mayEndSurvey(now)
}

// mayEndSurvey ends the survey when every agent has answered.
func (j *job) mayEndSurvey(now time.Time) {
	for _, s := range j.surveys {
		if s.pending > 0 {
			return
		}
	}
	if j.phase == Looking {
		j.endSurvey(now)
	}
}

// endSurvey judges what was found; nothing fatal lets the roles start.
func (j *job) endSurvey(now time.Time) {
	for _, t := range j.order {
		switch s := j.surveys[t]; {
		case s == nil:
		case s.pending > 0:
			detail := fmt.Sprintf("it did not finish its checks within %v", time.Duration(j.plan.Timeouts.Preflight))
			j.fail(j.suspectOf(j.tasks[t], results.PreflightFailed, detail, now), now)
		default:
			for _, f := range s.Findings {
				if f.Fatal {
					j.fail(j.suspectOf(j.tasks[t], results.PreflightFailed, f.Check+": "+f.Detail, now), now)
				}
			}
		}
	}
	j.judgeNetwork(now)
	if j.cause == nil {
		j.enter(Readying, now)
	}
}

// judgeNetwork names the role that has part in the most ways that are cut: a host that nobody reaches is to blame, not
// each of those who tried.
func (j *job) judgeNetwork(now time.Time) {
	var cut []string
	parts := map[roles.Role]int{}
	for _, from := range j.order {
		s := j.surveys[from]
		if s == nil {
			continue
		}
		for _, pl := range j.plan.Layout.Placements {
			if reason := s.Reach[pl.Role.String()]; reason != "" {
				parts[from.Role]++
				parts[pl.Role]++
				to := j.leader(pl.Role)
				cut = append(cut, fmt.Sprintf("%s cannot reach %s (%s at %s): %s", j.tasks[from].host(), to.host(), pl.Role, to.hello.Listen, reason))
			}
		}
	}
	if len(cut) == 0 {
		return
	}
	blamed := j.plan.Layout.Placements[0].Role
	for _, pl := range j.plan.Layout.Placements {
		if parts[pl.Role] > parts[blamed] {
			blamed = pl.Role
		}
	}
	const most = 3
	if n := len(cut) - most; n > 0 {
		cut = append(cut[:most], fmt.Sprintf("and %d more", n))
	}
	j.fail(j.suspectOf(j.leader(blamed), results.PreflightFailed, "network: "+strings.Join(cut, "; "), now), now)
}

// survey is what was found, for preflight.json.
func (j *job) survey() Survey {
	all := Survey{Schema: 1, Hosts: []HostSurvey{}, Reach: map[string]map[string]string{}}
	for _, t := range j.order {
		s := j.surveys[t]
		if s == nil {
			continue
		}
		all.Hosts = append(all.Hosts, HostSurvey{
			Role: t.Role, Rank: t.Rank, Node: j.tasks[t].host(), Findings: append([]preflight.Finding{}, s.Findings...),
		})
		if len(s.Reach) > 0 {
			all.Reach[t.Role.String()] = s.Reach
		}
	}
	return all
}

// writeSurvey stores what was found.
func writeSurvey(a roles.Attempt, s Survey) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = atomicfile.Write(a.Preflight(), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot note what was found: %w", err)
	}
	return nil
}
