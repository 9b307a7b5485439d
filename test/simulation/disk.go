package simulation

import "time"

// disk is the shared file system: it takes its time, or does not answer at all.
type disk struct {
	w       *world
	stuck   bool
	waiting []func()
}

// answers has a process do something once the file system has answered it.
func (d *disk) answers(p *process, do func()) {
	if d.stuck {
		d.waiting = append(d.waiting, func() { d.answers(p, do) })
		return
	}
	p.timer(d.w.between(100*time.Microsecond, 10*time.Millisecond), do)
}

// freeze stops the file system for a while; 0: for ever.
func (d *disk) freeze(length time.Duration) {
	d.stuck = true
	if length > 0 {
		d.w.after(length, func() {
			waiting := d.waiting
			d.stuck, d.waiting = false, nil
			for _, do := range waiting {
				do()
			}
		})
	}
}
