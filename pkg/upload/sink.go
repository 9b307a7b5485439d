package upload

import (
	"context"
	"net/url"
	"time"

	"github.com/disagg/disagg/pkg/results"
)

// Sink keeps records.
type Sink interface {
	// Send keeps the records, and says for each of them, in their order, how it went. Each id is kept once, whatever is
	// sent again.
	Send(ctx context.Context, records []results.Record) []Outcome
	Close() error
}

// Outcome is how sending one record went: Err is nil if the sink has it.
type Outcome struct {
	Err error
	// Dead says that the sink will never take it, so that it is of no use to try again.
	Dead bool
	// RetryAfter is how long the sink wants to be left alone, 0 if it does not say.
	RetryAfter time.Duration
}

// Same says the same of so many records, for a sink that keeps all or none.
func Same(n int, o Outcome) []Outcome {
	list := make([]Outcome, n)
	for i := range list {
		list[i] = o
	}
	return list
}

// Scheme is a kind of sink, by the scheme of its URLs.
type Scheme struct {
	Name string
	Form string // of its URLs, for errors: "sqlite:///absolute/path.db"
	// Check tells whether a URL is one of its own, without opening anything.
	Check func(*url.URL) error
	// Open opens the sink that a URL names.
	Open func(context.Context, *url.URL) (Sink, error)
}
