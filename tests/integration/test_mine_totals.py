"""``predsurv mine totals`` from the command line, over files that the store wrote."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.num import MICROS
from tests.kit.mining_samples import DATE, QUIET, change, covered, record, trade


@pytest.fixture(autouse=True)
def _recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = replace(covered(0, 300, QUIET), inclusion=MICROS // 4)
    record(tmp_path / "data", [[change(10), trade(20, 50, 8), replace(change(30), key=QUIET), covered(0, 300), drawn]])


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    assert main([*words, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_and_the_flag_print_estimates_with_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, "mine", "totals", "mock", DATE)
    assert [row["total"] for row in rows] == ["updates", "trades", "volume_shares", "notional_usd"]
    updates = rows[0]
    assert (updates["recorded"], updates["estimate"]) == (2.0, 1 + 4.0)
    assert 0 <= updates["low"] < updates["estimate"] < updates["high"]
    assert (rows[3]["estimate"], rows[3]["low"], rows[3]["high"]) == (4.0, 4.0, 4.0)
    assert answer(capsys, "mine", "mock", DATE, "--totals") == rows


def test_the_table_says_what_it_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "totals", "mock", DATE]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "5m 00s observed: 2 instruments; about 5 open at a time" in shown
    assert "less than a day: the intervals are too narrow" in shown


def test_a_day_that_was_not_recorded_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "totals", "mock", "2026-01-01"]) == 2
    assert "nothing recorded" in capsys.readouterr().err


def test_what_a_total_is_a_sum_of_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, "mine", "totals", "mock", DATE, "--by", "interval")
    assert [(row["instrument_id"], row["inclusion"], row["updates"], row["ht_updates"]) for row in rows] == [
        ("m1-yes", 1.0, 1.0, 1.0),
        ("m2-yes", 0.25, 1.0, 4.0),
    ]
    assert [(row["weighted_s"], row["reason"]) for row in rows] == [(300.0, None), (1_200.0, None)]
    assert rows[0]["ht_notional_usd"] == 4.0
    by_instrument = answer(capsys, "mine", "totals", "mock", DATE, "--by", "instrument")
    assert [(row["instrument_id"], row["ht_updates"]) for row in by_instrument] == [("m2-yes", 4.0), ("m1-yes", 1.0)]
