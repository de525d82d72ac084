"""Tests of predsurv.store.manifest."""

from pathlib import Path

from predsurv.store import manifest
from predsurv.store.manifest import SealedFile

NAME = "trades/venue=mock/date=2027-01-{day}/hour=12/trades_20270115T120000Z-c0-000000000042.parquet"


def sealed(day: int, rows: int) -> SealedFile:
    return SealedFile(NAME.format(day=day), rows, 1, 2, 3, "digest")


def test_the_latest_line_of_a_file_counts(tmp_path: Path) -> None:
    manifest.append(tmp_path, "c0", [sealed(15, 1), sealed(16, 2)])
    manifest.append(tmp_path, "c0", [sealed(15, 3)])
    assert list(manifest.read(tmp_path)) == [sealed(15, 3), sealed(16, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c0-2027-01-15.jsonl", "c0-2027-01-16.jsonl"]


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    manifest.append(tmp_path, "c0", [sealed(15, 1)])
    path = tmp_path / "c0-2027-01-15.jsonl"
    path.write_bytes(path.read_bytes() + b'{"path": "tr')
    manifest.append(tmp_path, "c0", [sealed(15, 2)])
    assert list(manifest.read(tmp_path)) == [sealed(15, 2)]


def test_an_empty_append_writes_no_manifest(tmp_path: Path) -> None:
    manifest.append(tmp_path / "none", "c0", [])
    assert not (tmp_path / "none").exists()
    assert list(manifest.read(tmp_path / "none")) == []


def test_the_digest_sees_every_bit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"abb")
    assert manifest.digest(tmp_path / "a") != manifest.digest(tmp_path / "b")


def test_the_last_times_are_those_of_the_last_day_of_one_collector(tmp_path: Path) -> None:
    def file(name: str, day: int, hi: int) -> SealedFile:
        return SealedFile(NAME.format(day=day).replace("venue=mock", f"venue={name}"), 1, 1, hi, 3, "digest")

    assert manifest.last_times(tmp_path, "c0") == {}
    manifest.append(tmp_path, "c0", [file("mock", 15, 70), file("mock", 16, 90), file("kalshi", 16, 95)])
    manifest.append(tmp_path, "c0", [file("mock", 16, 80)])
    manifest.append(tmp_path, "c1", [file("mock", 17, 99)])
    assert manifest.last_times(tmp_path, "c0") == {"mock": 90, "kalshi": 95}
