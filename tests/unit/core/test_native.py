"""The compiled module is used when it was built from these very sources and the environment does not refuse it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from predsurv.core import native

HEADER = Path(native.__file__).parents[1] / "csrc" / "edition.h"
ROOT = Path(__file__).resolve().parents[3]


def run(program: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=ROOT, env={**os.environ, **environment}, timeout=120
    )


def test_both_languages_name_the_same_edition() -> None:
    stated = re.search(r"#define EDITION (\d+)", HEADER.read_text())
    assert stated is not None
    assert int(stated[1]) == native.EDITION


_OTHER = """
import sys
from types import SimpleNamespace
sys.modules["predsurv.core.native"] = SimpleNamespace(EDITION={edition})
try:
    from predsurv import _speedups
except ImportError as error:
    assert "built from other sources" in str(error), error
    assert not {fits}
else:
    assert {fits}
"""


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
@pytest.mark.parametrize(("step", "fits"), [(0, True), (1, False)])
def test_a_module_of_another_edition_cannot_be_imported(step: int, fits: bool) -> None:
    run(_OTHER.format(edition=native.EDITION + step, fits=fits))


_WHICH = """
import sys
from predsurv.core import native
from predsurv.state.book import Book, PythonBookCore
from predsurv.state.ladder import Ladder, PythonLadder
from predsurv.store.wal import columns_codec
from predsurv.venues.polymarket import fast_decoder
assert native.speedups is None and fast_decoder.COMPILED is None
assert Ladder is PythonLadder and issubclass(Book, PythonBookCore)
assert columns_codec.columns_of is columns_codec.python_columns
"""


def test_the_environment_turns_every_twin_off() -> None:
    run(_WHICH, PREDSURV_PURE_PYTHON="1")


def test_without_the_module_python_does_the_work() -> None:
    run("import sys\nsys.modules['predsurv._speedups'] = None" + _WHICH, PREDSURV_PURE_PYTHON="")
