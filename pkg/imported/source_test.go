package imported_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/disagg/disagg/pkg/imported"
	"github.com/disagg/disagg/pkg/protocol"
)

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// The hash is of the whole content, with the ends of lines as they are and what stands after the result.
func TestHashOfLog(t *testing.T) {
	for _, text := range []string{
		log, strings.ReplaceAll(log, "\n", "\r\n"), log + "more", "\n\n" + log,
	} {
		r, err := imported.Log(source("/a/x.log", text), imported.Labels{Case: "c"})
		if err != nil || r.Provenance.Imported.SHA256 != sha(text) || r.RunID != "import-"+sha(text)[:12] {
			t.Errorf("%d bytes: %+v, %v", len(text), r.Provenance.Imported, err)
		}
	}
	long := strings.Repeat("x", 3<<20) + "\n" + log // more than is read at once
	if r, err := imported.OfRun(ourPlan(), "r", "", imported.Place{Index: 1}, source("x", long)); err != nil ||
		r.Provenance.Imported.SHA256 != sha(long) || r.Point.Successful != 32 {
		t.Errorf("%+v, %v", r.Provenance.Imported, err)
	}
	text := example(t, "first.json")
	list, _ := rows(t, text, imported.Labels{})
	want := protocol.Import{File: "/r/agg.json", SHA256: sha(text), Dated: protocol.ByFile}
	if diff := cmp.Diff(&want, list[0].Provenance.Imported); diff != "" {
		t.Error(diff)
	}
}

// A result file has a size that such files have; one byte more, or no end, is refused before it is looked into.
func TestLargestFile(t *testing.T) {
	const most = 64 << 20
	s := source("x.json", strings.Repeat(" ", most+1))
	if _, _, err := imported.Rows(s, imported.Labels{}); err == nil ||
		err.Error() != "cannot read x.json: it has more than 67108864 bytes" {
		t.Errorf("%v", err)
	}
}

// Lists in lists are one list; what is no object is refused by its place, and keeps no row back.
func TestPlacesOfRows(t *testing.T) {
	const row = `{"conc": 8, "model": "m", "tput_per_gpu": 5, "tp": 1}`
	list, refused := rows(t, `[[], [[`+row+`], 7], null, "x", [`+row+`]]`, imported.Labels{})
	want := []string{"row 2: model is missing", "row 3: model is missing", "row 4: model is missing"}
	if diff := cmp.Diff(want, refused); diff != "" || len(list) != 2 || list[0].ID != list[1].ID {
		t.Errorf("%d records, %s", len(list), diff)
	}
}

// What the one who imports says comes first, then what the content says, then what the folder is called.
func TestLabels(t *testing.T) {
	for name, tt := range map[string]struct {
		path             string
		l                imported.Labels
		caseName, id, of string
	}{
		"the folder": {
			folder + "x.log", imported.Labels{}, "gb200_tiny_con2048_ctx1_gen1", folder[5 : len(folder)-1], "gen_only",
		},
		"a case":      {folder + "x.log", imported.Labels{Case: "own"}, "own", "own", ""},
		"an id":       {"/a/x.log", imported.Labels{TestID: "disagg-e2e-c"}, "c", "disagg-e2e-c", "e2e"},
		"another id":  {"/a/x.log", imported.Labels{TestID: "free text"}, "free text", "free text", ""},
		"both":        {"/a/x.log", imported.Labels{Case: "own", TestID: "disagg-e2e-c"}, "own", "disagg-e2e-c", "e2e"},
		"both, plain": {"/a/x.log", imported.Labels{Case: "own", TestID: "t"}, "own", "t", ""},
	} {
		r, err := imported.Log(source(tt.path, log), tt.l)
		if err != nil || r.Case != tt.caseName || r.TestID != tt.id || r.Mode != tt.of {
			t.Errorf("%s: %q, %q, %q, %v", name, r.Case, r.TestID, r.Mode, err)
		}
	}
	l := imported.Labels{Case: "c", Run: "r", User: "u", Tool: "v1", Tags: []string{"a"}, Note: "n"}
	r, err := imported.Log(source("/a/x.log", log), l)
	if err != nil || r.RunID != "r" || r.Provenance.User != "u" || r.Provenance.Tool != "v1" ||
		r.Provenance.Note != "n" || !cmp.Equal(r.Provenance.Tags, l.Tags) {
		t.Errorf("%+v, %v", r, err)
	}
}

// A client that says one concurrency twice has run once; 0, and what is not a number, says nothing.
func TestConcurrencyOfLog(t *testing.T) {
	_, silent, _ := strings.Cut(log, "Maximum request concurrency: 8\n")
	for _, tt := range []struct{ path, text, want string }{
		{"/a/x.log", "max_concurrency=8\nmax_concurrency=8\n" + silent, "8"},
		{"/con4/x.log", "max_concurrency=0\n" + silent, "4"},
		{"/con4/x.log", "max_concurrency=99999999999999999999\n" + silent, "4"},
		{"/con4/con5.log", silent, "5"}, {"/a/CON5.log", silent, ""}, {"/a/falcon5.log", silent, ""},
		{"/a/x_conc_7_y.log", silent, "7"}, {"/con0/con0.log", silent, ""}, {"/a/con1", silent, "1"},
		{"/a/con99999999999999999999.log", silent, ""},
	} {
		r, err := imported.Log(source(tt.path, tt.text), imported.Labels{Case: "c"})
		got := ""
		if err == nil {
			got = strings.TrimPrefix(strings.Split(r.Series(), "|")[1], "con")
		}
		if got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.path, got, err, tt.want)
		}
	}
}

// Rounds are known where each of the concurrent users had the same number of requests.
func TestRoundsOfLog(t *testing.T) {
	for users, want := range map[string]int{"8": 4, "32": 1, "5": 0, "33": 0} {
		text := strings.NewReplacer("max_concurrency=8", "x", "concurrency: 8", "concurrency: "+users).Replace(log)
		r, err := imported.Log(source("/a/x.log", text), imported.Labels{Case: "c"})
		if err != nil || r.Load.Rounds != want {
			t.Errorf("%s: %d rounds, %v, want %d", users, r.Load.Rounds, err, want)
		}
	}
}

// A later measurement on the same servers is another point, with an id of its own, and warm.
func TestMeasurementsOfRun(t *testing.T) {
	p := ourPlan()
	var ids []string
	for n := range 3 {
		r, err := imported.OfRun(p, p.RunID(0), "", imported.Place{Index: 1, Measurement: n}, source("/r/x.log", log))
		want := p.Record(p.RunID(0), "", protocol.Point{Index: 1, Concurrency: 8, Measurement: n}, written)
		if err != nil || r.Point.Measurement != n || r.ID != want.ID || r.Provenance.Warm != (n > 0) {
			t.Errorf("%d: %+v, %v", n, r, err)
		}
		ids = append(ids, r.ID)
	}
	if ids[0] == ids[1] || ids[1] == ids[2] {
		t.Errorf("%v", ids)
	}
}
