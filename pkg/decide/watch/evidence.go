package watch

import (
	"time"

	"github.com/disagg/disagg/pkg/protocol"
)

// queue takes the queue's answer.
func (m *Machine) queue(a Queue) {
	if a.Err != nil || a.State.Phase == protocol.JobUnknown {
		m.noAnswer()
		return
	}
	m.quietSince, m.sayQuiet = time.Time{}, time.Time{}
	if a.State.Phase != protocol.JobEnded {
		m.disputed, m.saidDispute = time.Time{}, false
		m.alive(a.State)
		return
	}
	if a.State.Word != "" || a.State.Note != "" {
		m.end = a.State
	}
	switch m.stage {
	case watching:
		m.stage = confirming
		m.askAt, m.recallAt = m.now.Add(confirmAfter), m.now
	case confirming:
		m.believe()
	case freeing:
		m.stage = over
	default:
		m.askAt = m.now.Add(historyEvery)
	}
}

// noAnswer keeps everything as it is, but for one who only waits for the nodes to be freed.
func (m *Machine) noAnswer() {
	if m.stage == freeing {
		m.stage = over
		return
	}
	m.askAgain()
}

// alive takes the word that the job is not over.
func (m *Machine) alive(s protocol.JobState) {
	m.ran = s.Phase == protocol.JobRunning || s.Phase == protocol.JobEnding
	if text := s.Text(); text != m.last {
		m.last = text
		m.say("%s: %s", m.job, text)
	}
	switch {
	case m.stage == freeing && s.Phase == protocol.JobQueued && m.queued:
		m.again("is queued again")
	case m.stage == freeing: // the answer may be to a question that was asked before the verdict
		m.queued = s.Phase == protocol.JobQueued
		m.askAt = m.now.Add(confirmAfter)
	case m.stage == watching:
		m.askAgain()
	default:
		m.watch()
	}
}

// history takes what accounting says. It may answer late: of a job that is alive it is of no interest.
func (m *Machine) history(a History) {
	if m.stage == watching {
		return
	}
	if a.State.Note != "" {
		m.end.Note = a.State.Note
	}
	if m.stage != freeing {
		m.recallAt = m.now.Add(historyEvery)
	}
	switch {
	case a.Err != nil || a.State.Phase == protocol.JobUnknown:
	case a.State.Phase == protocol.JobEnded:
		note, never := m.end.Note, m.end.NeverRan
		m.end = a.State
		m.end.Note, m.end.NeverRan = note, a.State.NeverRan || never // either witness may know
		if m.stage == confirming {
			m.believe()
		}
	case m.stage == confirming || m.stage == awaiting:
		m.contradicted(a.State)
	}
	if m.stage == awaiting {
		m.hardly()
	}
}

// contradicted takes accounting's word that a job is alive of which the queue knows nothing. It is believed for a
// while: accounting may be late, and of a job whose end it missed it says so for ever.
func (m *Machine) contradicted(s protocol.JobState) {
	if m.disputed.IsZero() {
		m.disputed = m.now
	}
	since := m.now.Sub(m.disputed)
	if since >= disputeBound {
		return
	}
	if since >= quietSaid && !m.saidDispute {
		m.saidDispute = true
		m.say("the queue does not know %s, accounting says %s: watching on, at most %v", m.job, s.Word, disputeBound)
	}
	m.alive(s)
}

// believe takes the end of the job for true, and waits for its verdict.
func (m *Machine) believe() {
	m.stage, m.end.Phase, m.recallAt = awaiting, protocol.JobEnded, m.now.Add(historyEvery)
	m.askAt = m.now.Add(historyEvery)
	m.until = m.now.Add(verdictBound)
	if m.hardly() {
		return
	}
	m.out = append(m.out, AskOutput{})
	word := ""
	if m.end.Word != "" {
		word = " (" + m.end.Word + ")"
	}
	m.say("%s has left the queue%s: waiting for its verdict, at most %v", m.job, word, verdictBound)
}

// hardly shortens the wait for a verdict of which little hope is left: the job never ran, or left its verdict as a note
// because the run directory did not take it, or its file is damaged.
func (m *Machine) hardly() bool {
	bound := hardlyBound
	switch {
	case m.end.NeverRan:
		bound = neverBound
	case !m.damaged && m.end.Note == "" && (m.ran || m.end.Cause != protocol.CauseCancelled):
		return false
	}
	if soon := m.now.Add(bound); soon.Before(m.until) {
		m.until = soon
	}
	return true
}

// seeVerdict goes on to wait for the nodes, for a while.
func (m *Machine) seeVerdict() {
	if m.verdict {
		return
	}
	m.verdict = true
	if m.stage == awaiting {
		m.stage = over
		return
	}
	m.stage, m.until, m.sayFree, m.queued = freeing, m.now.Add(freeBound), m.now.Add(freeSaid), false
	m.askAt, m.recallAt, m.pause = m.now, time.Time{}, askFirst
}
