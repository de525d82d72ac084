"""What ``mine`` prints: cents, ticks and shares, and an id where no universe file knows the words."""

from pathlib import Path

import polars as pl

from predsurv.cli.commands.mine import InstrumentLabels, _labels, top_table
from predsurv.core.ids import VenueName
from predsurv.mine.job import MiningResult
from predsurv.mine.recorded_days import MiningDay
from predsurv.store.universe_writer import UniverseWriter
from tests.kit.market_samples import NOW, market

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
}


def test_prices_are_in_cents_and_depth_is_both_sides() -> None:
    table = top_table(
        MiningResult(DAY, pl.DataFrame([ROW]), Path("x"), {}),
        [ROW],
        {"m1-yes": InstrumentLabels("Who?", "Yes", "")},
        {},
    )
    row = dict(zip([column.key for column in table.columns], table.rows[0], strict=True))
    assert (row["mid"], row["spread"], row["depth_5c"], row["observed_s"]) == (50.0, 2.0, 150.0, 60e9)
    assert (row["rank"], row["question"], row["mid_path"]) == (1, "Who?", [])


def test_who_was_never_observed_is_not_counted_and_cut_depths_are_named() -> None:
    never = ROW | {"instrument_id": "m2-yes", "score": None, "observed_s": 0.0}
    mined = MiningResult(DAY, pl.DataFrame([ROW, never]), Path("x"), {})
    table = top_table(mined, [ROW | {"depth_cut_share": 0.25}], {"m1-yes": InstrumentLabels("Who?", "Yes", "")}, {})
    assert "1 of 1 observed instruments" in table.note
    assert "depth of 1 is at least what it says" in table.note


def test_words_come_from_the_universe_and_else_the_id_stands(tmp_path: Path) -> None:
    with UniverseWriter(tmp_path, VenueName("mock"), NOW) as writer:
        writer.write(market(1))
        writer.commit()
    words = _labels(MiningDay(tmp_path, VenueName("mock"), "2026-11-20"), {"m1-yes", "gone"})
    assert words == {
        "m1-yes": InstrumentLabels("Question 1?", "Yes", "sports"),
        "gone": InstrumentLabels("gone", "", ""),
    }
