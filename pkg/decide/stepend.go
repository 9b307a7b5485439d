package decide

import "time"

// Where workers join MPI through PMIx, Slurm kills the whole step of a process that has ended unasked, its agents
// included: about a second later (measured with 22.05). Those agents vanish because of the process, not before it; and
// those of a step that was asked to end, because of that. On the other hand MPI kills the processes of a worker one of
// whose agents was killed.

// weighStepEnd notes that an agent seems to have vanished because the scheduler has ended its step. It was there until
// another rank of its role ended, or heard that it is to end. If that rank was killed, MPI may have done it because the
// agent vanished just before.
func (m *Machine) weighStepEnd(f *Fact, lost *task) {
	for _, name := range m.order {
		t := m.tasks[name]
		if t == lost || t.Role != lost.Role || t.fellAt.IsZero() || lost.silent {
			continue
		}
		watched := lost.presence.pause.length == 0 // the end of its connection was seen when it came
		after := lost.presence.brokeAt.Sub(t.fellAt)
		longAfter := watched && after >= settle
		together := !t.presence.brokeAt.IsZero()
		if !longAfter && !together || watched && after < -settle {
			continue
		}
		f.StepEnds = true
		from := t.fellAt.Add(1)
		if t.killed && !longAfter {
			from = from.Add(-settle)
		}
		f.Since = latest(f.Since, from)
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
