package fakesearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// refresh makes everything visible to searches.
func (s *Server) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, docs := range s.indices {
		for _, d := range docs {
			d.visible = true
		}
	}
}

// refreshGateway: who can only search waits for the node's own refresh, which here comes at once.
func (s *Server) refreshGateway(parts []string) {
	if parts[0] == "opensearch" {
		s.refresh()
	}
}

// query is the part of the search language that the sinks use.
type query struct {
	Size        *int                `json:"size"`
	Query       clause              `json:"query"`
	Sort        []map[string]direct `json:"sort"`
	SearchAfter []json.RawMessage   `json:"search_after"`
	Aggs        map[string]any      `json:"aggs"`
}

type direct struct {
	Order string `json:"order"`
}

type clause struct {
	Bool *struct {
		Filter []clause `json:"filter"`
		Must   []clause `json:"must"`
	} `json:"bool"`
	Exists *struct {
		Field string `json:"field"`
	} `json:"exists"`
	IDs *struct {
		Values []string `json:"values"`
	} `json:"ids"`
	Terms map[string][]any            `json:"terms"`
	Term  map[string]any              `json:"term"`
	Range map[string]map[string]int64 `json:"range"`
}

func (c clause) matches(id string, d *document) bool {
	if c.Bool != nil {
		for _, sub := range append(slices.Clone(c.Bool.Filter), c.Bool.Must...) {
			if !sub.matches(id, d) {
				return false
			}
		}
	}
	if c.Exists != nil && d.fields[c.Exists.Field] == nil {
		return false
	}
	if c.IDs != nil && !slices.Contains(c.IDs.Values, id) {
		return false
	}
	for field, values := range c.Terms {
		if !slices.Contains(values, d.fields[field]) {
			return false
		}
	}
	for field, value := range c.Term {
		if d.fields[field] != value {
			return false
		}
	}
	for field, bounds := range c.Range {
		n := integer(d, field)
		for op, bound := range bounds {
			if op == "gte" && n < bound || op == "lt" && n >= bound || op == "lte" && n > bound || op == "gt" &&
				n <= bound {
				return false
			}
		}
	}
	return true
}

// integer is a field's number without the loss of a floating point number.
func integer(d *document, field string) (n int64) {
	if d.texts == nil {
		_ = json.Unmarshal(d.source, &d.texts)
		d.integers = map[string]int64{}
	}
	n, known := d.integers[field]
	if !known {
		_ = json.Unmarshal(d.texts[field], &n)
		d.integers[field] = n
	}
	return n
}

type hit struct {
	id    string
	index string
	doc   *document
}

func (s *Server) find(pattern string, body []byte) (int, any) {
	var q query
	if len(body) > 0 {
		if err := json.Unmarshal(body, &q); err != nil {
			return http.StatusBadRequest, refusal("parsing_exception", err.Error())
		}
	}
	size := 10
	if q.Size != nil {
		size = *q.Size
	}
	if size > 10_000 {
		return http.StatusBadRequest, refusal("illegal_argument_exception", "Result window is too large")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var hits []hit
	for index, docs := range s.indices {
		if ok, _ := path.Match(pattern, index); !ok {
			continue
		}
		for id, d := range docs {
			if d.visible && q.Query.matches(id, d) {
				hits = append(hits, hit{id, index, d})
			}
		}
	}
	slices.SortFunc(hits, q.compare)
	if len(q.SearchAfter) > 0 {
		after := q.after()
		hits = slices.DeleteFunc(hits, func(h hit) bool { return q.compare(h, after) <= 0 })
	}
	return http.StatusOK, object{"hits": object{"hits": q.shown(hits, size)}, "aggregations": aggregated(hits)}
}

// compare orders two hits as the query wants, else by their ids.
func (q query) compare(a, b hit) int {
	for _, by := range q.Sort {
		for field, d := range by {
			var c int
			if strings.HasPrefix(field, "l_") || strings.HasPrefix(field, "ts_") {
				c = int(min(max(integer(a.doc, field)-integer(b.doc, field), -1), 1))
			} else {
				c = strings.Compare(fmt.Sprint(a.doc.fields[field]), fmt.Sprint(b.doc.fields[field]))
			}
			if d.Order == "desc" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
	}
	if len(q.Sort) > 0 {
		return 0
	}
	return strings.Compare(a.id, b.id)
}

// after is a hit with the values that a page goes on behind.
func (q query) after() hit {
	texts, fields := map[string]json.RawMessage{}, map[string]any{}
	for i, by := range q.Sort {
		for field := range by {
			texts[field] = q.SearchAfter[i]
			var v any
			_ = json.Unmarshal(q.SearchAfter[i], &v)
			fields[field] = v
		}
	}
	source, _ := json.Marshal(texts) // from which numbers are read, so that none is rounded
	return hit{doc: &document{fields: fields, source: source}}
}

func (q query) shown(hits []hit, size int) []object {
	shown := []object{}
	for _, h := range hits[:min(len(hits), size)] {
		values := []any{}
		for _, by := range q.Sort {
			for field := range by {
				if strings.HasPrefix(field, "l_") || strings.HasPrefix(field, "ts_") {
					values = append(values, integer(h.doc, field))
				} else {
					values = append(values, h.doc.fields[field])
				}
			}
		}
		shown = append(shown, object{"_id": h.id, "_index": h.index, "_source": h.doc.source, "sort": values})
	}
	return shown
}

// aggregated are the names of series, the one aggregation that is asked for.
func aggregated(hits []hit) object {
	seen, buckets := map[any]bool{}, []object{}
	for _, h := range hits {
		if name := h.doc.fields["s_series"]; name != nil && !seen[name] {
			seen[name] = true
			buckets = append(buckets, object{"key": name})
		}
	}
	return object{"series": object{"buckets": buckets}}
}

func (s *Server) searched(w http.ResponseWriter, pattern string, body []byte) {
	status, answer := s.find(pattern, body)
	reply(w, status, answer)
}

// searches is several searches in one request: a header and a body each.
func (s *Server) searches(w http.ResponseWriter, pattern string, body []byte) {
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	answers := []any{}
	for i := 1; i < len(lines); i += 2 {
		_, answer := s.find(pattern, lines[i])
		answers = append(answers, answer)
	}
	reply(w, http.StatusOK, object{"responses": answers})
}

// gets are documents by their ids, also those that no search sees yet.
func (s *Server) gets(w http.ResponseWriter, body []byte) {
	var q struct {
		Docs []struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		} `json:"docs"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		fail(w, http.StatusBadRequest, "parsing_exception", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	docs := []object{}
	for _, asked := range q.Docs {
		got := object{"_index": asked.Index, "_id": asked.ID, "found": false}
		if d := s.indices[asked.Index][asked.ID]; d != nil {
			got["found"], got["_source"] = true, d.source
		}
		docs = append(docs, got)
	}
	reply(w, http.StatusOK, object{"docs": docs})
}
