"""Prints what a reader makes of all Parquet files of a folder, as JSON: python3 read.py READER FOLDER."""

import glob
import json
import sys

COLUMNS = ["id", "concurrency", "measured_at", "valid", "invalid", "token_throughput", "al", "hosts", "note", "record"]


def duckdb(files):
    import duckdb

    rows = duckdb.sql(f"select * from '{files}' order by measured_at, id")
    return rows.columns, rows.select(*COLUMNS).fetchall()


def polars(files):
    import polars

    frame = polars.read_parquet(files).sort("measured_at", "id")
    return frame.columns, frame.select(COLUMNS).rows()


def pandas(files):
    import pandas

    frame = pandas.concat(pandas.read_parquet(file) for file in glob.glob(files)).sort_values(["measured_at", "id"])
    rows = frame[COLUMNS].astype(object)
    return list(frame.columns), rows.where(rows.notna(), None).values.tolist()


def main():
    columns, rows = {"duckdb": duckdb, "polars": polars, "pandas": pandas}[sys.argv[1]](sys.argv[2] + "/*.parquet")
    dicts = [dict(zip(COLUMNS, row)) for row in rows]
    for row in dicts:
        row["measured_at"] = int(row["measured_at"].timestamp() * 1e6 + 0.5)
        row["record"] = json.loads(row["record"])["id"]
    print(json.dumps({"columns": list(columns), "rows": dicts}))


main()
