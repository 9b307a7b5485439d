package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// lines is a terminal that several jobs write to, a whole line at a time.
type lines struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, format+"\n", args...)
}

// of is the terminal of one job, whose name stands before each of its lines.
func (l *lines) of(name string) io.Writer { return &prefixed{to: l, name: name} }

type prefixed struct {
	to   *lines
	name string
	rest []byte // of a line that is not complete
}

// Write implements io.Writer.
func (p *prefixed) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	for {
		line, rest, ok := bytes.Cut(p.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		p.rest = rest
		p.to.say("%s: %s", p.name, line)
	}
}
