package opensearch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/rest"
)

const form = "opensearch://USER@HOST:PORT/INDEX-PREFIX?password_env=NAME"

// Scheme is the sink's kind.
func Scheme() upload.Scheme {
	return upload.Scheme{
		Name: "opensearch", Form: form, About: "documents of an OpenSearch cluster", Check: check, Open: open,
	}
}

// options are those of a URL, with their values if only some are good.
var options = map[string][]string{
	"tls": {"on", "off"}, "password_env": nil, "password_file": nil, "token_env": nil, "token_file": nil,
}

func check(u *url.URL) error {
	prefix := prefixOf(u)
	switch {
	case u.Host == "":
		return errors.New("it names no host")
	case prefix == "" || prefix != strings.ToLower(prefix) || strings.ContainsAny(prefix, ` /\*?"<>|,#:`) ||
		strings.HasPrefix(prefix, "_") || strings.HasPrefix(prefix, "-"):
		return fmt.Errorf("%q is no prefix of an index", prefix)
	}
	for key, values := range u.Query() {
		good, known := options[key]
		switch {
		case !known:
			return fmt.Errorf("unknown option %q", key)
		case len(good) > 0 && !slices.Contains(good, values[0]):
			return fmt.Errorf("%s is %q: want one of %s", key, values[0], strings.Join(good, ", "))
		}
	}
	return nil
}

func prefixOf(u *url.URL) string { return strings.TrimPrefix(u.Path, "/") }

// sink is an open cluster.
type sink struct {
	client *rest.Client
	prefix string
	// made are the ids of documents that this sink has created, with their digests: of these only has to be asked
	// whether they are there.
	made sync.Map
}

func open(ctx context.Context, u *url.URL) (upload.Sink, error) {
	s, err := connect(u)
	if err == nil {
		err = s.template(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", u.Redacted(), err)
	}
	return s, nil
}

func connect(u *url.URL) (*sink, error) {
	password, err := upload.Credential(u, "password")
	if err != nil {
		return nil, err
	}
	token, err := upload.Credential(u, "token")
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	switch {
	case token != "":
		header.Set("Authorization", "Bearer "+token)
	case u.User != nil:
		both := u.User.Username() + ":" + password
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(both)))
	}
	scheme := "https"
	if u.Query().Get("tls") == "off" {
		scheme = "http"
	}
	return &sink{client: rest.New(scheme+"://"+u.Host, header, explained), prefix: prefixOf(u)}, nil
}

// Close implements [upload.Sink].
func (s *sink) Close() error {
	s.client.Close()
	return nil
}

// reason is an error as OpenSearch writes it.
type reason struct {
	Type   string  `json:"type"`
	Reason string  `json:"reason"`
	Cause  *reason `json:"caused_by"`
}

// String is the error with what caused it.
func (r reason) String() string {
	text := r.Type + ": " + r.Reason
	if r.Cause != nil {
		text += " (" + r.Cause.String() + ")"
	}
	return text
}

// explained is the error that an answer has, "" if it has none.
func explained(body []byte) string {
	var said struct {
		Error reason `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error.Type == "" {
		return ""
	}
	return said.Error.String()
}

// indexOf is the index of a record, by its time.
func (s *sink) indexOf(at time.Time) string { return s.prefix + "-" + strconv.Itoa(at.UTC().Year()) }

// indices is a pattern of all of them.
func (s *sink) indices() string { return s.prefix + "-*" }
