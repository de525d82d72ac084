"""What ``mine`` prints: cents, ticks and shares, and the id where nothing knows the words."""

from pathlib import Path

import polars as pl

from predsurv.cli.commands.mine import top_table
from predsurv.cli.output.columns import people
from predsurv.core.ids import VenueName
from predsurv.mine.job import MiningResult
from predsurv.mine.listed import InstrumentLabels
from predsurv.mine.recorded_days import MiningDay

DAY = MiningDay(Path("data"), VenueName("mock"), "2026-11-20")
ROW = {
    "instrument_id": "m1-yes",
    "score": 0.5,
    "mid": 0.5,
    "spread": 0.02,
    "spread_ticks": 2.0,
    "volatility": 0.001,
    "updates_per_s": 1.0,
    "bid_depth_5c": 100.0,
    "ask_depth_5c": 50.0,
    "trades": 3,
    "notional": 12.0,
    "depth_cut_share": 0.0,
    "stale_share": 0.1,
    "observed_s": 60.0,
    "gap_s": 0.0,
    "trades_observed_s": 60.0,
    "trades_missing": None,
    "unknown_scores": None,
}


LABELS = {"m1-yes": InstrumentLabels("Who?", "Yes", "")}


def result(*rows: dict[str, object], labels: dict[str, InstrumentLabels] = LABELS) -> MiningResult:
    return MiningResult(DAY, pl.DataFrame(rows), Path("x"), {}, labels)


def test_prices_are_in_cents_and_depth_is_both_sides() -> None:
    table = top_table(result(ROW), [ROW], {})
    row = dict(zip([column.key for column in table.columns], table.rows[0], strict=True))
    assert (row["mid"], row["spread"], row["depth_5c"], row["observed_s"]) == (50.0, 2.0, 150.0, 60e9)
    assert (row["rank"], row["question"], row["mid_path"]) == (1, "Who?", [])


def test_who_was_never_observed_is_not_counted_and_cut_depths_are_named() -> None:
    never = ROW | {"instrument_id": "m2-yes", "score": None, "observed_s": 0.0}
    table = top_table(result(ROW, never), [ROW | {"depth_cut_share": 0.25}], {})
    assert "1 of 1 observed instruments" in table.note
    assert "depth of 1 is at least what it says" in table.note


def test_the_id_stands_where_nothing_names_an_instrument() -> None:
    table = top_table(result(ROW, labels={}), [ROW], {})
    row = dict(zip([column.key for column in table.columns], table.rows[0], strict=True))
    assert (row["question"], row["outcome"], row["listed"]) == ("m1-yes", "", False)
    cells = {column.key: people(column, value) for column, value in zip(table.columns, table.rows[0], strict=True)}
    assert cells["listed"] == "no"


def test_trades_that_were_not_recorded_are_a_dash_and_a_note() -> None:
    silent = ROW | {"trades": None, "notional": None, "trades_observed_s": 0.0, "trades_missing": "not_offered"}
    table = top_table(result(silent), [silent], {})
    cells = {column.key: people(column, value) for column, value in zip(table.columns, table.rows[0], strict=True)}
    assert (cells["trades"], cells["notional"]) == ("–", "–")
    assert "trades were not recorded: not_offered" in table.note
