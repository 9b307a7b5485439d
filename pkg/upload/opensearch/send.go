package opensearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

// ndjson is the type of a body of several lines.
const ndjson = "application/x-ndjson"

const (
	// recordField is where a document has its record, as a text: the cluster need not look into it.
	recordField = "s_record"
	// timeField is when a record was measured, in nanoseconds since 1970.
	timeField = "l_measured_ns"
)

// document is what is stored of a record.
func document(r results.Record) (object, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	doc := results.Document(r)
	doc["@timestamp"] = r.MeasuredAt.UTC().Format(time.RFC3339Nano)
	doc[timeField] = r.MeasuredAt.UnixNano()
	doc[recordField] = string(text)
	return doc, nil
}

// outcome is what the cluster says of one document.
type outcome struct {
	Create struct {
		ID     string  `json:"_id"`
		Status int     `json:"status"`
		Error  *reason `json:"error"`
	} `json:"create"`
}

// Send implements [upload.Sink].
func (s *sink) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	var body bytes.Buffer
	lines := json.NewEncoder(&body) // each value on a line of its own, the last one too
	for _, r := range records {
		action := object{"create": object{"_index": s.indexOf(r.MeasuredAt), "_id": r.ID}}
		doc, err := document(r)
		if err = errors.Join(err, lines.Encode(action), lines.Encode(doc)); err != nil {
			return upload.Same(len(records), upload.Failed(upload.Apart, fmt.Errorf("cannot encode: %w", err)))
		}
	}
	var answer struct {
		Items []outcome `json:"items"`
	}
	data, err := s.client.Do(ctx, http.MethodPost, "/_bulk", ndjson, body.Bytes())
	if err == nil {
		err = json.Unmarshal(data, &answer)
	}
	if err != nil {
		return upload.Same(len(records), rest.Outcome(err))
	}
	outcomes := make([]upload.Outcome, len(records))
	for i, r := range records {
		if i >= len(answer.Items) || answer.Items[i].Create.ID != r.ID {
			outcomes[i] = upload.Failed(upload.Later, fmt.Errorf("the server says nothing about %s", r.ID))
			continue
		}
		if outcomes[i] = answer.Items[i].fate(); answer.Items[i].Create.Status == http.StatusCreated {
			s.made.Store(r.ID, r.Digest())
		}
	}
	return outcomes
}

// fate is what becomes of one document. One that is there already is kept: the drain looks whether it is the same.
func (o outcome) fate() upload.Outcome {
	why := fmt.Errorf("the server says %d", o.Create.Status)
	if o.Create.Error != nil {
		why = fmt.Errorf("%w: %s", why, o.Create.Error)
	}
	switch status := o.Create.Status; {
	case status == http.StatusOK, status == http.StatusCreated, status == http.StatusConflict:
		return upload.Outcome{}
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge:
		return upload.Failed(upload.Never, why)
	case status == http.StatusUnauthorized, status == http.StatusForbidden && !o.blocked():
		return upload.Failed(upload.Denied, why)
	}
	return upload.Failed(upload.Later, why)
}

// blocked tells whether the cluster takes nothing for now, such as when its disks are full.
func (o outcome) blocked() bool {
	return o.Create.Error != nil && o.Create.Error.Type == "cluster_block_exception"
}
