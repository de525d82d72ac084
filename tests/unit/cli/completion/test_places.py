"""What is looked up on disk: in the folder that is meant, and only what is safe on a command line."""

import json
from pathlib import Path

import pytest

from predsurv.cli.completion import places


def listed(folder: Path, *markets: tuple[str, str], date: str = "2026-11-20") -> None:
    path = folder / "metadata" / "venue=kalshi" / f"date={date}" / "universe.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"venue": "kalshi", "market_id": name, "event_id": "e", "question": text} for name, text in markets]
    path.write_text("".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines))


def test_markets_begin_with_what_was_typed_and_come_from_the_newest_list(tmp_path: Path) -> None:
    listed(tmp_path, ("KXFED-1", "Rate?"), ("KXOLD", "Gone?"), date="2026-11-19")
    listed(tmp_path, ("KXFED-1", "Rate cut?"), ("KXFED-2", "Größer?"), ("OTHER", "x"))
    assert list(places.markets(tmp_path, "KX")) == [("KXFED-1", "Rate cut?"), ("KXFED-2", "Größer?")]
    assert list(places.markets(tmp_path, "KX.ED")) == [], "what was typed is no pattern"
    assert list(places.markets(tmp_path / "nowhere", "")) == []


def test_ids_that_a_shell_would_read_as_something_else_are_not_offered(tmp_path: Path) -> None:
    listed(tmp_path, ("a$(reboot)", "?"), ("a;b", "?"), ("-a", "?"), ("a b", "?"), ("a`b`", "?"), ("a-fine.1_2", "?"))
    assert [name for name, _ in places.markets(tmp_path, "")] == ["a-fine.1_2"]
    for name in ("20261120T010203004Z-mock", "$(reboot)"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert places.runs(tmp_path) == ["20261120T010203004Z-mock"]


def test_questions_cannot_steer_a_terminal(tmp_path: Path) -> None:
    listed(tmp_path, ("a", "\u202eevil\u0085" + "x" * 500))
    ((_, shown),) = places.markets(tmp_path, "")
    assert "\u202e" not in shown
    assert len(shown) <= 60


def test_many_markets_are_bounded_and_an_empty_list_is_none(tmp_path: Path) -> None:
    listed(tmp_path, *((f"m{number}", "?") for number in range(200)))
    assert len(list(places.markets(tmp_path, "m"))) == places.MARKETS_MAX
    listed(tmp_path)
    assert list(places.markets(tmp_path, "m")) == []


@pytest.mark.parametrize(
    ("text", "environ", "folder"),
    [
        ('data_dir = "there"\n[mock]\n', {}, "there"),
        ("# data_dir = 'no'\ndata_dir = 'there'\n", {}, "there"),
        ('[other]\ndata_dir = "no"\n', {}, "data"),
        ('data_dir = "there"\n', {"PREDSURV_DATA_DIR": "elsewhere"}, "elsewhere"),
        ('data_dir = "s3://bucket/x"\nlocal_dir = "near"\n', {}, "near"),
        ("\xff", {}, "data"),
    ],
)
def test_the_data_folder_is_that_of_the_configuration(
    text: str, environ: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "surveillance.toml").write_bytes(text.encode("latin-1"))
    (tmp_path / "config" / "other.toml").write_text('data_dir = "of-other"\n')
    assert places.data_dir({}, environ) == Path(folder)
    assert places.data_dir({"--config": "other.toml"}, {}) == Path("of-other")
