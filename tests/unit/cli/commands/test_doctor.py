"""``doctor`` reports every check and fails when something has to be done."""

import io
import json
import sys
from pathlib import Path

import pytest

from predsurv.cli.app import main


def test_a_healthy_set_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n[metrics]\nport = 0\n')
    assert main(["doctor", "--offline", "--config", str(path), "--format", "json"]) == 0
    rows = {row["check"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["configuration"]["found"] == str(path)
    assert rows["data folder"]["state"] == "ok"


def test_what_has_to_be_done_is_told_whole_however_narrow_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n[metrics]\nport = 0\n[miner]\nweights = {{tightnes = "0.5"}}\n')
    assert main(["doctor", "--offline", "--config", str(path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "fail: miner.weights.tightnes: no such score; did you mean tightness?; "
        "correct miner.weights in the configuration"
    ]


def test_what_has_to_be_done_is_told_once_on_one_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    path, out, err = tmp_path / "s.toml", Terminal(), Terminal()
    path.write_text(f'data_dir = "{tmp_path}"\n[metrics]\nport = 0\n[miner]\nweights = {{tightnes = "0.5"}}\n')
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(["doctor", "--offline", "--config", str(path)]) == 1
    assert "did you mean" in out.getvalue()
    assert err.getvalue() == ""


def test_a_broken_configuration_is_a_finding_not_a_crash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_text("[miner]\ntpo = 3\n")
    assert main(["doctor", "--offline", "--config", str(path), "--format", "json"]) == 1
    rows = {row["check"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["configuration"]["state"] == "fail"
    assert "did you mean miner.top?" in rows["configuration"]["found"]
