package rundir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/roles"
)

// A session is the servers that were started in one attempt, its home, and kept: others are measured on them. Each of
// these is an attempt of its own, of this run or of another, whose folders of agents, logs and files are links to the
// home's: all of it is where the servers know it to be. Events, records, report and verdict are each attempt's own.

// shared are the folders that the attempts of a session have in common.
func (a Attempt) shared() []string { return []string{a.Agents(), a.Logs(), a.Output(), a.join("work")} }

// Continue makes an attempt one of the session that another attempt belongs to. One that is there already stays.
func Continue(a, other Attempt) error {
	err := continued(a, other.Home())
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("cannot measure on the servers of %s: %w", other, err)
	}
	return nil
}

func continued(a, home Attempt) error {
	token, err := readToken(home.Token())
	if err != nil {
		return err
	}
	for _, dir := range []string{string(a), a.Records(), home.join("work")} { // the last may not be there yet
		if err := ownFolder(dir); err != nil {
			return err
		}
	}
	for i, link := range a.shared() {
		to, err := filepath.Rel(string(a), home.shared()[i])
		if err == nil {
			err = os.Symlink(to, link)
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return atomicfile.Create(a.Token(), []byte(token+"\n"), secretMode) // last: whoever sees it finds the rest
}

// Continues tells whether the attempt is measured on servers that were started in another.
func (a Attempt) Continues() bool { return a.Home() != a }

// Home is the attempt in which the servers of this one were started: itself, if they were not kept from another.
func (a Attempt) Home() Attempt {
	to, err := os.Readlink(a.Agents())
	if err != nil {
		return a
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(string(a), to)
	}
	return Attempt(filepath.Dir(to))
}

// PublishedIn lists what the agents of an attempt's session have published of themselves.
func PublishedIn(a Attempt) (list []protocol.Published) {
	for _, f := range filesIn(a.Agents(), "", ".json") {
		var p protocol.Published
		if readJSON(f, &p, &p.Schema) == nil {
			list = append(list, p)
		}
	}
	return list
}

// request is the file by which people ask for a role to be restarted, by whoever has started it.
func (a Attempt) request(r roles.Role) string { return a.Home().join("requests", r.String()) }

// Request asks for a role of a session to be restarted.
func Request(a Attempt, r roles.Role) error {
	file := a.request(r)
	err := os.MkdirAll(filepath.Dir(file), folderMode)
	if err == nil {
		err = atomicfile.Show(file, nil, sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot ask for %s: %w", r, err)
	}
	return nil
}

// TakeRequests takes those requests that are for some roles.
func TakeRequests(a Attempt, list []roles.Role) (taken []roles.Role) {
	for _, r := range list {
		if os.Remove(a.request(r)) == nil {
			taken = append(taken, r)
		}
	}
	return taken
}

// Requested tells whether nobody has taken a request yet.
func Requested(a Attempt, r roles.Role) bool {
	_, err := os.Stat(a.request(r))
	return err == nil
}
