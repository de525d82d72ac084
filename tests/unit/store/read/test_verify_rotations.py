"""Rotation and coverage tell the same probabilities; where they do not, totals are wrong, and it is found."""

from pathlib import Path

import pyarrow.parquet as pq

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.core.num import MICROS
from predsurv.core.records import ChoiceReason, Coverage, LeaveReason, Record, RotationChoice
from predsurv.store.layout import Layout, data_files
from predsurv.store.read.verify import verify_recording
from predsurv.store.read.verify_rotations import check_rotations
from tests.kit.mining_samples import START, S, record

Reason = ChoiceReason | LeaveReason


def key(name: str) -> InstrumentKey:
    return InstrumentKey(VenueName("mock"), MarketId(name), InstrumentId(name))


def chosen(name: str, second: int, chance: float, reason: Reason = "drawn") -> RotationChoice:
    return RotationChoice(key(name), START + second * S, 1, reason, round(chance * MICROS), None, 7, 10, 1)


def covered(name: str, start: int, end: int, chance: float) -> Coverage:
    return Coverage(key(name), START + start * S, START + end * S, "covered", "live", 1, round(chance * MICROS))


def out(name: str, start: int, end: int) -> Coverage:
    return Coverage(key(name), START + start * S, START + end * S, "gap", "rotated_out", 0, MICROS)


def findings(tmp_path: Path, *records: Record) -> list[tuple[str, str, str]]:
    record(tmp_path, [list(records)])
    return [(each.check, each.where, each.what) for each in check_rotations(Layout(tmp_path))]


def test_what_agrees_is_no_finding(tmp_path: Path) -> None:
    rows: list[Record] = [
        chosen("a", 0, 1.0, "swept"), chosen("b", 0, 0.25), chosen("late", 0, 0.5),
        covered("a", 0, 300, 1.0), covered("b", 0, 300, 0.25), covered("b", 300, 310, 0.0), out("b", 310, 600),
        out("late", 0, 20), covered("late", 20, 300, 0.5), covered("a", 300, 600, 0.125),
        chosen("a", 300, 0.125), chosen("b", 300, 0.0, "turn_over"),
        chosen("a", 700, 0.5), chosen("never", 0, 0.5),
    ]  # fmt: skip
    assert findings(tmp_path, *rows) == []
    assert not [each for each in verify_recording(Layout(tmp_path)).findings if each.check == "rotation"]


def test_another_probability_is_found_once_for_each_instrument(tmp_path: Path) -> None:
    rows: list[Record] = [
        chosen("a", 0, 1.0, "swept"), covered("a", 0, 300, 1.0),
        chosen("b", 10, 0.25), chosen("b", 20, 0.25), covered("b", 0, 300, 0.5),
        chosen("c", 5, 0.0, "outranked"), covered("c", 0, 300, 1.0),
    ]  # fmt: skip
    found = findings(tmp_path, *rows)
    assert [(check, where) for check, where, _ in found] == [("rotation", "mock:b"), ("rotation", "mock:c")]
    assert found[0][2].startswith("chosen with 0.250000 at ")
    assert found[1][2].endswith(", and covered with 1.000000")
    assert [each for each in verify_recording(Layout(tmp_path)).findings if each.check == "rotation"]


def test_files_without_these_columns_are_compared_with_nothing(tmp_path: Path) -> None:
    record(tmp_path, [[chosen("b", 10, 0.25), covered("b", 0, 300, 0.5)]])
    assert len([*check_rotations(Layout(tmp_path))]) == 1
    (path,) = data_files(Layout(tmp_path), "coverage")
    table = pq.read_table(path, partitioning=None).drop_columns(["inclusion"])
    for each in (Layout(tmp_path).manifest).iterdir():
        each.unlink()
    pq.write_table(table, path)
    assert [*check_rotations(Layout(tmp_path))] == []
