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


_INTERPRETERS = """
import importlib
name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
interpreters = importlib.import_module(name)
work = '''
from predsurv.core.events import BookDelta
from predsurv.core.ids import InstrumentKey
from predsurv.core.level_changes import LevelChanges
from predsurv.core.native import speedups
ladder = speedups.NativeLadder(descending=True)
ladder.set(400_000, 5)
delta = BookDelta(InstrumentKey("v", "m", "i"), 1, None, 1, None, "bid", 400_000, 5)
assert ladder.best() == (400_000, 5) and list(LevelChanges([delta])) == [delta]
told = id(speedups.NativeLadder), id(speedups)
'''
run = lambda number: interpreters.run_string(number, work + "import os; os.write(%d, repr(told).encode())" % into)
out, into = os.pipe()
both = [interpreters.create(), interpreters.create()]
seen = []
for number in both:
    run(number)
    seen.append(eval(os.read(out, 99)))
interpreters.destroy(both[0])
run(both[1])  # that one is gone and took nothing along
assert eval(os.read(out, 99)) == seen[1]
exec(work)
assert len({*seen, told}) == 3, (seen, told)
interpreters.destroy(both[1])
exec(work)
"""


@pytest.mark.skipif(native.speedups is None, reason="there was no C compiler")
def test_each_interpreter_of_a_process_has_a_module_of_its_own() -> None:
    run("import os, sys\n" + _INTERPRETERS)
