package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

// page is how many documents one answer has: OpenSearch gives no more than 10,000.
const page = 1000

// fewRecords are got sooner than all documents are made visible.
const fewRecords = 50

// answer is what a search finds.
type answer struct {
	Hits struct {
		Hits []struct {
			ID     string `json:"_id"`
			Source struct {
				Digest string `json:"s_digest"`
				Record string `json:"s_record"`
			} `json:"_source"`
			Sort []json.RawMessage `json:"sort"`
		} `json:"hits"`
	} `json:"hits"`
	Aggregations struct {
		Series struct {
			Buckets []struct {
				Key string `json:"key"`
			} `json:"buckets"`
		} `json:"series"`
	} `json:"aggregations"`
	Error *reason `json:"error"` // of one of several searches
}

func (s *sink) search(ctx context.Context, body object) (a answer, err error) {
	err = s.client.JSON(ctx, http.MethodPost, "/"+s.indices()+"/_search", body, &a)
	return a, rest.Refused(err)
}

// refresh makes what was written visible to searches.
func (s *sink) refresh(ctx context.Context) error {
	return rest.Refused(s.client.JSON(ctx, http.MethodPost, "/"+s.indices()+"/_refresh", nil, nil))
}

// Stored implements [upload.Sink]. Documents are got by their ids, which sees what was written a moment ago, but reads
// each such document from the log of what was written: of many it is faster to have them all made visible first. Where
// that is not allowed, it goes without.
func (s *sink) Stored(ctx context.Context, records []results.Record) (map[string]string, error) {
	found := map[string]string{}
	if len(records) > fewRecords {
		_ = s.refresh(ctx)
	}
	for part := range slices.Chunk(records, page) {
		docs := make([]object, len(part))
		for i, r := range part {
			docs[i] = object{"_index": s.indexOf(r.MeasuredAt), "_id": r.ID, "_source": []string{"s_digest"}}
			if _, made := s.made.Load(r.ID); made {
				docs[i]["_source"] = false
			}
		}
		var got struct {
			Docs []struct {
				ID     string `json:"_id"`
				Found  bool   `json:"found"`
				Source struct {
					Digest string `json:"s_digest"`
				} `json:"_source"`
			} `json:"docs"`
		}
		if err := s.client.JSON(ctx, http.MethodPost, "/_mget", object{"docs": docs}, &got); err != nil {
			return nil, fmt.Errorf("cannot read records: %w", rest.Refused(err))
		}
		for _, d := range got.Docs {
			if !d.Found {
				continue
			}
			found[d.ID] = d.Source.Digest
			if digest, made := s.made.Load(d.ID); made {
				found[d.ID], _ = digest.(string)
			}
		}
	}
	return found, nil
}

// History implements [upload.Sink].
func (s *sink) History(ctx context.Context, q upload.Query) (list []results.Record, err error) {
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	if q.Limit > 0 {
		list, err = s.newest(ctx, q)
	} else {
		list, err = s.everything(ctx, q)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the history: %w", err)
	}
	return upload.Query{}.Select(list), nil
}

// condition is a query as the cluster understands it.
func condition(q upload.Query) object {
	filter := []object{{"exists": object{"field": timeField}}}
	if len(q.Series) > 0 {
		filter = append(filter, object{"terms": object{"s_series": q.Series}})
	}
	between := object{}
	if !q.Since.IsZero() {
		between["gte"] = q.Since.UnixNano()
	}
	if !q.Before.IsZero() {
		between["lt"] = q.Before.UnixNano()
	}
	if len(between) > 0 {
		filter = append(filter, object{"range": object{timeField: between}})
	}
	return object{"bool": object{"filter": filter}}
}

// sorted sorts by time and id, so that a page can go on after the one before.
func sorted(order string) []object {
	return []object{{timeField: object{"order": order, "unmapped_type": "long"}}, {"s_id": object{
		"order": order, "unmapped_type": "keyword",
	}}}
}

// everything reads page after page.
func (s *sink) everything(ctx context.Context, q upload.Query) (list []results.Record, err error) {
	body := object{"size": page, "query": condition(q), "sort": sorted("asc"), "_source": []string{recordField}}
	for {
		a, err := s.search(ctx, body)
		if err != nil {
			return nil, err
		}
		if list, err = a.records(list); err != nil {
			return nil, err
		}
		n := len(a.Hits.Hits)
		if n < page {
			return list, nil
		}
		body["search_after"] = a.Hits.Hits[n-1].Sort
	}
}

// records adds those of an answer to a list.
func (a answer) records(list []results.Record) ([]results.Record, error) {
	for _, h := range a.Hits.Hits {
		r, err := results.DecodeRecord(h.ID, []byte(h.Source.Record))
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// newest reads the newest records of each series, with one request of several searches.
func (s *sink) newest(ctx context.Context, q upload.Query) (list []results.Record, err error) {
	if len(q.Series) == 0 {
		if q.Series, err = s.series(ctx, q); err != nil || len(q.Series) == 0 {
			return nil, err
		}
	}
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	for _, name := range q.Series {
		one := q
		one.Series = []string{name}
		for _, v := range []object{{}, {
			"size": min(q.Limit, 10*page), "query": condition(one), "sort": sorted("desc"),
			"_source": []string{recordField},
		}} {
			if err := lines.Encode(v); err != nil {
				return nil, err
			}
		}
	}
	var answers struct {
		Responses []answer `json:"responses"`
	}
	data, err := s.client.Do(ctx, http.MethodPost, "/"+s.indices()+"/_msearch", ndjson, body.Bytes())
	if err != nil {
		return nil, rest.Refused(err)
	}
	if err := json.Unmarshal(data, &answers); err != nil {
		return nil, err
	}
	for _, a := range answers.Responses {
		if a.Error != nil {
			return nil, fmt.Errorf("the server says: %s", a.Error)
		}
		if list, err = a.records(list); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// series are the names of all series that a query finds.
func (s *sink) series(ctx context.Context, q upload.Query) (names []string, err error) {
	a, err := s.search(ctx, object{
		"size": 0, "query": condition(q),
		"aggs": object{"series": object{"terms": object{"field": "s_series", "size": 10 * page}}},
	})
	for _, b := range a.Aggregations.Series.Buckets {
		names = append(names, b.Key)
	}
	return names, err
}
