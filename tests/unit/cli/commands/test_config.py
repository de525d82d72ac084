"""``config show`` tells value and origin, and no secret."""

import json
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands.config import settings
from predsurv.config import load
from predsurv.config.schema import RESERVED


@pytest.fixture(autouse=True)
def _no_configuration_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_origins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[miner]\ntop = 3\n[mock]\nseed = 1\n")
    monkeypatch.setenv("PREDSURV_MOCK__SEED", "2")
    rows = {row[0]: row[1:] for row in settings(load(path)).rows}
    assert rows["miner.top"] == ("3", "file", f"file {path}")
    assert rows["mock.seed"] == ("2", "env PREDSURV_MOCK__SEED", "env PREDSURV_MOCK__SEED")
    assert rows["data_dir"] == ("data", "default", "default")


def test_changed_leaves_out_every_default(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[miner]\ntop = 3\n")
    assert [row[0] for row in settings(load(path, environ={}), changed=True).rows] == ["miner.top"]


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PREDSURV_POLYMARKET_PRIVATE_KEY", "0xcanary5ecret")
    assert main(["config", "show", "--format", "json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)
    assert "canary" not in captured.out + captured.err


def test_the_note_names_the_keys_without_effect(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[scanner]\nconcurrency = 2\n")
    note = settings(load(path, environ={}), changed=True).note
    assert note.endswith("without effect yet: scanner.concurrency")
    assert all(key in settings(load(path, environ={})).note for key in RESERVED)
