// Package parquet is the sink for people who look at many runs at once: a folder with one Parquet file a run, which
// DuckDB, pandas, Polars and others read alone or all together (FOLDER/*.parquet).
//
// Rules:
//   - A row is a record. Its columns ([Columns]) are the same in every file, whatever a run has measured, so that files
//     of different runs are one table; what a record does not say is null. A newer version only adds columns.
//   - The last column is the record itself, as JSON: what is not in a column is there, and what the sink reads back is
//     nothing else.
//   - A file is replaced whole: readers see the one before or the new one. Who replaces files holds the folder's lock.
//   - A file without our mark in its metadata is somebody else's: it is neither read nor replaced.
package parquet
