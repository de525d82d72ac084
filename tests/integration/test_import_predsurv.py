"""``import predsurv`` costs nothing, and offers what its stub and its document say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import predsurv

ROOT = Path(predsurv.__file__).parent


def test_everything_that_it_offers_is_there() -> None:
    for name in predsurv.__all__:
        assert getattr(predsurv, name) is not None
    assert set(predsurv.__all__) <= set(dir(predsurv))


def test_the_stub_says_the_same() -> None:
    tree = ast.parse((ROOT / "__init__.pyi").read_text())
    offered = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert offered == set(predsurv.__all__)


def test_anything_else_is_told() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'bactest'; it offers open, backtest"):
        _ = predsurv.bactest  # type: ignore[attr-defined]


def test_importing_it_imports_nothing_else() -> None:
    code = (
        "import sys, predsurv\n"
        "ours = [name for name in sys.modules if name.startswith('predsurv.')]\n"
        "assert not ours, ours\n"
        "predsurv.Strategy\n"
        "assert 'polars' not in sys.modules and 'pyarrow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
