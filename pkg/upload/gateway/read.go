package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

// page is how many documents one answer has.
const page = 1000

type object = map[string]any

// answer is what a search finds.
type answer struct {
	Hits struct {
		Hits []struct {
			ID     string `json:"_id"`
			Source struct {
				ID     string `json:"s_id"`
				Digest string `json:"s_digest"`
				Record string `json:"s_record"`
			} `json:"_source"`
			Sort []json.RawMessage `json:"sort"`
		} `json:"hits"`
	} `json:"hits"`
}

func (s *sink) search(ctx context.Context, body object) (a answer, err error) {
	err = s.client.JSON(ctx, http.MethodGet, "/opensearch/df-"+s.project+"-*/_search", body, &a)
	return a, rest.Refused(err)
}

// Stored implements [upload.Sink]. The database shows what it was sent after a moment: what it does not show yet is
// looked for again before it is sent again.
func (s *sink) Stored(ctx context.Context, records []results.Record) (map[string]string, error) {
	found := map[string]string{}
	for part := range slices.Chunk(upload.IDs(records), page) {
		a, err := s.search(ctx, object{
			"size": len(part), "query": object{"bool": object{"filter": []object{{"terms": object{"s_id": part}}}}},
			"_source": []string{"s_id", "s_digest"},
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read records: %w", err)
		}
		for _, h := range a.Hits.Hits {
			found[h.Source.ID] = h.Source.Digest
		}
	}
	return found, nil
}

// History implements [upload.Sink]. Documents that others have sent have no record, and are passed over.
func (s *sink) History(ctx context.Context, q upload.Query) (list []results.Record, err error) {
	filter := []object{{"exists": object{"field": recordField}}}
	if len(q.Series) > 0 {
		filter = append(filter, object{"terms": object{"s_series": q.Series}})
	}
	between := object{}
	if !q.Since.IsZero() {
		between["gte"] = q.Since.UnixMilli()
	}
	if !q.Before.IsZero() {
		between["lte"] = q.Before.UnixMilli() // what is of the same millisecond is looked at below
	}
	if len(between) > 0 {
		filter = append(filter, object{"range": object{"ts_run": between}})
	}
	body := object{
		"size": page, "query": object{"bool": object{"filter": filter}}, "_source": []string{recordField},
		"sort": []object{{"ts_run": object{"order": "asc"}}, {"s_id": object{"order": "asc"}}},
	}
	for {
		a, err := s.search(ctx, body)
		if err != nil {
			return nil, fmt.Errorf("cannot read the history: %w", err)
		}
		for _, h := range a.Hits.Hits {
			var r results.Record
			if json.Unmarshal([]byte(h.Source.Record), &r) == nil {
				list = append(list, r)
			}
		}
		n := len(a.Hits.Hits)
		if n < page {
			return q.Select(list), nil
		}
		body["search_after"] = a.Hits.Hits[n-1].Sort
	}
}
