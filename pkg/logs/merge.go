package logs

import "container/heap"

// Merger merges sources by the times of their lines. Lines of one time come in the order of the sources.
type Merger struct {
	ready ready   // sources with a line
	idle  []named // sources that had none when they were asked last
	added int
}

// named is a source with its name, and the line that is its turn.
type named struct {
	Source
	name  string
	order int
	line  Line
}

// Add adds a source.
func (m *Merger) Add(name string, s Source) {
	m.idle = append(m.idle, named{Source: s, name: name, order: m.added})
	m.added++
}

// Next is the next line, and the name of its source; false: no source has one, or has one yet. Sources that had none
// are asked again when no other has a line.
func (m *Merger) Next() (name string, l Line, ok bool) {
	if len(m.ready) == 0 {
		m.wake()
	}
	if len(m.ready) == 0 {
		return "", Line{}, false
	}
	first := m.ready[0]
	name, l = first.name, first.line
	if first.line, ok = first.Source.Next(); ok {
		m.ready[0] = first
		heap.Fix(&m.ready, 0)
	} else {
		heap.Pop(&m.ready)
		m.idle = append(m.idle, first)
	}
	return name, l, true
}

// wake asks the sources that had no line.
func (m *Merger) wake() {
	idle := m.idle
	m.idle = nil
	for _, n := range idle {
		var ok bool
		if n.line, ok = n.Source.Next(); ok {
			heap.Push(&m.ready, n)
		} else {
			m.idle = append(m.idle, n)
		}
	}
}

// ready is a heap of sources by their lines.
type ready []named

func (r ready) Len() int      { return len(r) }
func (r ready) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r ready) Less(i, j int) bool {
	if !r[i].line.At.Equal(r[j].line.At) {
		return r[i].line.At.Before(r[j].line.At)
	}
	return r[i].order < r[j].order
}

// Push implements heap.Interface.
func (r *ready) Push(n any) { *r = append(*r, n.(named)) }

// Pop implements heap.Interface.
func (r *ready) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
