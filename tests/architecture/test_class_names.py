"""A class name means one thing: no two classes of the package have the same."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]

Source = tuple[str, str]
"""A path and what the file contains."""


def shared_names(sources: Iterable[Source]) -> list[str]:
    """Return every name of two classes or more, nested and private ones too, as ``name: paths``."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path)
    return [f"{name}: {', '.join(paths)}" for name, paths in sorted(places.items()) if len(paths) > 1]


def test_class_names_are_unique() -> None:
    files = sorted(file for kind in ("*.py", "*.pyi") for file in (_ROOT / "predsurv").rglob(kind))
    found = shared_names((file.relative_to(_ROOT).as_posix(), file.read_text()) for file in files)
    assert not found, "\n".join(["names of more than one class:", *found])


def test_a_name_of_two_classes_is_noticed() -> None:
    assert shared_names([("a.py", "class Book: ..."), ("b.py", "class Book: ...")]) == ["Book: a.py, b.py"]
    assert shared_names([("a.py", "class Book: ..."), ("b.py", "def f():\n    class Book: ...")])
    assert shared_names([("a.py", "class Book: ..."), ("_speedups.pyi", "class Book: ...")])
    assert not shared_names([("a.py", "class Book: ..."), ("b.py", "class Ladder: ...")])
