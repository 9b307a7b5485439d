package sqlstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/disagg/disagg/pkg/upload"
)

// Dialect is what is different about a kind of server.
type Dialect struct {
	// Schema are the statements of each version of the schema, from the first on.
	Schema [][]string
	// Placeholder is the n-th argument of a statement, from 1.
	Placeholder func(n int) string
	// Ignore ends an insert so that a row with the same key stays; key is a column of the key.
	Ignore func(key string) string
	// Lock and Unlock hold off other processes that migrate, on one connection.
	Lock, Unlock func(context.Context, *sql.Conn) error
	// Exists tells whether an error says that what was to be made is there: a process that was killed may have made it
	// without coming to note that.
	Exists func(error) bool
	// Fate is what an error means for the record that was sent, or for opening.
	Fate func(error) upload.Fate
}

// insert is a statement that inserts rows of so many columns.
func (d Dialect) insert(table string, columns []string, rows int, key string) string {
	var b strings.Builder
	b.WriteString("insert into " + table + " (" + strings.Join(columns, ", ") + ") values ")
	n := 0
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(")
		for column := range columns {
			if column > 0 {
				b.WriteString(", ")
			}
			n++
			b.WriteString(d.Placeholder(n))
		}
		b.WriteString(")")
	}
	b.WriteString(" " + d.Ignore(key))
	return b.String()
}

// list is so many placeholders for an `in (…)`, from the n-th on.
func (d Dialect) list(from, count int) string {
	words := make([]string, count)
	for i := range words {
		words[i] = d.Placeholder(from + i)
	}
	return strings.Join(words, ", ")
}
