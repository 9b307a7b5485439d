package parquet_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"
	"golang.org/x/sys/unix"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/parquet"
	"github.com/disagg/disagg/pkg/upload/sinktest"
)

// open opens the sink of a folder.
func open(t testing.TB, dir string) upload.Sink {
	t.Helper()
	s, err := parquet.Scheme().Open(t.Context(), &url.URL{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// send sends records of which each must be kept.
func send(t testing.TB, s upload.Sink, records []results.Record) {
	t.Helper()
	for _, o := range s.Send(t.Context(), records) {
		if o.Fate != upload.Kept || o.Err != nil {
			t.Fatalf("%v: %v", o.Fate, o.Err)
		}
	}
}

// refused checks that a record stays pending, and that the reason is told.
func refused(t *testing.T, s upload.Sink, r results.Record, reason string) {
	t.Helper()
	o := s.Send(t.Context(), []results.Record{r})[0]
	if o.Fate != upload.Later || o.Err == nil || !strings.Contains(o.Err.Error(), reason) {
		t.Errorf("%v: %v, want it to say %q", o.Fate, o.Err, reason)
	}
}

// shown is a part of a row, as a program of somebody else's would declare it.
type shown struct {
	ID         string   `parquet:"id"`
	Valid      bool     `parquet:"valid"`
	Invalid    *string  `parquet:"invalid,optional"`
	Throughput *float64 `parquet:"token_throughput,optional"`
	PerGPU     *float64 `parquet:"tok_per_gpu,optional"`
	Accepted   *float64 `parquet:"al,optional"`
	Commit     *string  `parquet:"commit_hash,optional"`
	Dirty      *bool    `parquet:"dirty,optional"`
	Point      int64    `parquet:"point"`
}

// A file has every column, whatever its records say, and null where they say nothing.
func TestColumns(t *testing.T) {
	dir := t.TempDir()
	records := sinktest.Records("a1", 0, 4, 8)
	records[0].Point.Invalid, records[0].GPUs = "no token came out", 4
	records[1].Provenance.Commit = ""
	send(t, open(t, dir), records)
	data, err := os.ReadFile(filepath.Join(dir, "a1.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, c := range parquet.Columns() {
		want = append(want, c.Name)
	}
	for _, c := range f.Schema().Columns() {
		got = append(got, strings.Join(c, "."))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rows, err := pq.Read[shown](bytes.NewReader(data), int64(len(data)))
	if diff := cmp.Diff([]shown{
		{
			ID: records[0].ID, Invalid: new("no token came out"), Throughput: new(401.0), PerGPU: new(100.25),
			Commit: new("abc"), Dirty: new(false),
		},
		{ID: records[1].ID, Valid: true, Throughput: new(802.0), Point: 1},
	}, rows); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// A damaged file is told, and neither replaced nor lost.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	s, file, list := open(t, dir), filepath.Join(dir, "a1.parquet"), sinktest.Records("a1", 0, 4, 8)
	send(t, s, list[:1])
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "torn": whole[:len(whole)/2], "without its end": whole[:len(whole)-1],
		"no parquet": []byte("PAR1 is how it begins\n"),
		"other ends": bytes.ReplaceAll(whole, []byte("PAR1"), []byte("PAR2")),
	} {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, s, list[1], "a1.parquet: it is damaged: ")
		if _, err := s.Stored(t.Context(), list); err == nil {
			t.Errorf("%s: the records of a damaged file are told", name)
		}
		if _, err := s.History(t.Context(), upload.Query{}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, data) {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

// foreign is a file without our mark, or with another version in it.
func foreign(t *testing.T, options ...pq.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pq.NewGenericWriter[struct{ X int }](&b, options...)
	if _, err := w.Write([]struct{ X int }{{1}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Somebody else's file is left alone, and what a newer version wrote is left to it.
func TestOthersFiles(t *testing.T) {
	dir := t.TempDir()
	s, list := open(t, dir), slices.Concat(sinktest.Records("a1", 0, 4), sinktest.Records("b1", 0, 4))
	send(t, s, list[:1])
	if err := os.WriteFile(filepath.Join(dir, "b1.parquet"), foreign(t), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, s, list[1], "it is no file of this tool: move it away")
	if got, err := s.History(t.Context(), upload.Query{}); err != nil || len(got) != 1 {
		t.Errorf("%d records, %v", len(got), err)
	}
	newer := foreign(t, pq.KeyValueMetadata("disagg.schema", "2"))
	if err := os.WriteFile(filepath.Join(dir, "b1.parquet"), newer, 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, s, list[1], "it is of a newer version of disagg (columns 2): use that one")
	if _, err := s.History(t.Context(), upload.Query{}); err == nil {
		t.Error("the history of a newer version was left out")
	}
}

// Whatever a run's id is, its file is in the folder, and another run's is another.
func TestRunIDs(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "table")
	s := open(t, dir)
	ids := []string{
		"", ".", "..", "../x", "a/b", "/etc/x", ".lock", "a\x00b", "a\nb", strings.Repeat("x", 300), "a b", "ü",
	}
	var all []results.Record
	for i, id := range ids {
		r := sinktest.Records("a1", i, 4)[0]
		r.RunID, r.ID = id, strings.Repeat("0", 31)+string(rune('a'+i))
		all = append(all, r)
	}
	send(t, s, all)
	got, err := s.History(t.Context(), upload.Query{})
	if diff := cmp.Diff(all, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(files) != len(ids) {
		t.Errorf("%d files of %d runs: %v", len(files), len(ids), err)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("files outside of the folder: %v, %v", entries, err)
	}
}

// A lock that somebody holds is waited for as long as there is time, and a record is kept once it is free.
func TestLockIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	s, list := open(t, dir), sinktest.Records("a1", 0, 4)
	lock, err := os.Create(filepath.Join(dir, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, kept := make(chan upload.Outcome), make(chan upload.Outcome)
	go func() { ended <- s.Send(ctx, list)[0] }()
	go func() { kept <- s.Send(t.Context(), list)[0] }()
	cancel()
	if o := <-ended; o.Fate != upload.Later {
		t.Errorf("without time: %v, %v", o.Fate, o.Err)
	}
	lock.Close()
	if o := <-kept; o.Fate != upload.Kept {
		t.Errorf("%v, %v", o.Fate, o.Err)
	}
}

// A file that is damaged anywhere gives all of its records or an error: never some of them, and no panic.
func TestDamagedAnywhere(t *testing.T) {
	dir := t.TempDir()
	s, file := open(t, dir), filepath.Join(dir, "a1.parquet")
	send(t, s, sinktest.Records("a1", 0, 4, 8))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := slices.Clone(whole)
		for range 1 + r.IntN(3) {
			data[r.IntN(len(data))] = byte(r.IntN(256))
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		list, err := s.History(t.Context(), upload.Query{})
		if err != nil {
			damaged++
		}
		if err == nil && len(list) != 2 || err != nil && list != nil {
			t.Errorf("seed %d: %d records, %v", seed, len(list), err)
		}
	}
	if damaged == 0 {
		t.Error("no damage was noticed")
	}
}

// FuzzFile reads files that may be damaged anywhere: what is read is whole records, or an error.
func FuzzFile(f *testing.F) {
	dir := f.TempDir()
	send(f, open(f, dir), sinktest.Records("a1", 0, 4, 8))
	data, err := os.ReadFile(filepath.Join(dir, "a1.parquet"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a1.parquet"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		list, err := open(t, dir).History(t.Context(), upload.Query{})
		if err != nil && list != nil {
			t.Errorf("%d records with an error: %v", len(list), err)
		}
		for _, r := range list {
			whole, err := r.Encode()
			if err == nil {
				_, err = results.DecodeRecord(r.ID, whole)
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
}
