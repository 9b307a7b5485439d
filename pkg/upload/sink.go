package upload

import (
	"context"
	"fmt"
	"net/url"

	"github.com/disagg/disagg/pkg/results"
)

// Sink keeps records.
type Sink interface {
	// Send keeps the records; it may have kept some of them when it fails. Each id is kept once.
	Send(ctx context.Context, records []results.Record) error
	Close() error
}

// Open opens the sink that a URL names: sqlite:///absolute/path.db.
func Open(rawURL string) (Sink, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("cannot read upload URL: %w", err)
	}
	if u.Scheme == "sqlite" && u.Host == "" && u.Path != "" {
		return openSQLite(u.Path)
	}
	return nil, fmt.Errorf("cannot upload to %q: want sqlite:///absolute/path.db", rawURL)
}

// Check tells whether Open would understand a URL, without opening anything.
func Check(rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("cannot read upload URL: %w", err)
	}
	if u.Scheme != "sqlite" || u.Host != "" || u.Path == "" {
		return fmt.Errorf("cannot upload to %q: want sqlite:///absolute/path.db", rawURL)
	}
	return nil
}
