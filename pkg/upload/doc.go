// Package upload sends records to where they are kept.
//
// Rules:
//   - A record is durable on disk before this package sees it, and nothing here deletes it.
//   - What was sent is noted per record (outbox/pending, sent, dead), so that sending again is always safe and sends
//     only what is missing. A sink keeps each id once.
//   - A failed upload is told and changes no verdict.
//   - The drivers of databases are in packages of their own, which only disagg-submit has; an agent lets it drain.
//
// Vocabulary: a sink is a place that keeps records, named by a URL. The outbox holds one empty marker file a record.
// A drain sends what is pending.
package upload
