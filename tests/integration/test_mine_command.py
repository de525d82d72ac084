"""``predsurv mine`` from the command line, over files that the store wrote."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.ids import VenueName
from predsurv.store.universe_writer import UniverseWriter
from tests.kit.market_samples import market
from tests.kit.mining_samples import DATE, START, record, session


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
