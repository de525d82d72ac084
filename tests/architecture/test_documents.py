"""What the documents name is there: files, classes and their members."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = _ROOT / "predsurv"
_DOCUMENTS = ("docs/architecture.md", "docs/glossary.md", "docs/adding-a-venue.md", "CONTRIBUTING.md")
_QUOTED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*(?:/|\.(?:py|md|toml|json|jsonl|c|h))\Z")
_NAME = re.compile(r"(?:[a-z_.]+\.)?([A-Z][A-Za-z]*[a-z][A-Za-z]*)(?:\.([a-z_]+))?(?:\(|\Z)")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")

# Names of the documents that are no classes of ours, and files that exist only at run time.
_NOT_OURS = frozenset({"None", "True", "False", "Protocol", "NamedTuple"})
_AT_RUN_TIME = frozenset({"universe.jsonl"})
_PLACEHOLDER = "x/"


def missing(text: str, members: dict[str, set[str]]) -> Iterator[str]:
    """Yield each file, class and member that the backticks of ``text`` name and that does not exist."""
    for quoted in _QUOTED.findall(text):
        for word in quoted.split():
            if _PATH.match(word):
                if word not in _AT_RUN_TIME and not word.startswith(_PLACEHOLDER) and not _exists(word):
                    yield f"no file {word}"
            elif (name := _NAME.match(word)) is not None and name[1] not in _NOT_OURS:
                if name[1] not in members:
                    yield f"no class {name[1]}"
                elif name[2] is not None and name[2] not in members[name[1]]:
                    yield f"{name[1]} has no {name[2]}"


def _exists(path: str) -> bool:
    """Return whether ``path`` is below the root, the package or docs; a bare name may be anywhere in the package."""
    if "/" not in path and next(_PACKAGE.rglob(path), None) is not None:
        return True
    return any(next(folder.glob(path.rstrip("/")), None) is not None for folder in (_ROOT, _PACKAGE, _ROOT / "docs"))


@cache
def _members() -> dict[str, set[str]]:
    """Return every class of package and tests with the names of its methods and fields, inherited ones included."""
    found: dict[str, set[str]] = {}
    bases: dict[str, list[str]] = {}
    for file in sorted([*_PACKAGE.rglob("*.py"), *(_ROOT / "tests").rglob("*.py")]):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(_names_in(node))
                bases.setdefault(node.name, []).extend(base.id for base in node.bases if isinstance(base, ast.Name))
    return {name: own.union(*(found.get(base, set()) for base in bases[name])) for name, own in found.items()}


def _names_in(node: ast.ClassDef) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child.name
        elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            yield child.target.id
        elif isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            yield child.attr


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_what_a_document_names_exists(document: str) -> None:
    text = (_ROOT / document).read_text()
    found = [*missing(text, _members())]
    found += [f"no file {link}" for link in _LINK.findall(text) if not ((_ROOT / document).parent / link).exists()]
    assert not found, "\n".join([f"{document} names what is not there:", *dict.fromkeys(found)])


@pytest.mark.parametrize(
    "text", ["`core/absent.py`", "`NoSuchClass`", "`Engine.no_such_method`", "`a.b.NoSuchClass.x`", "`absent/`"]
)
def test_a_wrong_name_is_noticed(text: str) -> None:
    assert [*missing(text, _members())]


@pytest.mark.parametrize(
    "text", ["`core/events.py`", "`Engine.step`", "`venues/*/wire.py`", "`PREDSURV_X`", "`make test`"]
)
def test_a_right_name_passes(text: str) -> None:
    assert [*missing(text, _members())] == []
