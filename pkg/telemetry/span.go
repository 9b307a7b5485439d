package telemetry

import (
	"crypto/sha256"
	"time"
)

// Span is a part of a run.
type Span struct {
	ID     [8]byte
	Parent [8]byte // zero: it is the run's own
	Name   string
	Begin  time.Time
	End    time.Time // not before Begin
	Status Status
	// Message says what went wrong, with [Failed].
	Message    string
	Attributes []Attribute
	Events     []Event
}

// Status is how a part of a run went.
type Status int

// The statuses.
const (
	Unsaid Status = iota // nothing is said of it
	Good
	Failed
)

// Event is something that happened in a span.
type Event struct {
	Name       string
	At         time.Time
	Attributes []Attribute
}

// Attribute says something of a span or an event.
type Attribute struct {
	Key   string
	Value any // a string, int, float64 or bool
}

// texts are the attributes of keys and texts in turn, without those that are empty.
func texts(pairs ...string) (list []Attribute) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, Attribute{pairs[i], pairs[i+1]})
		}
	}
	return list
}

// traceID is the id of a run's trace.
func traceID(run string) (id [16]byte) {
	sum := sha256.Sum256([]byte("trace\x00" + run))
	copy(id[:], sum[:])
	return id
}

// spanID is the id of a part of a run, by what names the part: kind and name.
func spanID(run, kind, name string) (id [8]byte) {
	sum := sha256.Sum256([]byte("span\x00" + run + "\x00" + kind + "\x00" + name))
	copy(id[:], sum[:])
	return id
}
