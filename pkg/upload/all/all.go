// Package all lists every sink. It links their drivers, so an agent must not import it.
package all

import (
	"github.com/disagg/disagg/pkg/upload"
	"github.com/disagg/disagg/pkg/upload/dir"
	"github.com/disagg/disagg/pkg/upload/gateway"
	"github.com/disagg/disagg/pkg/upload/mysql"
	"github.com/disagg/disagg/pkg/upload/opensearch"
	"github.com/disagg/disagg/pkg/upload/parquet"
	"github.com/disagg/disagg/pkg/upload/postgres"
	"github.com/disagg/disagg/pkg/upload/sqlite"
)

// Sinks are all that records can be sent to.
func Sinks() upload.Registry {
	return upload.Registry{
		sqlite.Scheme(), dir.Scheme(), parquet.Scheme(), opensearch.Scheme(), gateway.Scheme(), mysql.Scheme(),
		postgres.Scheme(),
	}
}
