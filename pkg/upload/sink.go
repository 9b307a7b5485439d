package upload

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/disagg/disagg/pkg/results"
)

// Sink keeps records.
type Sink interface {
	// Send keeps the records; it may have kept some of them when it fails. Each id is kept once.
	Send(ctx context.Context, records []results.Record) error
	Close() error
}

// Sinks are the kinds of sink that a program has, by the scheme of their URLs. Each opens one.
type Sinks map[string]func(*url.URL) (Sink, error)

// open opens the sink that a URL names.
func (s Sinks) open(rawURL string) (Sink, error) {
	u, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	open := s[u.Scheme]
	if open == nil {
		return nil, fmt.Errorf("cannot upload to %q: this program has no such sink", rawURL)
	}
	return open(u)
}

// Check tells whether a URL names a sink, without opening anything.
func Check(rawURL string) error {
	_, err := parse(rawURL)
	return err
}

func parse(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("cannot read upload URL: %w", err)
	}
	if u.Scheme != "sqlite" || u.Host != "" || u.Path == "" {
		return nil, fmt.Errorf("cannot upload to %q: want sqlite:///absolute/path.db", rawURL)
	}
	return u, nil
}

// DefaultURL is the embedded default: a file in the user's data folder.
func DefaultURL() (string, error) {
	dir := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("cannot find the user's data folder: %w: set XDG_DATA_HOME, or pass --upload URL", err)
		}
		dir = filepath.Join(home, ".local", "share")
	}
	return (&url.URL{Scheme: "sqlite", Path: filepath.Join(dir, "disagg", "results.db")}).String(), nil
}
