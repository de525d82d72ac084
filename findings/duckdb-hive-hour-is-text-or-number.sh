#!/bin/sh
# duckdb 2.0.1 gives a hive column a type by the folders that happen to be there: hour=10 alone is a BIGINT, hour=07 a VARCHAR.
#
# What one would expect: a column that is 00 to 23 in every folder has one type. Its automatic cast takes a whole number only
# where none begins with 0, so that the same recording is BIGINT in the afternoon's folders and VARCHAR as soon as a morning
# is among them. Then max(hour) compares text, hour + 1 is an error, and a UNION or join of two days that worked yesterday
# fails or casts. (A comparison with a number still works: the number is cast.) polars 2.1.0 reads both as Int64, pyarrow as
# int32. hive_types = {'hour': BIGINT} gives the same type to all.
#
# Seen: BIGINT for hour=12, VARCHAR for hour=07 and for both together; polars Int64 each time; with hive_types BIGINT.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "duckdb==2.0.1" "polars==2.1.0" 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import duckdb
import polars as pl

seen = {}
for name, hours in {"morning": ("07",), "noon": ("12",), "both": ("07", "12")}.items():
    for hour in hours:
        part = Path(name, f"hour={hour}")
        part.mkdir(parents=True)
        pl.DataFrame({"price": [0.5]}).write_parquet(part / "rows.parquet")
    files = f"'{name}/*/*.parquet', hive_partitioning = true"
    plain = duckdb.sql(f"SELECT hour FROM read_parquet({files})").types
    stated = duckdb.sql(f"SELECT hour FROM read_parquet({files}, hive_types = {{'hour': BIGINT}})").types
    seen[name] = (str(plain[0]), str(stated[0]), str(pl.scan_parquet(f"{name}/", hive_partitioning=True).collect_schema()["hour"]))
    print(f"{name}: duckdb {seen[name][0]}, with hive_types {seen[name][1]}, polars {seen[name][2]}")
try:
    duckdb.sql("SELECT hour + 1 FROM read_parquet('both/*/*.parquet', hive_partitioning = true)").fetchall()
    plus = "works"
except duckdb.BinderException:
    plus = "BinderException"
print(f"hour + 1 where a morning is there: {plus}")
assert seen == {
    "morning": ("VARCHAR", "BIGINT", "Int64"),
    "noon": ("BIGINT", "BIGINT", "Int64"),
    "both": ("VARCHAR", "BIGINT", "Int64"),
}
assert plus == "BinderException"
PYTHON
