"""The demo, whole: every command, every dataset, and money made."""

import re
from pathlib import Path

import pytest

from predsurv.cli.app import main


@pytest.mark.slow
def test_the_demo_shows_what_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert [f"── {number} of 4" in out for number in (1, 2, 3, 4)] == [True] * 4
    assert "Closed baskets ($)" in out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out)
    assert list(tmp_path.rglob("report.html")) != []
