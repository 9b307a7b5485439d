package imported

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/disagg/disagg/pkg/perfsanity"
	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/roles"
)

// Source is a file that is read once, to its end.
type Source struct {
	Path     string    // as a record keeps it
	Modified time.Time // when the file was last written
	Content  io.Reader
}

// Labels are what the one who imports says of results that have no plan.
type Labels struct {
	Case   string // "": as the source says
	TestID string // "": as the source says, else the case
	Run    string // "": as the source says, else a name made of its content
	User   string // who imports
	Tool   string // version of disagg
	Tags   []string
	Note   string
}

// longestLine bounds a line of a log, in bytes: what is longer is read in pieces of this size.
const longestLine = 1 << 20

// lines reads the source line by line, and returns the SHA-256 of its content, in hex.
func (s Source) lines(line func(string)) (sum string, err error) {
	hash := sha256.New()
	reader := bufio.NewReaderSize(io.TeeReader(s.Content, hash), longestLine)
	for {
		text, _, err := reader.ReadLine()
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(hash.Sum(nil)), nil
		}
		if err != nil {
			return "", fmt.Errorf("cannot read %s: %w", s.Path, err)
		}
		line(string(text))
	}
}

// largestFile bounds a result file, in bytes: one of a thousand points has a fiftieth of it.
const largestFile = 64 << 20

// all reads the whole source.
func (s Source) all() (data []byte, sum string, err error) {
	data, err = io.ReadAll(io.LimitReader(s.Content, largestFile+1))
	if err == nil && len(data) > largestFile {
		err = fmt.Errorf("it has more than %d bytes", largestFile)
	}
	if err != nil {
		return nil, "", fmt.Errorf("cannot read %s: %w", s.Path, err)
	}
	return data, digest(data), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// dated tells which file a record is from, of which content, and where its time comes from.
func (s Source) dated(sum string, by protocol.TimeFrom) *protocol.Import {
	return &protocol.Import{File: s.Path, SHA256: sum, Dated: by}
}

// provenance is what the labels say of where a record comes from.
func (l Labels) provenance() protocol.Provenance {
	return protocol.Provenance{User: l.User, Tool: l.Tool, Tags: l.Tags, Note: l.Note}
}

// runName is how much of a content's hash names a run that has no other name.
const runName = 12

// record makes the record of a point of no plan, whose content has that hash.
func (l Labels) record(o results.Origin, pt protocol.Point, at time.Time) results.Record {
	o.RunID = cmp.Or(l.Run, o.RunID, "import-"+o.Content[:runName])
	return results.NewRecord(o, pt, at)
}

// ofLog is the case that a log is of: as the labels say, else as its folder is called, if that is a test id.
func (l Labels) ofLog(path string) (c roles.Case, err error) {
	c.Name, c.TestID = l.Case, l.TestID
	if folder := filepath.Base(filepath.Dir(path)); c.Name == "" && c.TestID == "" {
		c.TestID = folder
	}
	id, is, err := perfsanity.ParseTestID(c.TestID)
	switch {
	case is && err != nil:
		return c, err
	case is:
		c.Name, c.Mode = cmp.Or(c.Name, id.Config), string(id.Mode)
	case l.Case == "" && l.TestID == "":
		return c, errors.New("cannot tell which case it is of: its folder's name is not a test id: pass --case NAME")
	}
	c.Name, c.TestID = cmp.Or(c.Name, c.TestID), cmp.Or(c.TestID, c.Name)
	return c, nil
}
