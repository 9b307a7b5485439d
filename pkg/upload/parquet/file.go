package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	pq "github.com/parquet-go/parquet-go"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/rundir"
)

const (
	// mark is the key of a file's metadata that says which version of the columns it has.
	mark = "disagg.schema"
	// version is that of [Columns]: a greater one has more of them.
	version = 1
	// pageVersion is that of the pages: readers that know no other are still in use.
	pageVersion = 1
)

// errForeign says that a file is somebody else's.
var errForeign = errors.New("it is no file of this tool: move it away, or choose another folder")

// encodeFile is a file of records, of which there is at least one.
func encodeFile(records []results.Record) ([]byte, error) {
	var b bytes.Buffer
	w := pq.NewWriter(&b, schema(), pq.Compression(&pq.Zstd), pq.DataPageVersion(pageVersion),
		pq.KeyValueMetadata(mark, strconv.Itoa(version)))
	for _, r := range records {
		if _, err := w.WriteRows([]pq.Row{row(r)}); err != nil {
			return nil, fmt.Errorf("cannot encode record %s: %w", r.ID, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("cannot encode records: %w", err)
	}
	return b.Bytes(), nil
}

// readFile reads the records of a file.
func readFile(name string) ([]results.Record, error) {
	f, err := rundir.OpenRegular(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read records: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read records: %w", err)
	}
	records, err := decodeFile(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read records of %s: %w", name, err)
	}
	return records, nil
}

// decodeFile reads the records of a file. What is damaged may have the library panic, which is an error here.
func decodeFile(data []byte) (records []results.Record, err error) {
	defer func() {
		if p := recover(); p != nil {
			records, err = nil, fmt.Errorf("it is damaged: %v", p)
		}
	}()
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if err := ours(f); err != nil {
		return nil, err
	}
	ids, err := texts(f, "id")
	if err != nil {
		return nil, err
	}
	bodies, err := texts(f, "record")
	if err != nil {
		return nil, err
	}
	if len(ids) != len(bodies) {
		return nil, fmt.Errorf("it is damaged: %d ids of %d records", len(ids), len(bodies))
	}
	for i, id := range ids {
		r, err := results.DecodeRecord(id, []byte(bodies[i]))
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// ours tells whether a file is one that this version can read.
func ours(f *pq.File) error {
	text, has := f.Lookup(mark)
	if _, digests := f.Schema().Lookup("digest"); !has && digests { // nobody else has such a column
		return errors.New("it is damaged: it has the columns of this tool, and does not say of which version")
	}
	if !has {
		return errForeign
	}
	if v, err := strconv.Atoi(text); err != nil || v > version {
		return fmt.Errorf("it is of a newer version of disagg (columns %s): use that one", text)
	}
	return nil
}

// texts are the values of a column of texts.
func texts(f *pq.File, column string) (list []string, err error) {
	leaf, has := f.Schema().Lookup(column)
	if !has {
		return nil, fmt.Errorf("it is damaged: it has no column %s", column)
	}
	for _, group := range f.RowGroups() {
		if list, err = chunkTexts(group.ColumnChunks()[leaf.ColumnIndex], list); err != nil {
			return nil, fmt.Errorf("it is damaged: column %s: %w", column, err)
		}
	}
	return list, nil
}

func chunkTexts(chunk pq.ColumnChunk, list []string) (_ []string, err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list, err = pageTexts(page, list)
		pq.Release(page)
		if err != nil {
			return nil, err
		}
	}
}

func pageTexts(page pq.Page, list []string) ([]string, error) {
	values := page.Values()
	var some [64]pq.Value // and not as many as a page says it has
	for {
		n, err := values.ReadValues(some[:])
		for _, v := range some[:n] {
			list = append(list, string(v.ByteArray()))
		}
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
