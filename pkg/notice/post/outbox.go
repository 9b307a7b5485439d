package post

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/notice"
	"github.com/disagg/disagg/pkg/rundir"
)

// The states of a notice, which are folders of files that are named by its id.
const (
	pending = "pending" // the notice
	sent    = "sent"    // nothing: that it is there says it
	dead    = "dead"    // the notice, with the reason
)

// Modes of the outbox: what failed is nobody else's business.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// mostAge is for how long it is tried to send a notice: older ones are no news.
const mostAge = 7 * 24 * time.Hour

// Outbox keeps notices until they are sent.
type Outbox struct {
	dir   string
	fault error // why it keeps nothing
}

// In is the outbox in a user's data folder.
func In(data string) Outbox { return Outbox{dir: filepath.Join(data, "notices")} }

// Nowhere is an outbox that keeps nothing, and says why: each notice is tried once.
func Nowhere(why error) Outbox { return Outbox{dir: os.DevNull, fault: why} }

// Kept is a notice that is kept, as its file has it.
type Kept struct {
	Schema int           `json:"schema"` // 1
	Target string        `json:"target"`
	Dir    string        `json:"dir,omitempty"` // that a command is run in, as if it were run at once
	Notice notice.Notice `json:"notice"`
	Tries  int           `json:"tries"`
	Last   time.Time     `json:"last,omitzero"`   // of the tries
	Error  string        `json:"error,omitempty"` // of the last try
}

func (o Outbox) file(state, id string) string {
	if state == sent {
		return filepath.Join(o.dir, state, id)
	}
	return filepath.Join(o.dir, state, id+".json")
}

func (o Outbox) wasSent(id string) bool {
	_, err := os.Stat(o.file(sent, id))
	return err == nil
}

// keep makes a notice pending, durably. One that is kept already stays.
func (o Outbox) keep(k Kept) error {
	err := o.write(pending, k, atomicfile.Create)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// write writes the file of a notice.
func (o Outbox) write(state string, k Kept, how func(string, []byte, os.FileMode) error) error {
	data, err := json.MarshalIndent(k, "", "  ")
	file := o.file(state, k.Notice.ID)
	if err == nil {
		err = o.fault
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), folderMode)
	}
	if err == nil {
		err = how(file, append(data, '\n'), fileMode)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the notice: %w", err)
	}
	return nil
}

// Pending are the notices that are still to be sent. What cannot be read is passed over.
func (o Outbox) Pending() []Kept { return o.all(pending) }

// Dead are the notices that a target will never take, with the reasons.
func (o Outbox) Dead() []Kept { return o.all(dead) }

func (o Outbox) all(state string) (list []Kept) {
	entries, _ := os.ReadDir(filepath.Join(o.dir, state))
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(id, ".") {
			continue
		}
		f, err := rundir.OpenRegular(o.file(state, id))
		if err != nil {
			continue
		}
		if k, err := read(f.File, id); err == nil {
			list = append(list, k)
		}
		_ = f.Close()
	}
	return list
}

// mostNotice is how large the file of a notice may be, in bytes.
const mostNotice = 16 << 20

func read(f *os.File, id string) (k Kept, err error) {
	data, err := io.ReadAll(io.LimitReader(f, mostNotice))
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err == nil && (k.Schema != 1 || k.Notice.ID != id) {
		err = errors.New("it is no notice of schema 1, or another one")
	}
	if err != nil {
		return k, fmt.Errorf("cannot read the notice %s: %w", id, err)
	}
	return k, nil
}

// errBusy says that another process sends the notice.
var errBusy = errors.New("another process sends it")

// try sends a pending notice, unless another process does, and notes how that went.
func (o Outbox) try(ctx context.Context, id string) (r Report) {
	f, err := rundir.OpenRegular(o.file(pending, id))
	if errors.Is(err, fs.ErrNotExist) { // another process was faster
		return Report{Notice: notice.Notice{ID: id}, Sent: o.wasSent(id)}
	}
	if err != nil {
		return Report{Notice: notice.Notice{ID: id}, Err: fmt.Errorf("cannot read the notice %s: %w", id, err)}
	}
	defer f.Close() // which gives up the lock
	k, err := read(f.File, id)
	if r = (Report{Target: k.Target, Notice: k.Notice, Err: err}); err != nil {
		return r
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil || !o.isOf(f.File, id) {
		r.Err = errBusy
		return r
	}
	return o.sendLocked(ctx, k)
}

// isOf tells whether a file is still that of the pending notice: a try that has ended since it was opened replaces it.
func (o Outbox) isOf(f *os.File, id string) bool {
	now, err := os.Stat(o.file(pending, id))
	if err != nil {
		return false
	}
	opened, err := f.Stat()
	return err == nil && os.SameFile(now, opened)
}

// sendLocked sends a notice whose file is locked.
func (o Outbox) sendLocked(ctx context.Context, k Kept) Report {
	r := Report{Target: k.Target, Notice: k.Notice}
	if o.wasSent(k.Notice.ID) { // a crash left it here, too
		r.Sent, r.Err = true, o.done(k)
		return r
	}
	t, err := notice.Parse(k.Target)
	final := err != nil
	if err == nil {
		final, err = send(ctx, t, k)
	}
	if err == nil {
		r.Sent, r.Err = true, o.done(k)
		return r
	}
	r.Err = err
	k.Tries, k.Last, k.Error = k.Tries+1, time.Now().UTC(), err.Error()
	if r.Dead = final || k.Last.Sub(k.Notice.At) > mostAge; r.Dead {
		r.Err = errors.Join(err, o.move(k, dead))
		return r
	}
	if err := o.write(pending, k, atomicfile.Show); err != nil {
		r.Err = errors.Join(r.Err, err)
	}
	return r
}

// done notes that a notice was sent, durably, before it is no longer pending.
func (o Outbox) done(k Kept) error {
	file := o.file(sent, k.Notice.ID)
	err := os.MkdirAll(filepath.Dir(file), folderMode)
	if err == nil {
		err = atomicfile.Write(file, nil, fileMode)
	}
	if err == nil {
		err = os.Remove(o.file(pending, k.Notice.ID))
	}
	if err != nil {
		return fmt.Errorf("cannot note that the notice was sent: %w", err)
	}
	return nil
}

// move puts a notice into another state.
func (o Outbox) move(k Kept, state string) error {
	err := o.write(state, k, atomicfile.Write)
	if err == nil {
		err = os.Remove(o.file(pending, k.Notice.ID))
	}
	return err
}
