package dir_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/dir"
	"github.com/disagg/disagg/pkg/upload/sinktest"
)

// open opens a folder as a sink.
func open(t *testing.T, folder string) upload.Sink {
	t.Helper()
	s, err := dir.Scheme().Open(t.Context(), &url.URL{Scheme: "dir", Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A record lies under its id, in a folder of the id's first letters; it can be read as any other file, and nothing else
// is left beside it.
func TestLayout(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	list := sinktest.Records("a1", 0, 4)
	list[0].ID = "0123"
	short := list[0]
	short.ID = "f" // as one that another program wrote may have
	for _, o := range open(t, folder).Send(t.Context(), append(list, short)) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	for file, id := range map[string]string{"01/0123.json": "0123", "f/f.json": "f"} {
		data, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil || !strings.Contains(string(data), `"id": "`+id+`"`) {
			t.Errorf("%s: %v: %.100s", file, err, data)
		}
		if info, err := os.Stat(filepath.Join(folder, file)); err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s cannot be read by others: %v", file, err)
		}
		if beside, err := os.ReadDir(filepath.Dir(filepath.Join(folder, file))); err != nil || len(beside) != 1 {
			t.Errorf("%v, %v", beside, err)
		}
	}
}

// What cannot be a folder is refused by its name.
func TestOpenFault(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(file, "x")
	_, err := dir.Scheme().Open(t.Context(), &url.URL{Scheme: "dir", Path: folder})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot open "+folder+": ") {
		t.Error(err)
	}
}

// Each record is kept for itself: one that cannot be is named, may go well later, and takes no other with it.
func TestEachForItself(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	list := sinktest.Records("a1", 0, 4, 8)
	list[0].ID, list[1].ID = "aa1", "bb2"
	if err := os.WriteFile(filepath.Join(folder, "aa"), nil, 0o644); err != nil { // where its folder would be
		t.Fatal(err)
	}
	s := open(t, folder)
	got := s.Send(t.Context(), list)
	if got[0].Fate != upload.Later || !strings.HasPrefix(got[0].Err.Error(), "cannot send record aa1: ") {
		t.Errorf("%+v", got[0])
	}
	if got[1] != (upload.Outcome{}) {
		t.Errorf("%+v", got[1])
	}
	if _, err := s.Stored(t.Context(), list); err == nil {
		t.Error("a folder that is none has no records")
	}
}

// When time is over nothing more is begun, and the reason is told.
func TestNoTime(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	why := errors.New("the job ends")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	got := open(t, folder).Send(ended, sinktest.Records("a1", 0, 4, 8))
	for _, o := range got {
		if o.Fate != upload.Later || !errors.Is(o.Err, why) {
			t.Errorf("%+v", o)
		}
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}

// A file that is not a record, or another one, is told by its id: it is neither what was asked for nor passed over.
// What is no file of records is passed over.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	record := sinktest.Records("a1", 0, 4)[0]
	whole, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const cut = "cannot read record xx: unexpected end of JSON input"
	for name, tt := range map[string]struct{ file, data, want string }{
		"cut":             {"xx.json", string(whole[:len(whole)/2]), cut},
		"empty":           {"xx.json", "", cut},
		"of another id":   {"xx.json", string(whole), "cannot read record xx: it is not a record of schema 1 to 2"},
		"another kind":    {"xx.txt", "no record", ""},
		"being written":   {".xx.json", "", ""},
		"being written 2": {"xx.json.tmp", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.MkdirAll(filepath.Join(folder, "xx"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, "xx", tt.file), []byte(tt.data), 0o644); err != nil {
				t.Fatal(err)
			}
			s := open(t, folder)
			got, err := s.History(t.Context(), upload.Query{})
			if tt.want == "" && (err != nil || len(got) != 0) {
				t.Errorf("%v, %v", got, err)
			}
			asked := record
			asked.ID = "xx"
			_, errStored := s.Stored(t.Context(), append(sinktest.Records("a1", 0, 4), asked))
			if tt.want == "" {
				if errStored != nil {
					t.Error(errStored)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "cannot read the history: "+tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if errStored == nil || !strings.HasPrefix(errStored.Error(), tt.want) {
				t.Errorf("got %v, want %s", errStored, tt.want)
			}
		})
	}
}

// A folder that was removed while it was in use is an error for who asks for all, and made again by who sends.
func TestFolderIsGone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "x")
	s, list := open(t, folder), sinktest.Records("a1", 0, 4)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := s.History(t.Context(), upload.Query{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if got, err := s.Stored(t.Context(), list); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if got := s.Send(t.Context(), list); got[0].Err != nil {
		t.Error(got[0].Err)
	}
}
