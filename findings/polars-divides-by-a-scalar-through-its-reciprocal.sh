#!/bin/sh
# polars 2.1.0 divides a float column by a scalar by multiplying with 1/scalar, and by a column by dividing: the last digits differ.
#
# What one would expect: col / 329 is the correctly rounded quotient that IEEE 754, Python and a division by a column of 329s give.
# Nine of the first 329 half numbers differ from it. A program that compared files byte by byte met this as percentiles
# (rank / count in one query) with one or the other last digit from run to run. Rounding to twelve digits makes it repeatable.
#
# Seen: 9 of 329 quotients differ between scalar and column; the scalar ones are x * (1 / 329), the column ones x / 329.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0" 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import polars as pl

count = 329
rows = pl.DataFrame({"rank": [number + 0.5 for number in range(count)], "count": [float(count)] * count})
by_scalar = rows.select(pl.col("rank") / pl.lit(float(count))).to_series().to_list()
by_length = rows.select(pl.col("rank") / pl.col("rank").count()).to_series().to_list()
by_column = rows.select(pl.col("rank") / pl.col("count")).to_series().to_list()
ranks = rows["rank"].to_list()
differ = sum(one != other for one, other in zip(by_scalar, by_column))
print(f"{differ} of {count} quotients differ between a scalar and a column")
print(f"by the scalar as by its reciprocal: {by_scalar == [rank * (1 / count) for rank in ranks]}")
print(f"by the column as Python divides: {by_column == [rank / count for rank in ranks]}")
assert differ == 9
assert by_scalar == by_length == [rank * (1 / count) for rank in ranks]
assert by_column == [rank / count for rank in ranks]
PYTHON
