// Package gateway is the sink for the gateway that stands before upstream's performance database.
//
// Rules:
//   - It takes an array of documents at once, and says nothing of each: an array that is refused is sent in parts, so
//     that one bad document loses no other, and what is accepted is sent once it was found again by a search.
//   - A document's id is the record's, so that sending again replaces it by the same.
//   - Time-outs and the like are tried again by the drain, not here.
//
// Source: upstream's client (jenkins/scripts/open_search_db.py of TensorRT-LLM): POST /dataflow2/PROJECT/posting with a
// JSON array and Proxy-Authorization, 200, 201 or 202 for success; GET /opensearch/df-PROJECT-*/_search with a body.
package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/results"
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

const form = "trtllm-gateway://HOST/PROJECT?user_env=NAME&password_env=NAME"

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "trtllm-gateway", Form: form, About: "upstream's performance database, through its gateway", Check: check,
		Open: open,
	}
}

var options = []string{"tls", "user_env", "user_file", "password_env", "password_file"}

func check(u *url.URL) error {
	project := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Host == "":
		return errors.New("it names no host")
	case project == "" || strings.ContainsAny(project, "/*?"):
		return errors.New("it names no project")
	}
	for key, values := range u.Query() {
		if !slices.Contains(options, key) {
			return fmt.Errorf("unknown option %q", key)
		}
		if key == "tls" && values[0] != "on" && values[0] != "off" {
			return fmt.Errorf("tls is %q: want on or off", values[0])
		}
	}
	return nil
}

type sink struct {
	client  *rest.Client
	project string
}

func open(_ context.Context, u *url.URL) (upload.Sink, error) {
	user, err := upload.Credential(u, "user")
	if err != nil {
		return nil, err
	}
	password, err := upload.Credential(u, "password")
	if err != nil {
		return nil, err
	}
	header := http.Header{"Accept-Charset": {"UTF-8"}}
	if user != "" {
		header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	scheme := "https"
	if u.Query().Get("tls") == "off" {
		scheme = "http"
	}
	return &sink{
		client: rest.New(scheme+"://"+u.Host, header, nil), project: strings.TrimPrefix(u.Path, "/"),
	}, nil
}

// Close implements [upload.Sink].
func (s *sink) Close() error {
	s.client.Close()
	return nil
}

// recordField is where a document has its record, as a text: upstream's database types fields by their prefixes.
const recordField = "s_record"

// Send implements [upload.Sink].
func (s *sink) Send(ctx context.Context, records []results.Record) []upload.Outcome {
	docs := make([]map[string]any, len(records))
	for i, r := range records {
		docs[i] = results.Document(r)
		text, err := json.Marshal(r)
		if err != nil {
			return upload.Same(len(records), upload.Failed(upload.Apart, err))
		}
		docs[i]["_id"], docs[i][recordField] = r.ID, string(text)
	}
	if err := s.client.JSON(ctx, http.MethodPost, "/dataflow2/"+s.project+"/posting", docs, nil); err != nil {
		return upload.Same(len(records), rest.Outcome(err))
	}
	return upload.Same(len(records), upload.Outcome{})
}
