"""``predsurv scan`` from the command line to the file, on the mock venue."""

import csv
import json
import re
from io import StringIO
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.core.ids import VenueName
from predsurv.store.universe import latest_universe, read_universe

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_scan_writes_the_universe_and_says_what_is_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--mock", "--format", "json"]) == 0
    captured = capsys.readouterr()
    (venue,) = json.loads(captured.out)["venues"]
    path = latest_universe(tmp_path / "data", VenueName("mock"))
    assert path is not None
    markets = list(read_universe(path))
    assert venue["markets"] == len(markets) == 300
    assert venue["tradable"] == sum(market.tradable for market in markets)
    assert not UNSAFE.search(captured.out + captured.err)
    assert "warning: mock:" in captured.err  # one row of the mock's catalogue is broken on purpose


def test_a_table_has_units_and_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--mock"]) == 0
    out = capsys.readouterr().out
    assert "Volume ($)" in out
    assert "By category" in out
    assert not UNSAFE.search(out)


def test_options_reach_the_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "csv", "scan", "mock", "--mock", "--limit", "7", "--min-volume", "1000"]) == 0
    block = capsys.readouterr().out.split("\n\n")[0]
    (row,) = csv.DictReader(StringIO(block))
    assert row["markets"] == "7"
    path = latest_universe(tmp_path / "data", VenueName("mock"))
    assert path is not None
    assert all((market.volume or 0) >= 1_000_000_000 for market in read_universe(path))


def test_only_what_is_liquid_and_takes_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "csv", "scan", "mock", "--mock", "--tradable", "--min-liquidity", "100"]) == 0
    capsys.readouterr()
    path = latest_universe(tmp_path / "data", VenueName("mock"))
    assert path is not None
    found = list(read_universe(path))
    assert found
    assert all(market.tradable and (market.liquidity or 0) >= 100_000_000 for market in found)


def test_every_name_means_the_mock_when_it_is_enabled(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "polymarket", "mock", "--mock", "--format", "json"]) == 0
    assert [row["venue"] for row in json.loads(capsys.readouterr().out)["venues"]] == ["mock"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["polymaket"], "no venue is called 'polymaket'; did you mean polymarket? there are: polymarket, kalshi, mock"),
        (["--min-volume", "lots", "--mock"], "--min-volume: expected dollars"),
        (["--limit", "0"], "see 'predsurv scan --help'"),
    ],
)
def test_wrong_usage_is_exit_2_with_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", *arguments]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_venue_that_cannot_be_reached_is_exit_3_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data" / "metadata" / "venue=polymarket" / "date=2026-01-01"
    folder.mkdir(parents=True)
    (folder / "universe.jsonl").write_text("")
    monkeypatch.setenv("PREDSURV_VENUES__POLYMARKET__GAMMA_URL", "http://127.0.0.1:9")
    assert main(["scan", "polymarket"]) == 3
    err = capsys.readouterr().err
    assert "error: polymarket: " in err
    assert "nothing was overwritten" in err
    assert "Traceback" not in err
    assert latest_universe(tmp_path / "data", VenueName("polymarket")) == folder / "universe.jsonl"
