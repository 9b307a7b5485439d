// Package upload sends records to where they are kept.
//
// Rules:
//   - A record is durable on disk before this package sees it, and nothing here deletes it.
//   - What was sent is noted per record (outbox/pending, sent, dead), so that sending again is always safe and sends
//     only what is missing. A sink keeps each id once, and says for each record how it went: one bad record blocks no
//     other.
//   - A failed upload is reported and changes no verdict.
//   - A sink is a package of its own with one [Scheme]; the drivers of databases are linked by disagg-submit alone, and
//     an agent lets that drain ([Outbox.DrainBy]).
//   - Secrets are given by reference (?password_env=NAME, ?password_file=PATH), never in a URL: that is stored and
//     shown.
//
// Terms: a sink is a place that keeps records, named by a URL. The outbox has one hard link per record and state. A
// drain sends what is pending.
package upload
