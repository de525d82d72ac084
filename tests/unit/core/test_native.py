"""A compiled extension is used when it was built from these very sources and the environment does not refuse it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from predsurv.core import native

HEADER = Path(native.__file__).parent / "csrc" / "abi.h"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def compiled_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "PURE_PYTHON", False)


@pytest.mark.usefixtures("compiled_allowed")
@pytest.mark.parametrize(
    ("version", "used"), [(native.ABI_VERSION, True), (native.ABI_VERSION - 1, False), (None, False)]
)
def test_an_extension_of_another_version_is_not_used(version: int | None, used: bool) -> None:
    extension = SimpleNamespace(ABI_VERSION=version)
    assert (native.usable(extension) is extension) == used


def test_without_an_extension_there_is_none() -> None:
    assert native.usable(None) is None
    assert native.usable(SimpleNamespace()) is None


def test_both_languages_name_the_same_version() -> None:
    stated = re.search(r"#define ABI_VERSION (\d+)", HEADER.read_text())
    assert stated is not None
    assert int(stated[1]) == native.ABI_VERSION


_WHICH = """
from predsurv.collect.recording import compiled as collect
from predsurv.state import compiled as state
from predsurv.state.book import Book, PythonBookCore
from predsurv.state.ladder import Ladder, PythonLadder
from predsurv.store.wal import columns_codec
from predsurv.venues.polymarket import fast_decoder
assert {collect.native, state.native, columns_codec.native, fast_decoder.native, fast_decoder.COMPILED} == {None}
assert Ladder is PythonLadder and issubclass(Book, PythonBookCore)
"""


def test_the_environment_turns_every_extension_off() -> None:
    environment = {**os.environ, "PREDSURV_PURE_PYTHON": "1"}
    subprocess.run([sys.executable, "-c", _WHICH], check=True, cwd=ROOT, env=environment, timeout=120)
