package opensearch_test

import (
	"testing"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/opensearch"
	"github.com/disagg/disagg/pkg/upload/sinktest"
	"github.com/disagg/disagg/test/server"
)

func TestMain(m *testing.M) { server.Main(m) }

// The sink keeps the contract of all sinks on a real node.
func TestRealNode(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Opener {
		return sinktest.OpenerOf(opensearch.Scheme(), server.OpenSearch(t))
	})
}

// A URL names a host and the prefix of indices, and has only options that are known.
func TestURLs(t *testing.T) {
	r := upload.Registry{opensearch.Scheme()}
	for address, good := range map[string]bool{
		"opensearch://h/perf": true, "opensearch://u@h:9200/perf-x?password_env=P&tls=off": true,
		"opensearch://h": false, "opensearch://h/": false, "opensearch://h/Perf": false, "opensearch://h/a/b": false,
		"opensearch://h/_x": false, "opensearch://h/x?tls=maybe": false, "opensearch://h/x?colour=red": false,
		"opensearch:///x": false, "opensearch://u:secret@h/x": false,
	} {
		if err := r.Check(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
