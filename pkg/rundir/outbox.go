package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/disagg/disagg/pkg/atomicfile"
)

// The states of a record, which are folders of files that are named by its id.
const (
	pending = "pending" // it is to be sent; the file tells of the tries until now
	sent    = "sent"    // the sink has it, as was read back: another name of the record's file, or its digest
	dead    = "dead"    // the sink will never take it; the file says why
)

// Outbox tells which records of an attempt one sink has. What is neither sent nor dead is pending: no crash can lose a
// record between two states, since the record itself ([RecordStore]) is what makes it pending. Nothing is ever deleted,
// only moved from one state to another.
type Outbox struct {
	dir     string
	records RecordStore
}

// OpenOutbox is the attempt's outbox for a sink, by the name of the sink's folder.
func (a Attempt) OpenOutbox(sink string) Outbox {
	return Outbox{dir: filepath.Join(a.Outbox(), sink), records: a.RecordStore()}
}

// Outboxes lists the names of the sinks' folders that the attempt has.
func (a Attempt) Outboxes() ([]string, error) {
	entries, err := os.ReadDir(a.Outbox())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot list outboxes: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Records is the store of the records that are sent.
func (o Outbox) Records() RecordStore { return o.records }

// Tries is what is known of a record that was not sent yet.
type Tries struct {
	Tries int       `json:"tries"`
	Last  time.Time `json:"last,omitzero"`
	Error string    `json:"error,omitempty"` // of the last try
}

// Add shows a saved record as pending, which it is anyhow.
func (o Outbox) Add(id string) error { return o.Tried(id, Tries{}) }

// Tried notes that a record could not be sent yet.
func (o Outbox) Tried(id string, t Tries) error {
	data, err := json.Marshal(t)
	if err == nil {
		err = o.show(pending, id, data)
	}
	if err != nil {
		return fmt.Errorf("cannot note record as pending: %w", err)
	}
	return nil
}

// TriesOf tells how often it was tried to send a pending record; it is zero if it was not.
func (o Outbox) TriesOf(id string) (t Tries) {
	data, err := ReadRegular(o.file(pending, id))
	if err != nil || json.Unmarshal(data, &t) != nil {
		return Tries{}
	}
	return t
}

func (o Outbox) file(state, id string) string { return filepath.Join(o.dir, state, id) }

// show writes the file of a state. It need not survive a crash: what is sent twice is kept once.
func (o Outbox) show(state, id string, data []byte) error {
	err := atomicfile.Show(o.file(state, id), append(data, '\n'), sharedMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Join(o.dir, state), folderMode); err == nil {
			err = atomicfile.Show(o.file(state, id), append(data, '\n'), sharedMode)
		}
	}
	return err
}

// Pending lists the ids that are still to be sent.
func (o Outbox) Pending() ([]string, error) {
	done := map[string]bool{}
	for _, state := range []string{sent, dead} {
		ids, err := o.list(state)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			done[id] = true
		}
	}
	all, err := o.records.IDs()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, id := range all {
		if !done[id] {
			left = append(left, id)
		}
	}
	return left, nil
}

// Sent lists the ids that the sink has.
func (o Outbox) Sent() ([]string, error) { return o.list(sent) }

// Dead lists the ids that the sink will not take.
func (o Outbox) Dead() ([]string, error) { return o.list(dead) }

func (o Outbox) list(state string) ([]string, error) {
	ids, err := namesIn(filepath.Join(o.dir, state))
	if err != nil {
		return nil, fmt.Errorf("cannot list %s records: %w", state, err)
	}
	return ids, nil
}

// Reason is why a record is dead.
func (o Outbox) Reason(id string) string {
	data, _ := ReadRegular(o.file(dead, id))
	return string(data)
}

// MarkSent notes that the sink has a record, with the digest that was read back. Another drain may have done so
// already. Making a file can take a file system forty times as long as giving one another name, so what was sent is a
// name of the record's file; where that cannot be, it is a file with the digest.
func (o Outbox) MarkSent(id, digest string) error {
	mark := func() error {
		err := os.Link(o.records.file(id), o.file(sent, id))
		if err == nil || errors.Is(err, fs.ErrExist) {
			return nil
		}
		return os.WriteFile(o.file(sent, id), []byte(digest+"\n"), sharedMode)
	}
	err := mark()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Join(o.dir, sent), folderMode); err == nil {
			err = mark()
		}
	}
	if err != nil {
		return fmt.Errorf("cannot note record as sent: %w", err)
	}
	return o.drop(id)
}

// drop takes away what was noted of a pending record that is in another state now.
func (o Outbox) drop(id string) error {
	if err := os.Remove(o.file(pending, id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("cannot take record from the pending ones: %w", err)
	}
	return nil
}

// Bury notes a record as dead, with the reason.
func (o Outbox) Bury(id, reason string) error {
	if err := o.show(dead, id, []byte(reason)); err != nil {
		return fmt.Errorf("cannot note record as dead: %w", err)
	}
	return o.drop(id)
}

// Revive makes a dead record, or one that was sent and is not there any more, pending again.
func (o Outbox) Revive(id, why string) error {
	err := o.Tried(id, Tries{Error: why})
	for _, state := range []string{dead, sent} {
		if gone := os.Remove(o.file(state, id)); err == nil && !errors.Is(gone, os.ErrNotExist) {
			err = gone
		}
	}
	if err != nil {
		return fmt.Errorf("cannot make record pending again: %w", err)
	}
	return nil
}

// Settle makes what was noted durable.
func (o Outbox) Settle() error {
	for _, state := range []string{sent, dead} {
		err := atomicfile.SyncDir(filepath.Join(o.dir, state))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot make the outbox durable: %w", err)
		}
	}
	return nil
}

// namesIn lists the names in a folder that are not hidden, sorted; none if it is not there.
func namesIn(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
