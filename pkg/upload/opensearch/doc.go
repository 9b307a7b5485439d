// Package opensearch is the sink for OpenSearch.
//
// Rules:
//   - A record is one document under its own id, made with `create`: one that is there already is left as it is. The
//     index follows from the record's own time (PREFIX-2026), so that sending again never finds another one. Data
//     streams are not used: they know an id only until they roll over.
//   - What becomes of each document is read from the answer, by its place. Nothing is tried again here: the drain
//     decides that, and waits. So there is no client library between, whose retries, health checks and discovery would
//     be in the way of both.
//   - A document has upstream's fields ([results.Document]), which an index template types by their prefixes, and the
//     record itself, which is stored and not searched. History comes from the latter.
//
// Sources: the documentation of OpenSearch 2.19 for the bulk, search and index template APIs.
package opensearch
