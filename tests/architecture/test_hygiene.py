"""What must not be in the repository, and what must: no traces of a machine, no floats in money, a test per module."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]

# Spelt with gaps, so that this file does not contain what it looks for.
_REGISTRY_HOSTS = [
    host.replace(" ", ".")
    for host in (
        "pypi org",
        "pythonhosted org",
        "anaconda org",
        "npmjs org",
        "crates io",
        "proxy golang org",
        "docker io",
        "ghcr io",
        "quay io",
    )
]
_TRACES = {
    "a registry host": re.compile("|".join(rf"\b{re.escape(host)}\b" for host in _REGISTRY_HOSTS)),
    "a package index": re.compile(r"https?://\S+/simple\b|^\s*--?(?:extra-)?(?:index-url|find-links)\b", re.MULTILINE),
    "a path of some machine": re.compile(r"(?<![\w.~-])/(?:home|Users|root|work)/\w|\b[A-Z]:\\Users\\"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
# Public test vectors: the keys of published examples are data here, not secrets.
_PUBLIC_KEYS = "tests/data/"

# Integers only. Division with `/` makes a float out of two integers, so the pure layers do without it too.
INTEGER_LAYERS = ("predsurv/core/", "predsurv/state/", "predsurv/engine/", "predsurv/strategies/")
FLOAT_FREE = (*INTEGER_LAYERS, "predsurv/venues/")
# path -> why this file may use floats.
FLOAT_EXCEPTIONS: dict[str, str] = {}

# Every module here has tests of its own, found under the mirrored name.
MIRRORED = ("core/", "state/", "engine/", "strategies/")


def traces(path: str, text: str) -> list[str]:
    """What the text gives away about a machine, a registry or a key."""
    kinds = {kind: match for kind, pattern in _TRACES.items() if (match := pattern.search(text))}
    if path.startswith(_PUBLIC_KEYS):
        kinds.pop("a private key", None)
    return [f"{path}: {kind}: {match.group()!r}" for kind, match in kinds.items()]


def floats(path: str, source: str) -> list[str]:
    """Every float literal, call of `float` and, in the pure layers, true division."""
    if not path.startswith(FLOAT_FREE) or path in FLOAT_EXCEPTIONS:
        return []
    nodes = [node for node in ast.walk(ast.parse(source)) if _makes_a_float(node)]
    if path.startswith(INTEGER_LAYERS):
        nodes += [node for node in ast.walk(ast.parse(source)) if _divides(node)]
    return [f"{path}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)}" for node in nodes]


def _makes_a_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"


def _divides(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)


def module_tested_by(test: str) -> str:
    """`x/test_y.py` tests `x/y`; a second file on the same module is `x/test_y__topic.py`."""
    folder, slash, name = test.rpartition("/")
    return folder + slash + name.removeprefix("test_").removesuffix(".py").partition("__")[0]


def strays(tests: set[str], modules: set[str]) -> list[str]:
    """Unit tests that mirror neither a module nor a package."""
    known = {path.removesuffix(".py").removesuffix("/__init__") for path in modules}
    return sorted(test for test in tests if module_tested_by(test) not in known)


def untested(tests: set[str], modules: set[str]) -> list[str]:
    """Modules of the pure layers without a test file of their own."""
    wanted = {path for path in modules if path.startswith(MIRRORED) and not path.endswith("__init__.py")}
    tested = {module_tested_by(test) for test in tests}
    return sorted(path for path in wanted if path.removesuffix(".py") not in tested)


def _tracked() -> Iterator[tuple[str, str]]:
    """Every text file that is, or is about to be, in the repository."""
    if shutil.which("git") is None or not (_ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no telling what belongs to the repository")
    listing = ["git", "-C", str(_ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        raw = (_ROOT / name).read_bytes() if (_ROOT / name).is_file() else b"\0"
        if b"\0" not in raw:
            yield name, raw.decode("utf-8", errors="replace")


def _relative(folder: str, pattern: str) -> set[str]:
    base = _ROOT / folder
    return {file.relative_to(base).as_posix() for file in base.rglob(pattern)}


def test_the_repository_speaks_of_the_project_alone() -> None:
    found = [line for path, text in _tracked() for line in traces(path, text)]
    assert not found, "\n".join(["to take out of the repository:", *found])


def test_money_is_integers() -> None:
    modules = sorted(_relative("predsurv", "*.py"))
    sources = {f"predsurv/{path}": (_ROOT / "predsurv" / path).read_text() for path in modules}
    found = [line for path, source in sources.items() for line in floats(path, source)]
    assert not found, "\n".join(["floats where integers belong:", *found])
    for path, reason in FLOAT_EXCEPTIONS.items():
        assert path in sources, f"{path} is gone; so should its exception be"
        assert len(reason) > 20, f"{path}: say why"


def test_unit_tests_mirror_modules() -> None:
    tests, modules = _relative("tests/unit", "test_*.py"), _relative("predsurv", "*.py")
    assert not (found := strays(tests, modules)), "\n".join(["tests of no module:", *found])
    assert not (found := untested(tests, modules)), "\n".join(["modules without a test file:", *found])


def test_both_locks_pin_the_same() -> None:
    runtime, dev = (_pins((_ROOT / name).read_text()) for name in ("requirements.lock", "requirements-dev.lock"))
    assert runtime
    assert {name: (pin, dev.get(name)) for name, pin in runtime.items() if dev.get(name) != pin} == {}


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE))


@pytest.mark.parametrize(
    "text",
    [
        "see https://pypi~.org/project/x",
        "--index-url~ https://mirror.example/x",
        "https://mirror.example/~simple/",
        "open('/ho~me/me/data')",
        "cd /wo~rk/x",
        "-----BEGIN EC PRI~VATE KEY-----",
    ],
)
def test_a_trace_is_noticed(text: str) -> None:
    assert traces("docs/x.md", text.replace("~", ""))


@pytest.mark.parametrize("text", ["https://example.org/home/x", "net/work/x", "$HOME/data", "BEGIN PUBLIC KEY"])
def test_innocent_text_passes(text: str) -> None:
    assert traces("docs/x.md", text) == []


@pytest.mark.parametrize("source", ["x = 0.5", "x = float(y)", "x = a / b", "x /= 2", "x = 1e6"])
def test_a_float_is_noticed(source: str) -> None:
    assert floats("predsurv/core/x.py", source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("predsurv/core/x.py", "x = a // b"),
        ("predsurv/core/x.py", "'0.5'"),
        ("predsurv/venues/kalshi/x.py", "path = folder / name"),
        ("predsurv/mine/x.py", "x = 0.5"),
    ],
)
def test_what_is_no_float_in_money_passes(path: str, source: str) -> None:
    assert floats(path, source) == []


def test_a_missing_mirror_is_noticed() -> None:
    assert strays({"core/test_gone.py"}, {"core/num.py"}) == ["core/test_gone.py"]
    assert strays({"core/test_num.py", "test_config.py"}, {"core/num.py", "config/__init__.py"}) == []
    assert untested({"core/test_num__parsing.py"}, {"core/num.py", "core/ids.py", "net/ws.py"}) == ["core/ids.py"]
