"""Coverage intervals are constructed in one module, which is why their tiling can be proved there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_PACKAGE = Path(__file__).resolve().parents[2] / "predsurv"
AUTHOR = "state/coverage.py"
TYPE = "Coverage"
MODULE = "predsurv.core.records"


def constructions(path: str, source: str) -> Iterator[str]:
    """Yield the calls of ``Coverage``, under whatever name it was imported, outside its author."""
    tree = ast.parse(source)
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == MODULE
        for alias in node.names
        if alias.name == TYPE
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and path != AUTHOR:
            called = node.func
            direct = isinstance(called, ast.Name) and called.id in names
            if direct or (isinstance(called, ast.Attribute) and called.attr == TYPE):
                yield f"{path}:{node.lineno}: {ast.unparse(node)}"


def test_only_one_module_constructs_coverage_intervals() -> None:
    sources = {path.relative_to(_PACKAGE).as_posix(): path.read_text() for path in _PACKAGE.rglob("*.py")}
    assert AUTHOR in sources
    found = [line for path, source in sources.items() for line in constructions(path, source)]
    assert not found, "\n".join([f"use the functions of {AUTHOR} instead:", *found])


@pytest.mark.parametrize(
    "source",
    [
        "from predsurv.core.records import Coverage\nCoverage(1)",
        "from predsurv.core.records import Coverage as Interval\nInterval(1)",
        "from predsurv.core import records\nrecords.Coverage(1)",
    ],
)
def test_a_second_author_is_noticed(source: str) -> None:
    assert list(constructions("collect/x.py", source))
    assert not list(constructions(AUTHOR, source))


def test_matching_the_type_is_no_construction() -> None:
    source = (
        "from predsurv.core.records import Coverage\nmatch x:\n    case Coverage():\n        y: list[Coverage] = []"
    )
    assert not list(constructions("store/x.py", source))
