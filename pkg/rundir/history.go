package rundir

import (
	"encoding/json"
	"fmt"

	"github.com/disagg/disagg/pkg/atomicfile"
	"github.com/disagg/disagg/pkg/results"
)

// WriteHistory keeps what was known of earlier runs when this one was planned.
func WriteHistory(d Dir, h results.History) error {
	data, err := json.Marshal(h)
	if err == nil {
		err = atomicfile.Write(d.History(), append(data, '\n'), sharedMode)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the history: %w", err)
	}
	return nil
}

// ReadHistory reads it.
func ReadHistory(d Dir) (h results.History, err error) {
	if err = readJSON(d.History(), &h, &h.Schema); err != nil {
		err = fmt.Errorf("cannot read the history: %w", err)
	}
	return h, err
}
