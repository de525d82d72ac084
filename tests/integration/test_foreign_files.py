"""A data folder that another program wrote: only the columns of the contract, no manifest, no state."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.core.events import BookSnapshot
from predsurv.core.records import Record
from predsurv.store.layout import FOLDERS, Layout, data_files
from predsurv.store.read.verify import check_files
from tests.kit.market_samples import market
from tests.kit.mining_samples import DATE, KEY, START, S, change, covered, level, listed, record, session, top, trade
from tests.kit.older_files import make_foreign, rewrite_files, without


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session of two markets in two files per hour and dataset."""
    monkeypatch.chdir(tmp_path)
    book = BookSnapshot(KEY, START, None, 1, None, (level(49),), (level(51),))
    later = replace(book, ts_recv=START + 140 * S)
    more: list[Record] = [change(60), change(200), top(250, 47, 53), trade(80, 50, 1), covered(300, 310)]
    day = record(tmp_path / "data", [[book, *session(), later], more])
    listed(day, market(1), market(2))
    make_foreign(Layout(day.data_dir))
    shutil.rmtree(day.data_dir / "state")
    return day.data_dir


def test_it_is_mined_merged_and_mined_again_with_the_same_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def mined() -> object:
        capsys.readouterr()
        assert main(["mine", "mock", DATE, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    before = mined()
    files = len([path for name in FOLDERS for path in data_files(Layout(folder), name)])
    assert main(["compact"]) == 0
    assert len([path for name in FOLDERS for path in data_files(Layout(folder), name)]) < files
    assert mined() == before
    alone = {finding.what for finding in check_files(Layout(folder))}
    assert alone <= {"no manifest knows this file"}, "files that there was nothing to merge with"


def test_status_counts_files_that_are_in_no_manifest_and_does_not_know_their_rows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in shown["coverage"]} >= {"covered"}
    files = {row["dataset"]: (row["files"], row["rows"], row["last"]) for row in shown["stored"]}
    assert files["book_deltas"] == (len(data_files(Layout(folder), "deltas")), None, None)
    assert main(["status"]) == 0
    assert "no manifest tells the rows of" in capsys.readouterr().out


def test_compact_and_verify_need_no_state_of_a_collector(folder: Path) -> None:
    assert main(["verify"]) == 4, "no manifest knows the files, which is a finding"
    assert main(["compact"]) == 0


@pytest.mark.parametrize("arguments", [["status"], ["backtest", "mock", DATE], ["verify"]])
def test_every_reader_reads_it_or_says_in_one_line_what_is_wrong(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments)
    captured = capsys.readouterr()
    assert "unexpected" not in captured.err
    if arguments[0] == "verify":
        assert code == 4
        assert "no manifest knows this file" in captured.out
        assert "What these files lack to be a recording" in captured.out
        assert "a manifest of these files" in captured.out
    else:
        assert code == 0, captured.err


@pytest.mark.parametrize(
    ("arguments", "column", "dataset"),
    [
        (["mine", "mock", DATE], "size", "trades"),
        (["mine", "mock", DATE], "state", "coverage"),
        (["mine", "mock", DATE], "trusted", "snapshots"),
        (["compact"], "price", "deltas"),
        (["compact"], "end", "coverage"),
        (["backtest", "mock", DATE], "kind", "deltas"),
        (["backtest", "mock", DATE], "reason", "coverage"),
        (["status"], "end", "coverage"),
    ],
)
def test_a_file_that_lacks_a_column_of_the_contract_is_named_in_one_line(
    folder: Path, arguments: list[str], column: str, dataset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite_files(Layout(folder), without({column}), lambda path: path.name.startswith(dataset))
    assert main(arguments) == 4
    err = capsys.readouterr().err
    assert f"has no column '{column}'" in err
    assert len([line for line in err.splitlines() if "no column" in line]) == 1
    assert "unexpected" not in err
