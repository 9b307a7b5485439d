package launch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/disagg/disagg/pkg/hub"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// followPoll is how often the run directory is looked at while a job runs.
const followPoll = 100 * time.Millisecond

// Follow tells each thing that happens in a run directory, in order, until the context ends; then it reads what is
// left. A requeued job goes on with the entries of its new attempt.
func Follow(ctx context.Context, d roles.RunDir, tell func(hub.Entry)) {
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	f := follower{dir: d}
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-tick.C:
		}
		f.read(tell)
	}
	f.close()
}

type follower struct {
	dir     roles.RunDir
	attempt string
	file    *os.File
	rest    string // of a line that has no end yet
}

func (f *follower) read(tell func(hub.Entry)) {
	if attempt, err := os.Readlink(f.dir.Current()); err == nil && attempt != f.attempt {
		f.close()
		f.attempt = attempt
	}
	if f.file == nil {
		var err error
		if f.file, err = os.Open(roles.Attempt(filepath.Join(string(f.dir), f.attempt)).Events()); err != nil {
			return
		}
	}
	for r := bufio.NewReader(f.file); ; {
		text, err := r.ReadString('\n')
		f.rest += text
		if err != nil {
			return
		}
		var e hub.Entry
		if json.Unmarshal([]byte(f.rest), &e) == nil {
			tell(e)
		}
		f.rest = ""
	}
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close()
	}
	f.file, f.rest = nil, ""
}

// CurrentAttempt is the newest attempt of a run directory.
func CurrentAttempt(d roles.RunDir) roles.Attempt {
	link, err := os.Readlink(d.Current())
	n, nerr := strconv.Atoi(strings.TrimPrefix(link, "attempt-"))
	if err != nil || nerr != nil {
		return d.Attempt(0)
	}
	return d.Attempt(n)
}

// Result reads the newest attempt's verdict; ok is false while there is none.
func Result(d roles.RunDir) (r results.Result, ok bool, err error) {
	r, err = results.ReadResult(CurrentAttempt(d).Result())
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	return r, err == nil, err
}
