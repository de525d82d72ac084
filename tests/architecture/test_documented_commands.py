"""Commands that documents and docstrings name exist: modules to run, make targets, proofs."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PLACEHOLDERS = ("NAME",)


def unknown_commands(text: str) -> Iterator[str]:
    """Yield every ``python -m MODULE`` of ours and every ``make TARGET`` of ``text`` that does not exist."""
    for module in re.findall(r"python -m ((?:tests|benchmarks)[\w.]*)", text):
        path = _ROOT.joinpath(*module.split("."))
        runnable = path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
        if not runnable and module.rpartition(".")[2] not in _PLACEHOLDERS:
            yield f"python -m {module}"
    targets = set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"`make ([a-z-]+)", text):
        if target not in targets:
            yield f"make {target}"


def test_documents_name_commands_that_exist() -> None:
    files = [*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md"), *(_ROOT / "ops").rglob("*.md")]
    files += [file for folder in ("predsurv", "tests", "benchmarks") for file in (_ROOT / folder).rglob("*.py")]
    files.remove(Path(__file__).resolve())
    found = [f"{file.relative_to(_ROOT)}: {name}" for file in files for name in unknown_commands(file.read_text())]
    assert not found, "\n".join(["commands that do not exist:", *found])


def test_every_proof_can_be_run_and_is_documented() -> None:
    page = (_ROOT / "docs" / "proofs.md").read_text()
    listing = subprocess.run(
        [sys.executable, "-m", "tests.proofs"], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    names = re.findall(r"^  (\w+) ", listing.stdout, re.MULTILINE)
    assert len(names) >= 10
    for name in names:
        source = (_ROOT / "tests" / "proofs" / f"{name}.py").read_text()
        assert 'if __name__ == "__main__":' in source
        assert f"python -m tests.proofs.{name}" in page, f"docs/proofs.md does not say how to run {name}"


@pytest.mark.parametrize("text", ["run `python -m tests.gone`", "`python -m benchmarks.gone 5`", "`make gone`"])
def test_a_command_that_is_gone_is_noticed(text: str) -> None:
    assert list(unknown_commands(text))
