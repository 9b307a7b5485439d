package fakesearch

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// bulk is a request of _bulk with `create` alone.
func (s *Server) bulk(body []byte, f Fault) (int, any) {
	if !bytes.HasSuffix(body, []byte("\n")) {
		return http.StatusBadRequest, refusal("illegal_argument_exception",
			"The bulk request must be terminated by a newline [\\n]")
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if len(lines)%2 != 0 {
		return http.StatusBadRequest, refusal("illegal_argument_exception", "a line is missing")
	}
	if f.Most > 0 && len(lines)/2 > f.Most {
		return http.StatusRequestEntityTooLarge, refusal("too_large", "too many documents")
	}
	items, errors := []object{}, false
	for i := 0; i < len(lines); i += 2 {
		var action struct {
			Create struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			} `json:"create"`
		}
		if err := json.Unmarshal(lines[i], &action); err != nil || !json.Valid(lines[i+1]) {
			return http.StatusBadRequest, refusal("x_content_parse_exception", "a line is not JSON")
		}
		item := object{"_index": action.Create.Index, "_id": action.Create.ID}
		if planted := f.Items[i/2]; planted != 0 {
			item["status"], item["error"] = planted, object{"type": "planted", "reason": "a fault of the test"}
			errors = true
		} else {
			status, fault := s.create(action.Create.Index, action.Create.ID, lines[i+1])
			item["status"] = status
			if fault != nil {
				item["error"], errors = *fault, true
			}
		}
		items = append(items, object{"create": item})
	}
	return http.StatusOK, object{"took": 1, "errors": errors, "items": items}
}

func refusal(kind, reason string) object {
	return object{"error": object{"type": kind, "reason": reason}, "status": http.StatusBadRequest}
}

// posting is a request to upstream's gateway: an array of documents, of which one bad one refuses all. A document whose
// id is there takes its place.
func (s *Server) posting(project string, body []byte, f Fault) (int, any) {
	var docs []json.RawMessage
	if json.Unmarshal(body, &docs) != nil {
		return http.StatusBadRequest, refusal("parse", "it is no array")
	}
	if f.Most > 0 && len(docs) > f.Most {
		return http.StatusRequestEntityTooLarge, refusal("too_large", "too many documents")
	}
	index := "df-" + project + "-2026"
	for _, d := range docs {
		var fields map[string]any
		if json.Unmarshal(d, &fields) != nil || fields["_id"] == nil || fields["s_poison"] != nil {
			return http.StatusBadRequest, refusal("parse", "a document is bad")
		}
	}
	for _, d := range docs {
		var fields map[string]any
		_ = json.Unmarshal(d, &fields)
		id, _ := fields["_id"].(string)
		s.mu.Lock()
		if docs := s.indices[index]; docs != nil {
			delete(docs, id)
		}
		s.mu.Unlock()
		s.create(index, id, d)
	}
	return http.StatusAccepted, object{"accepted": len(docs)}
}
