package opensearch

import (
	"context"
	"errors"
	"net/http"

	"github.com/disagg/disagg/pkg/upload/rest"
)

// templateVersion is that of the index template. A newer one in the cluster is left alone.
const templateVersion = 1

// template makes the cluster type the fields of our indices by their prefixes, if it does not do so yet.
func (s *sink) template(ctx context.Context) error {
	var there struct {
		Templates []struct {
			Template struct {
				Version int `json:"version"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	path := "/_index_template/" + s.prefix
	err := s.client.JSON(ctx, http.MethodGet, path, nil, &there)
	var e *rest.StatusError
	switch {
	case err == nil && len(there.Templates) > 0 && there.Templates[0].Template.Version >= templateVersion:
		return nil
	case errors.As(err, &e) && e.Status == http.StatusForbidden:
		return nil // who may only write finds what others have prepared
	case err != nil && !(errors.As(err, &e) && e.Status == http.StatusNotFound):
		return rest.Refused(err)
	}
	return rest.Refused(s.client.JSON(ctx, http.MethodPut, path, s.definition(), nil))
}

type object = map[string]any

// definition is the template: numbers are numbers however they are written, and texts are for exact search.
func (s *sink) definition() object {
	var dynamic []object
	for _, f := range []struct {
		prefix string
		typed  object
	}{
		{"l_", object{"type": "long"}},
		{"d_", object{"type": "double"}},
		{"s_", object{"type": "keyword", "ignore_above": 8191}},
		{"b_", object{"type": "boolean"}},
		{"ts_", object{"type": "date", "format": "epoch_millis"}},
		{"flat_", object{"type": "flat_object"}},
		{"ni_", object{"type": "keyword"}},
	} {
		dynamic = append(dynamic, object{f.prefix: object{"match": f.prefix + "*", "mapping": f.typed}})
	}
	return object{
		"index_patterns": []string{s.indices()}, "version": templateVersion, "priority": 100,
		"template": object{
			"settings": object{"index": object{
				"number_of_shards": 1, "auto_expand_replicas": "0-1",
				"mapping": object{"total_fields": object{"limit": 2000}},
			}},
			"mappings": object{
				"dynamic_templates": dynamic,
				"properties": object{
					"@timestamp": object{"type": "date"},
					recordField:  object{"type": "keyword", "index": false, "doc_values": false},
				},
			},
		},
	}
}
