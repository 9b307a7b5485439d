package upload

import (
	"context"
	"net/url"
	"time"

	"github.com/disagg/disagg/pkg/results"
)

// Sink keeps records. What all of them must do is checked by package sinktest. Several goroutines use one at once.
type Sink interface {
	// Send keeps the records, and says for each of them, in their order, how it went. Each id is kept once: one that is
	// there already is left as it is, and its outcome is that the sink has it.
	Send(ctx context.Context, records []results.Record) []Outcome
	// Stored tells which of the records the sink has, by their ids, with the digest of what it holds under each. What
	// was sent is read back with it, and what may have been sent is looked for before it is sent again.
	Stored(ctx context.Context, records []results.Record) (map[string]string, error)
	// History lists records that were kept before.
	History(ctx context.Context, q Query) ([]results.Record, error)
	Close() error
}

// IDs are the ids of records.
func IDs(records []results.Record) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.ID
	}
	return ids
}

// Outcome is how sending one record went. The zero value says that the sink has it.
type Outcome struct {
	Err  error
	Fate Fate
	// RetryAfter is how long the sink wants to be left alone, 0 if it does not say.
	RetryAfter time.Duration
}

// Fate is what becomes of a record.
type Fate int

// The fates.
const (
	Kept   Fate = iota // the sink has it
	Later              // it may go well if it is tried again: a time-out, 429, 5xx, a server that is not there
	Never              // the sink will never take this record: 400, or one that is too large
	Denied             // the sink takes nothing from us: 401, 403. All stay pending
	Apart              // what was sent together is refused as a whole: it is to be sent in parts
)

// String is for messages.
func (f Fate) String() string { return [...]string{"kept", "later", "never", "denied", "apart"}[f] }

// Failed is the outcome of a record that the sink does not have.
func Failed(f Fate, err error) Outcome { return Outcome{Err: err, Fate: f} }

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
	Name  string
	Form  string // of its URLs, for errors: "sqlite:///absolute/path.db"
	About string // in one line, for help
	// Local says that a URL names a file or folder where this program runs. A compute node, or a container, may have
	// another one under the same name, so it is the submitting side that sends.
	Local bool
	// Port is that of its servers, unless a URL names another; "": they speak HTTP.
	Port string
	// Check tells whether a URL is one of its own, without opening anything.
	Check func(*url.URL) error
	// Open opens the sink that a URL names.
	Open func(context.Context, *url.URL) (Sink, error)
}
