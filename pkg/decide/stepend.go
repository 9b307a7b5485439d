package decide

import "time"

// Where workers join MPI through PMIx, Slurm kills the whole step of a process that has ended unasked, its agents
// included: about a second later (measured with 22.05). Those agents vanish because of the process, not before it; and
// those of a step that was asked to end, because of that. On the other hand MPI kills the processes of a worker one of
// whose agents was killed.

// weighStepEnd notes that an agent seems to have vanished because the scheduler has ended its step.
func (m *Machine) weighStepEnd(f *Fact, lost *task) {
	for _, name := range m.order {
		t := m.tasks[name]
		if t == lost || t.Role != lost.Role || lost.silent {
			continue
		}
		if from, ok := m.endedWith(t, lost); ok {
			f.StepEnds, f.Since = true, latest(f.Since, from)
		}
	}
}

// endedWith tells whether an agent seems to have vanished because of another of its role, and since when it can have:
// it was there until the other's child ended, or until the other heard that it is to end. If that child was killed, MPI
// may have done it because the agent vanished just before; and who had been silent before may be why somebody asked.
func (m *Machine) endedWith(t, lost *task) (from time.Time, ok bool) {
	p := lost.presence
	watched := p.pause.length == 0 // the end of its connection was seen when it came
	together := !t.presence.brokeAt.IsZero()
	switch {
	case !t.fellAt.IsZero():
		after := p.brokeAt.Sub(t.fellAt)
		longAfter := watched && after >= settle
		from = t.fellAt.Add(1)
		if t.killed && !longAfter {
			from = from.Add(-settle)
		}
		return from, longAfter || together && (!watched || after >= -settle)
	case !t.askedAt.IsZero():
		heard := t.askedAt.Sub(p.seen) <= m.suspectAfter()
		return t.askedAt.Add(1), !watched && together && heard
	}
	return from, false
}
