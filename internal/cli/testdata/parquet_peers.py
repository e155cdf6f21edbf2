"""Reads the Parquet files that goline wrote, with pyarrow and with DuckDB, and prints what both see."""
import json
import sys

import duckdb
import pyarrow.parquet as pq

features, scores, values, parts = sys.argv[1:]
out = {}
for name, path in (("features", features), ("scores", scores), ("values", values)):
    f = pq.ParquetFile(path)
    meta = {k.decode(): v.decode() for k, v in f.schema_arrow.metadata.items()} if f.schema_arrow.metadata else {}
    meta.update({k.decode(): v.decode() for k, v in (f.metadata.metadata or {}).items()})
    out[name] = {
        "types": {c.name: str(c.type) for c in f.schema_arrow},
        "meta": {k: v for k, v in meta.items() if k.startswith("goline.")},
        "rows": f.read().to_pylist(),
    }
    cursor = duckdb.sql(f"select * from read_parquet('{path}')")
    out[name]["duckdb"] = [dict(zip(cursor.columns, row)) for row in cursor.fetchall()]
out["parts"] = duckdb.sql(f"select count(*), count(distinct id) from read_parquet('{parts}')").fetchall()[0]
out["mean"] = duckdb.sql(f"select avg(list_sum(features)) from read_parquet('{features}')").fetchall()[0][0]
print(json.dumps(out))
