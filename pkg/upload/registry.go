package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/disagg/disagg/pkg/results"
)

// Registry is the kinds of sink that a program has.
type Registry []Scheme

// Check tells whether a URL names a sink, without opening anything.
func (r Registry) Check(rawURL string) error {
	_, _, err := r.find(rawURL)
	return err
}

// Local tells whether a URL names a file or folder where this program runs; see [Scheme].
func (r Registry) Local(rawURL string) bool {
	s, _, err := r.find(rawURL)
	return err == nil && s.Local
}

// CheckPath is the check of a sink whose URL is a path on this machine, such as dir:///absolute/folder.
func CheckPath(u *url.URL) error {
	if u.Host != "" || u.Path == "" || u.Opaque != "" {
		return errors.New("it names no absolute path")
	}
	if u.RawQuery != "" || u.ForceQuery { // what is after it would be lost from the name
		return errors.New("it has a ?, which is %3F in a path")
	}
	return nil
}

// Folder is the name of the folder of a sink's outbox: its scheme, and what tells its URL from others.
func Folder(rawURL string) string {
	scheme, _, _ := strings.Cut(rawURL, ":")
	sum := sha256.Sum256([]byte(rawURL))
	return scheme + "-" + hex.EncodeToString(sum[:4])
}

func (r Registry) find(rawURL string) (Scheme, *url.URL, error) {
	u, err := url.Parse(rawURL)
	switch { // it may hold a secret
	case err != nil:
		return Scheme{}, nil, errors.New("cannot upload: the URL cannot be read (a % in a path is %25)")
	case strings.Contains(rawURL, "#"):
		return Scheme{}, nil, errors.New("cannot upload: the URL has a #, which is %23 in a path")
	}
	if _, has := u.User.Password(); has {
		return Scheme{}, nil, fmt.Errorf("cannot upload to %s: a password in the URL would be stored: "+
			"pass ?password_env=NAME or ?password_file=PATH", u.Redacted())
	}
	var forms []string
	for _, s := range r {
		if s.Name == u.Scheme {
			if err := s.Check(u); err != nil {
				return Scheme{}, nil, fmt.Errorf("cannot upload to %q: %w: want %s", rawURL, err, s.Form)
			}
			return s, u, nil
		}
		forms = append(forms, s.Form)
	}
	return Scheme{}, nil, fmt.Errorf("cannot upload to %q: unknown kind of sink: want %s",
		rawURL, strings.Join(forms, ", "))
}

// Open opens the sink that a URL names.
func (r Registry) Open(ctx context.Context, rawURL string) (Sink, error) {
	s, u, err := r.find(rawURL)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, u)
}

// OpenToRead opens a sink of which is only read: what is a file or folder that is not there has nothing, and is not
// made by that.
func (r Registry) OpenToRead(ctx context.Context, rawURL string) (Sink, error) {
	s, u, err := r.find(rawURL)
	if err != nil {
		return nil, err
	}
	if s.Local {
		if _, err := os.Stat(u.Path); errors.Is(err, fs.ErrNotExist) {
			return nothing{}, nil
		}
	}
	return s.Open(ctx, u)
}

// nothing is a sink that has nothing.
type nothing struct{}

var errOnlyRead = errors.New("cannot send to a sink that was opened to read")

func (nothing) Send(_ context.Context, records []results.Record) []Outcome {
	return Same(len(records), Failed(Later, errOnlyRead))
}

func (nothing) Stored(context.Context, []results.Record) (map[string]string, error) { return nil, nil }

func (nothing) History(context.Context, Query) ([]results.Record, error) { return nil, nil }

func (nothing) Close() error { return nil }

// Credential reads a secret that a sink's URL refers to: ?NAME_env=VARIABLE names a variable, ?NAME_file=PATH a file
// that only its owner can read. It is "" if the URL refers to none.
func Credential(u *url.URL, name string) (string, error) {
	q := u.Query()
	if variable := q.Get(name + "_env"); variable != "" {
		v, ok := os.LookupEnv(variable)
		if !ok {
			return "", fmt.Errorf("cannot read the %s of %s: the variable %s is not set", name, u.Host, variable)
		}
		return v, nil
	}
	file := q.Get(name + "_file")
	if file == "" {
		return "", nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the %s of %s: %w", name, u.Host, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("cannot read the %s of %s: others can read it: chmod 600 %s", name, u.Host, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cannot read the %s of %s: %w", name, u.Host, err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// DataDir is the folder in which what a user keeps lies.
func DataDir() (string, error) {
	dir := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("cannot find your data folder: %w: set XDG_DATA_HOME, or pass --upload URL", err)
		}
		dir = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(dir, "disagg"), nil
}

// DefaultURL is the embedded default: a file in the user's data folder.
func DefaultURL() (string, error) {
	dir, err := DataDir()
	if err != nil {
		return "", err
	}
	return (&url.URL{Scheme: "sqlite", Path: filepath.Join(dir, "results.db")}).String(), nil
}
