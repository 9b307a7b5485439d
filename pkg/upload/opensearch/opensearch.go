package opensearch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	client "github.com/opensearch-project/opensearch-go/v4"

	"github.com/disagg/disagg/pkg/upload"
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

// requestBound is how long one request may take.
const requestBound = 30 * time.Second

// sink is an open cluster.
type sink struct {
	client *client.Client
	prefix string
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
	address := url.URL{Scheme: "https", Host: u.Host}
	if u.Query().Get("tls") == "off" {
		address.Scheme = "http"
	}
	never := false
	c := client.Config{
		Addresses: []string{address.String()}, DisableRetry: true, RequestTimeout: requestBound, Header: http.Header{},
		DiscoverNodesOnStart: &never,
	}
	password, err := upload.Credential(u, "password")
	if err != nil {
		return nil, err
	}
	token, err := upload.Credential(u, "token")
	if err != nil {
		return nil, err
	}
	switch {
	case token != "":
		c.Header.Set("Authorization", "Bearer "+token)
	case u.User != nil:
		c.Username, c.Password = u.User.Username(), password
	}
	made, err := client.NewClient(c)
	return &sink{client: made, prefix: prefixOf(u)}, err
}

// Close implements [upload.Sink].
func (s *sink) Close() error {
	if t, ok := s.client.Transport.(interface{ Close() error }); ok {
		return t.Close()
	}
	return nil
}

// indexOf is the index of a record, by its time.
func (s *sink) indexOf(at time.Time) string { return s.prefix + "-" + strconv.Itoa(at.UTC().Year()) }

// indices is a pattern of all of them.
func (s *sink) indices() string { return s.prefix + "-*" }
