#!/bin/sh
# duckdb 2.0.1 puts the last 500 nanoseconds of an hour or a day into the next one: of a TIMESTAMP_NS, date_trunc, time_bucket
# and casts to DATE or TIMESTAMP round to microseconds, half up, before they cut.
#
# What one would expect: truncating 23:59:59.999999999 to the day gives that day; hour() of the same value says 23, and
# epoch_us() rounds down. Instead date_trunc('day'), time_bucket and ::DATE give the day after, so that a row written to the
# partition of its day does not match its own date, and sums by hour differ from sums by hour(). Parquet files written with
# nanoseconds (pandas, polars, pyarrow) are read as this type. A difference of two is an interval in microseconds, too: one of
# 999 ns comes out as a whole microsecond. make_timestamp(epoch_ns(t) // 1000) rounds down, and after it all of these agree.
#
# Seen: 2026-12-01 for the day of 2026-11-30 23:59:59.999999999, in all four; hour 23; 999 ns shown as 1 microsecond.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "duckdb==2.0.1" 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import date, datetime, timedelta

import duckdb

last = "make_timestamp_ns(1796083199999999999)"  # 2026-11-30 23:59:59.999999999
row = duckdb.execute(
    f"SELECT date_trunc('day', {last}), time_bucket(INTERVAL 1 DAY, {last}), {last}::DATE, {last}::TIMESTAMP, hour({last}), "
    f"{last} - make_timestamp_ns(1796083199999999000), date_trunc('day', make_timestamp(epoch_ns({last}) // 1000))"
).fetchone()
names = ("date_trunc", "time_bucket", "::DATE", "::TIMESTAMP", "hour()", "difference of 999 ns", "date_trunc of floored")
for name, value in zip(names, row):
    print(f"{name}: {value}")
day = datetime(2026, 12, 1)
assert row == (day, day, date(2026, 12, 1), day, 23, timedelta(microseconds=1), datetime(2026, 11, 30))
PYTHON
