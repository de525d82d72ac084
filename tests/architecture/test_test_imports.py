"""Tests, proofs and benchmarks do not import one another: what they share is in ``tests/kit``."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_OURS = ("tests", "benchmarks")

# Who imports -> the packages of tests and benchmarks that it may import from, besides the fixtures of its folders.
ALLOWED = {
    "predsurv/": (),
    "tests/kit/": ("tests.kit",),
    "tests/proofs/": ("tests.kit", "tests.proofs"),
    "tests/sdks/": ("tests.sdks",),  # programs for the environments of the clients
    "tests/contract/": ("tests.kit", "tests.contract"),  # the laws, which the tests of each venue inherit
    "tests/data/": ("tests.kit", "tests.data"),  # programs that write payloads
    "tests/architecture/": ("tests.kit", "tests.data"),
    "tests/": ("tests.kit",),
    "benchmarks/": ("benchmarks",),
}


def findings(path: str, source: str) -> list[str]:
    """Return every import that ``path`` may not have, as ``path:line: module``."""
    allowed = next(names for folder, names in ALLOWED.items() if path.startswith(folder))
    folders = path.split("/")[:-1]
    fixtures = [".".join([*folders[: depth + 1], "conftest"]) for depth in range(len(folders))]
    return [
        f"{path}:{line}: {module}"
        for line, module in _imports(source)
        if module.split(".")[0] in _OURS
        and (not any(f"{module}.".startswith(f"{name}.") for name in (*allowed, *fixtures)) or ".test_" in module)
    ]


def _imports(source: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_tests_proofs_and_benchmarks_import_only_what_is_shared() -> None:
    files = sorted(file for folder in ("predsurv", *_OURS) for file in (_ROOT / folder).rglob("*.py"))
    paths = {file.relative_to(_ROOT).as_posix(): file.read_text() for file in files}
    found = [line for path, source in paths.items() for line in findings(path, source)]
    assert not found, "\n".join(["to move into tests/kit:", *found])


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tests/unit/core/test_num.py", "from tests.unit.engine.samples import market"),
        ("tests/unit/core/test_num.py", "from tests.integration.test_x import market"),
        ("tests/unit/core/test_num.py", "from tests.proofs import witness"),
        ("tests/unit/core/test_num.py", "from tests.unit.store.conftest import NOON"),
        ("tests/unit/core/test_num.py", "import benchmarks.frames"),
        ("tests/contract/test_mock.py", "from tests.contract.test_kalshi import Harness"),
        ("tests/kit/disk.py", "from tests.contract.feed import FeedLaws"),
        ("tests/proofs/soak.py", "def f():\n    from benchmarks import rounds"),
        ("benchmarks/seal.py", "from tests.kit.disk import Disk"),
        ("predsurv/core/num.py", "from tests.kit.disk import Disk"),
    ],
)
def test_an_import_across_is_noticed(path: str, source: str) -> None:
    assert findings(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tests/unit/core/test_num.py", "from tests.kit.disk import Disk\nfrom predsurv.core import num"),
        ("tests/unit/store/seal/test_seal.py", "from tests.unit.store.conftest import NOON"),
        ("tests/contract/test_mock.py", "from tests.contract.feed import FeedLaws"),
        ("tests/proofs/faults.py", "from tests.proofs import witness"),
        ("benchmarks/seal.py", "from benchmarks import rounds"),
    ],
)
def test_what_is_shared_may_be_imported(path: str, source: str) -> None:
    assert findings(path, source) == []
