package parquet_test

import (
	"net/url"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/parquet"
	"github.com/disagg/disagg/pkg/upload/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The sink keeps the contract of all sinks, in a folder of any name.
func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Opener {
		return sinktest.OpenerOf(parquet.Scheme(), &url.URL{Scheme: "parquet", Path: filepath.Join(t.TempDir(), "a b",
			"17%?#*[x")})
	})
}

// A URL names an absolute path.
func TestURLs(t *testing.T) {
	r := upload.Registry{parquet.Scheme()}
	for address, good := range map[string]bool{
		"parquet:///a/b": true, "parquet://a/b": false, "parquet:a": false, "parquet://": false,
		"parquet://u:p@h/a": false,
	} {
		if err := r.Check(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
