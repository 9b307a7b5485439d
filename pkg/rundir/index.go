package rundir

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/disagg/disagg/pkg/protocol"
)

// Index is the list of the runs that a user has started, one JSON text a line: what lies where, and what may still have
// to be sent.
type Index struct{ file string }

// IndexIn is the index in a user's data folder.
func IndexIn(data string) Index { return Index{file: filepath.Join(data, "runs.ndjson")} }

// Add adds a run. A line is written at once, so that runs that are started together do not mix their lines.
func (x Index) Add(r protocol.KnownRun) error {
	line, err := json.Marshal(r)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(x.file), folderMode)
	}
	if err != nil {
		return fmt.Errorf("cannot add to the list of runs: %w", err)
	}
	f, err := os.OpenFile(x.file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, sharedMode)
	if err != nil {
		return fmt.Errorf("cannot add to the list of runs: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot add to the list of runs: %w", err)
	}
	return nil
}

// Runs lists all runs, the newest first. What cannot be read is passed over.
func (x Index) Runs() (runs []protocol.KnownRun, err error) {
	f, err := OpenRegular(x.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of runs: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxJSON)
	for lines.Scan() {
		var r protocol.KnownRun
		if json.Unmarshal(lines.Bytes(), &r) == nil && filepath.IsAbs(r.Dir) {
			runs = append(runs, r)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("cannot read the list of runs: %w", err)
	}
	slices.Reverse(runs)
	return runs, nil
}
