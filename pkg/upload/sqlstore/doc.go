// Package sqlstore keeps records in tables of an SQL server. What differs from server to server is a [Dialect];
// packages mysql and postgres have one each.
//
// Rules:
//   - All records of a call are kept in one transaction, or none. A record that the server refuses for its content is
//     found by sending in parts, and takes no other with it.
//   - A row that is there is left as it is: the first record of an id stays.
//   - The schema has a version. Of several processes that find an older one, one migrates, under a lock of the server;
//     a newer one is left alone.
//   - A record is kept whole as a text; columns and metrics beside it are for people and for queries.
//
// Terms: the tables are those of a performance database: disagg_runs, disagg_cases, disagg_results (one row a record)
// and disagg_metrics. What does not count is in the tables, and in no view whose name says valid.
package sqlstore
