"""Size budgets: what does not fit on a screen is not reviewed well. An exception needs a reason, next to it, here."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

_ROOT = Path(__file__).resolve().parents[2]

FUNCTION_LINES_MAX = 50
FUNCTION_LINES_MEDIAN_MAX = 8
FILE_LINES_MAX = 400
CLASS_METHODS_MAX = 12
PARAMETERS_MAX = 5
KEYWORD_ONLY_MAX = 6
EXPORTS_MAX = 15
# Lazy imports of our own modules: adapters load on use, and a command loads only what it needs.
LAZY_IMPORTERS = ("predsurv/venues/registry.py", "predsurv/cli/")

# "path::name" (or "path" for a whole file) -> why the budget does not apply.
EXCEPTIONS: dict[str, str] = {
    "predsurv/engine/context.py::StrategyContext": "one question and answer per thing that a strategy may read",
    "predsurv/state/view.py::View": "one question and answer per thing that a strategy may read",
    "predsurv/state/market_cache.py::MarketCache": "one question and answer per kind of state; none has logic",
    "predsurv/engine/engine.py::Engine": "a handler per kind of event, and what is left of those that a replay folded",
    "predsurv/engine/fills/simulator.py::FillSimulator": "what a venue is told and tells; what a replay may pass over",
    "predsurv/trade/paper_broker.py::PaperBroker": "a broker of the run and one that a replay need not show everything",
    "predsurv/trade/pipeline.py::EventPipeline": "a method per step of an event's path; a replay takes some by itself",
    "predsurv/cli/commands/collect.py::collect": "typer makes one option of the command of each parameter",
    "predsurv/cli/commands/import_recording.py::import_command": "typer makes one option of each parameter",
    "predsurv/cli/commands/scan.py::scan": "typer makes one option of the command of each parameter",
    "predsurv/cli/commands/simulate.py::simulate": "typer makes one option of the command of each parameter",
    "predsurv/cli/commands/trade.py::trade": "typer makes one option of the command of each parameter",
    "predsurv/cli/commands/trade.py::backtest": "typer makes one option of the command of each parameter",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def findings(path: str, source: str) -> list[str]:
    """Every budget that the source breaks, as `path::name: what`. Tests keep the length budgets only."""
    tree = ast.parse(source)
    found = [*_long_file(path, source), *_long_functions(path, tree)]
    if path.startswith("predsurv/"):
        found += [*_big_classes(path, tree), *_many_parameters(path, tree), *_anonymous_tuples(path, tree)]
        found += [*_hidden_imports(path, tree), *_many_exports(path, tree)]
    return [line for line in found if line.partition(": ")[0] not in EXCEPTIONS]


def c_findings(path: str, source: str) -> list[str]:
    """The length budgets for C: a function's body begins and ends with a brace at the start of a line."""
    found, opened = [*_long_file(path, source)], 0
    for number, line in enumerate(source.splitlines(), 1):
        if line == "{":
            opened = number
        elif line == "}" and opened:
            if number - opened > FUNCTION_LINES_MAX:
                found.append(f"{path}:{opened}: {number - opened} lines, {FUNCTION_LINES_MAX} allowed")
            opened = 0
    return found


def _long_file(path: str, source: str) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines, {FILE_LINES_MAX} allowed"


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _long_functions(path: str, tree: ast.AST) -> Iterator[str]:
    for node in _functions(tree):
        if _lines(node) > FUNCTION_LINES_MAX:
            yield f"{path}::{node.name}: {_lines(node)} lines, {FUNCTION_LINES_MAX} allowed"


def _big_classes(path: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            methods = {child.name for child in node.body if isinstance(child, Function)}
            if len(methods) > CLASS_METHODS_MAX:
                yield f"{path}::{node.name}: {len(methods)} methods, {CLASS_METHODS_MAX} allowed"


def _many_parameters(path: str, tree: ast.AST) -> Iterator[str]:
    for node in _functions(tree):
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)]
        count = len(names[1:] if names[:1] in (["self"], ["cls"]) else names)
        if count > PARAMETERS_MAX:
            yield f"{path}::{node.name}: {count} positional parameters, {PARAMETERS_MAX} allowed"

        count = len(node.args.kwonlyargs)
        if count > KEYWORD_ONLY_MAX:
            yield f"{path}::{node.name}: {count} keyword-only parameters, {KEYWORD_ONLY_MAX} allowed"


def _anonymous_tuples(path: str, tree: ast.AST) -> Iterator[str]:
    """Parameters that are tuples of different things: several parameters, or a named tuple, say what each is."""
    for node in _functions(tree):
        for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            if arg.annotation is not None and _is_mixed_tuple(arg.annotation):
                yield f"{path}::{node.name}: {arg.arg} is an anonymous {ast.unparse(arg.annotation)}"


def _is_mixed_tuple(annotation: ast.expr) -> bool:
    match annotation:
        case ast.BinOp(left=left, right=right):
            return _is_mixed_tuple(left) or _is_mixed_tuple(right)
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=items)):
            return len({ast.unparse(item) for item in items if ast.unparse(item) != "..."}) > 1
        case _:
            return False


def _hidden_imports(path: str, tree: ast.AST) -> Iterator[str]:
    if path.startswith(LAZY_IMPORTERS):
        return
    for function in _functions(tree):
        for node in ast.walk(function):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "predsurv" for name in names):
                yield f"{path}::{function.name}: imports {', '.join(names)} inside a function"


def _many_exports(path: str, tree: ast.Module) -> Iterator[str]:
    if not path.endswith("/__init__.py"):
        return
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in _assigned(node):
            count = len(node.value.elts) if isinstance(node.value, ast.List | ast.Tuple) else 0
            if count > EXPORTS_MAX:
                yield f"{path}::__all__: {count} names, {EXPORTS_MAX} allowed"


def _assigned(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


@cache
def _sources() -> dict[str, str]:
    folders = ("predsurv", "tests", "benchmarks")
    files = sorted(file for folder in folders for file in (_ROOT / folder).rglob("*.py"))
    return {file.relative_to(_ROOT).as_posix(): file.read_text() for file in files}


def test_every_file_keeps_the_budgets() -> None:
    found = [line for path, source in _sources().items() for line in findings(path, source)]
    for file in sorted((_ROOT / "predsurv" / "csrc").glob("*.[ch]")):
        found += c_findings(file.relative_to(_ROOT).as_posix(), file.read_text())
    assert not found, "\n".join(["over budget:", *found])


def test_exceptions_name_something_and_say_why() -> None:
    sources = _sources()
    for name, reason in EXCEPTIONS.items():
        path, _, symbol = name.partition("::")
        assert symbol in sources.get(path, ""), f"{name} is gone; so should its exception be"
        assert len(reason) > 20, f"{name}: say why"


def test_half_of_all_functions_are_short() -> None:
    trees = [ast.parse(source) for path, source in _sources().items() if path.startswith("predsurv/")]
    lengths = [_lines(function) for tree in trees for function in _functions(tree)]
    assert median(lengths) <= FUNCTION_LINES_MEDIAN_MAX


_METHODS = "\n".join(f"    def m{n}(self): ..." for n in range(13))
_NAMES = ", ".join(f'"n{n}"' for n in range(16))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("predsurv/x.py", "\n" * 401),
        ("tests/test_x.py", "def f():\n" + "    pass\n" * 50),
        ("predsurv/x.py", "class C:\n    async def f(self):\n" + "        pass\n" * 50),
        ("predsurv/x.py", f"class C:\n{_METHODS}\n"),
        ("predsurv/x.py", "def f(a, b, c, d, e, f): ..."),
        ("predsurv/x.py", "class C:\n    def f(self, a, b, /, c, d, e, f): ..."),
        ("predsurv/x.py", "def f(*, a, b, c, d, e, f, g): ..."),
        ("predsurv/x.py", "def f(where: tuple[str, int]): ..."),
        ("predsurv/x.py", "class C:\n    def f(self, *, gap: tuple[int, str] | None = None): ..."),
        ("predsurv/x.py", "def f():\n    from predsurv.core import num"),
        ("predsurv/venues/streaming/feed.py", "def f():\n    import predsurv.core.num"),
        ("predsurv/x/__init__.py", f"__all__ = [{_NAMES}]"),
        ("predsurv/x/__init__.py", f"__all__: list[str] = [{_NAMES}]"),
    ],
)
def test_a_broken_budget_is_noticed(path: str, source: str) -> None:
    assert findings(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("predsurv/x.py", "\n" * 400),
        ("predsurv/x.py", "def f():\n" + "    pass\n" * 49),
        ("predsurv/x.py", "class C:\n    def f(self, a, b, c, d, e, *, f, g, h, i, j, k): ..."),
        ("predsurv/x.py", "def f(levels: tuple[int, ...], pair: tuple[str, str], rows: list[tuple[int, str]]): ..."),
        ("predsurv/x.py", "class C(Struct):\n    a: int\n    b: int\n    c: int\n    d: int\n    e: int\n    f: int"),
        ("predsurv/x.py", "def f():\n    import sqlite3"),
        ("predsurv/cli/x.py", "def f():\n    from predsurv.mine import frames"),
        ("predsurv/venues/registry.py", "def f():\n    from predsurv.venues.mock import venue"),
        ("predsurv/x/y.py", f"__all__ = [{_NAMES}]"),
    ],
)
def test_what_is_within_budget_passes(path: str, source: str) -> None:
    assert findings(path, source) == []


def test_c_keeps_the_length_budgets() -> None:
    body = "    work();\n"
    assert c_findings("x.c", "\n" * 401)
    assert c_findings("x.c", f"static int f(void)\n{{\n{body * 51}}}\n")
    assert not c_findings("x.c", f"static int f(void)\n{{\n{body * 49}}}\n")
