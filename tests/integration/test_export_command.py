"""``predsurv export``: files for hftbacktest, and a folder to publish."""

import json
import zipfile
from pathlib import Path

import pytest

from predsurv.cli.app import main
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, market

DAY = "2027-01-15"


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    listed_on(tmp_path / "data", 0, market())
    record(tmp_path / "data", hours(2), [*books(YES, hours(1)), covered(YES, hours(1), hours(2))])


def test_a_day_of_a_market_for_hftbacktest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "hftbacktest", str(YES.market_id), DAY, "--out", "npz", "--format", "csv"]) == 0
    (path,) = Path("npz").iterdir()
    assert zipfile.ZipFile(path).namelist() == ["data.npy"]
    assert capsys.readouterr().out.splitlines()[1].startswith(f"{path},")


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_day_of_a_market_for_nautilus(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "nautilus", str(YES.market_id), DAY, "--out", "catalog", "--catalog", version]
    assert main([*words, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    kinds = [Path(row["file"]).parts[2] for row in rows]
    assert kinds == ["order_book_deltas", "binary_option"]
    assert all(Path(row["file"]).stat().st_size == row["bytes"] for row in rows)
    assert main(words) == 0, "the same day again replaces its files"
    assert len(list(Path("catalog").rglob("*.parquet"))) == len(rows)


def test_days_to_publish(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "release", "mock", DAY, "--out", "out", "--license", "CC-BY-4.0"]) == 0
    assert Path("out/croissant.json").is_file()
    assert "sha256sum -c SHA256SUMS" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["hftbacktest", "m", "2027-01-16"], "nothing was recorded on 2027-01-16"),
        (["nautilus", "m", "2027-01-16", "--out", "c"], "nothing was recorded on 2027-01-16"),
        (["nautilus", "m", DAY, "--out", "c", "--catalog", "3"], "there are 1 and 2"),
        (["release", "mock", "2027-01-16", "--out", "new"], "nothing with coverage was recorded of mock"),
        (["release", "nowhere", DAY, "--out", "new"], "nowhere"),
    ],
)
def test_what_is_not_there_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", *words]) == 2
    assert says in capsys.readouterr().err
