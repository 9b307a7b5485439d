package imported

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/disagg/disagg/pkg/protocol"
	"github.com/disagg/disagg/pkg/results"
)

// Rows makes records of a result file of InferenceX: one object, or a list of them. The error is of the file as a
// whole, refused tells of rows.
func Rows(s Source, l Labels) (records []results.Record, refused []error, err error) {
	data, sum, err := s.all()
	if err != nil {
		return nil, nil, err
	}
	objects, err := decodeRows(data)
	if err != nil {
		return nil, nil, err
	}
	for i, fields := range objects {
		rec, err := (&row{fields: fields}).record(s, sum, l)
		if err != nil {
			refused = append(refused, fmt.Errorf("row %d: %w", i+1, err))
			continue
		}
		records = append(records, rec)
	}
	return records, refused, nil
}

// decodeRows lists the objects of a file: their collector puts what it finds in files into a list, lists too.
func decodeRows(data []byte) (rows []map[string]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var all any
	if err := decoder.Decode(&all); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it is not JSON: something follows its first value")
	}
	var add func(any)
	add = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				add(e)
			}
		case map[string]any:
			rows = append(rows, v)
		default:
			rows = append(rows, nil)
		}
	}
	add(all)
	for _, r := range rows {
		if r["tput_per_gpu"] != nil {
			return rows, nil
		}
	}
	return nil, errors.New("it has no result of InferenceX: no object has a tput_per_gpu")
}

// row reads the fields of one object. The first fault is kept.
type row struct {
	fields map[string]any
	fault  error
}

func (r *row) wrong(name, want string) {
	if r.fault != nil {
		return
	}
	if v := r.fields[name]; v == nil {
		r.fault = fmt.Errorf("%s is missing", name)
	} else {
		r.fault = fmt.Errorf("%s is %.40v: want %s", name, v, want)
	}
}

// text is a field that may be missing.
func (r *row) text(name string) string {
	switch v := r.fields[name].(type) {
	case nil:
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		r.wrong(name, "text")
	}
	return ""
}

// count is a whole number; a field that is missing has the value that is given, if it is at least least.
func (r *row) count(name string, least, missing int) int {
	n, ok := missing, true
	switch v := r.fields[name].(type) {
	case nil:
	case json.Number:
		i, err := strconv.Atoi(v.String())
		n, ok = i, err == nil
	default:
		ok = false
	}
	if !ok || n < least || n > math.MaxInt32 {
		r.wrong(name, fmt.Sprintf("a whole number from %d", least))
		return least
	}
	return n
}

// mostNumber is more than any result.
const mostNumber = 1e15

// number is a number from 0; ok is false if the field is missing.
func (r *row) number(name string) (v float64, ok bool) {
	switch text := r.fields[name].(type) {
	case nil:
		return 0, false
	case json.Number:
		if v, err := text.Float64(); err == nil && v >= 0 && v <= mostNumber {
			return v, true
		}
	}
	r.wrong(name, "a number from 0")
	return 0, false
}

// flag is yes or no, in JSON's words or as text; nil: the field is missing.
func (r *row) flag(name string) any {
	switch v := r.fields[name]; v {
	case nil, "":
	case true, "true", "True":
		return true
	case false, "false", "False":
		return false
	default:
		r.wrong(name, "true or false")
	}
	return nil
}

// dates are the ways in which a row may say when it was measured. One that names no zone is taken for UTC.
var dates = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "20060102-150405", time.DateOnly,
}

// measured tells when the row was measured, and where that comes from.
func (r *row) measured(file time.Time) (time.Time, protocol.TimeFrom) {
	text := r.text("date")
	if text == "" {
		return file, protocol.ByFile
	}
	for _, form := range dates {
		if at, err := time.Parse(form, text); err == nil && at.Year() > 0 {
			return at, protocol.ByContent
		}
	}
	r.wrong("date", "a date such as 2026-01-31 or 2026-01-31T10:00:00Z")
	return file, protocol.ByFile
}
