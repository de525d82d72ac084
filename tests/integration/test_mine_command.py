"""``predsurv mine`` from the command line, over files that the store wrote."""

import json
from pathlib import Path

import polars as pl
import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.ids import VenueName
from predsurv.core.records import Coverage
from predsurv.store.universe_writer import UniverseWriter
from tests.kit.market_samples import market
from tests.kit.mining_samples import DATE, HOUR, START, record, session


@pytest.fixture(autouse=True)
def _recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "data", [session()])
    with UniverseWriter(tmp_path / "data", VenueName("mock"), START) as writer:
        for number in (1, 2):
            writer.write(replace(market(number), fetched_at=START))
        writer.commit()


def test_the_latest_day_is_mined_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "--format", "json"]) == 0
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [(row["rank"], row["question"], row["outcome"]) for row in rows] == [
        (1, "Question 1?", "Yes"),
        (2, "Question 2?", "Yes"),
    ]
    assert rows[0]["spread_ticks"] == pytest.approx(rows[0]["spread_usd"] / 0.01)
    assert f"data/stats/venue=mock/date={DATE}/stats.parquet" in captured.err


def test_the_report_is_written_beside_the_statistics(tmp_path: Path) -> None:
    assert main(["mine", "mock", DATE, "--html", "--top", "1"]) == 0
    page = (tmp_path / "data" / "stats" / "venue=mock" / f"date={DATE}" / "report.html").read_text()
    assert "Question 1?" in page
    assert "Question 2?" not in page
    assert "<polyline" in page
    index = (tmp_path / "data" / "reports.html").read_text()
    assert f'href="stats/venue=mock/date={DATE}/report.html"' in index


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine"]) == 0
    out = capsys.readouterr().out
    assert "Most interesting markets: mock, 2026-11-20 (UTC)" in out
    assert "2 of 2 observed instruments" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mine", "mock", "tomorrow"], "expected a day such as 2026-01-31"),
        (["mine", "kalshi"], "nothing recorded for kalshi in data; there is mock 2026-11-20"),
        (["mine", "--config", "gone.toml"], "no configuration file gone.toml"),
    ],
)
def test_what_cannot_be_mined_is_one_line_and_exit_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_weights_come_from_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.toml"
    path.write_text('[miner]\ntop = 1\n[miner.weights]\nfreshnes = "1"\n')
    assert main(["mine", "--config", str(path)]) == 2
    assert "did you mean freshness?" in capsys.readouterr().err


def test_the_ranking_is_sorted_by_a_column_and_narrowed_to_a_category(capsys: pytest.CaptureFixture[str]) -> None:
    def ids(*words: str) -> list[str]:
        assert main(["mine", *words, "--format", "json"]) == 0
        return [row["instrument_id"] for row in json.loads(capsys.readouterr().out)]

    assert ids("--sort", "spread_usd") == ["m2-yes", "m1-yes"]
    assert ids("--sort=-spread_usd") == ["m1-yes", "m2-yes"]
    assert main(["mine", "--sort", "spraed"]) == 2
    assert "no column 'spraed' in the statistics" in capsys.readouterr().err
    assert main(["mine", "--category", "Chess"]) == 2
    assert "no market of category 'Chess'; there are" in capsys.readouterr().err


def test_every_format_has_the_columns_of_the_file_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    kept = pl.read_parquet(tmp_path / "data/stats/venue=mock" / f"date={DATE}" / "stats.parquet")
    for row, same in zip(rows, kept.to_dicts(), strict=True):
        assert {name: row[name] for name in same} == same


def test_a_range_of_days_is_the_sum_of_its_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = [
        replace(each, start=each.start + 24 * HOUR, end=each.end + 24 * HOUR)
        if isinstance(each, Coverage)
        else replace(each, ts_recv=each.ts_recv + 24 * HOUR)
        for each in session()
    ]
    record(tmp_path / "data", [later])

    def row(dates: str) -> dict[str, float]:
        assert main(["mine", "mock", dates, "--format", "json"]) == 0
        found: dict[str, float] = json.loads(capsys.readouterr().out)[0]
        return found

    one, both = row(DATE), row(f"{DATE}..2026-11-21")
    for name in ("observed_s", "gap_s", "updates", "trades", "notional_usd", "visits"):
        assert both[name] == 2 * one[name], name
    for name in (
        "spread_usd",
        "mid_usd",
        "stale_share",
        "volatility_usd_per_sqrt_hour",
        "spread_p50_usd",
        "wait_p50_s",
    ):
        assert both[name] == pytest.approx(one[name]), name
    assert (tmp_path / "data/stats/venue=mock/date=2026-11-21/stats.parquet").is_file()


def test_a_market_is_explained_by_its_parts_its_evidence_and_why_it_was_recorded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["mine", "explain", "question 1"]) == 2
    assert "was not mined; run 'predsurv mine mock 2026-11-20'" in capsys.readouterr().err
    assert main(["mine"]) == 0
    capsys.readouterr()
    assert main(["mine", "explain", "question 1", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (evidence,) = told["evidence"]
    assert (evidence["question"], evidence["observed_s"], evidence["visits"]) == ("Question 1?", 280, 2)
    assert sum(part["points"] for part in told["parts"]) == pytest.approx(evidence["score"])
    assert [(each["state"], each["duration_s"]) for each in told["rotation"]] == [
        ("covered", 120),
        ("gap", 20),
        ("covered", 160),
    ]
    assert told["rotation"][1]["how"] == "lost: disconnect"
    assert main(["mine", "explain", "m2-yes"]) == 0
    assert "What the score is made of" in capsys.readouterr().out
    assert main(["mine", "explain", "no such"]) == 2
    assert "no market 'no such' in the statistics of mock on 2026-11-20" in capsys.readouterr().err
