"""``predsurv init``: write a configuration with every setting explained, or the beginning of a strategy."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from predsurv.cli.output.render import near, say
from predsurv.config.loading import DEFAULT_FILE
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise

_OUT = typer.Option("--out", metavar="FILE", help="Where to write it; of a strategy the folder.")
_STRATEGY = typer.Option(
    "--strategy", metavar="NAME", help="Write a strategy of this name to begin with, and its test, instead."
)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*\Z", re.ASCII)
_NAME_CHARS_MAX: Final = 32
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_-]")


def init(
    *,
    out: Annotated[Path | None, _OUT] = None,
    strategy: Annotated[str | None, _STRATEGY] = None,
) -> None:
    """Write a configuration file in which every setting is explained and at its default, or a strategy and its test."""
    if strategy is not None:
        _write_strategy(strategy, out or Path())
        return
    path = out or DEFAULT_FILE
    write_template(path)
    say(f"wrote {path}; nothing in it has to be changed. Next: predsurv doctor, then predsurv scan (or predsurv demo)")


def template() -> str:
    """Return the commented configuration, every key at its default."""
    return _shipped("surveillance.toml")


def write_template(path: Path) -> None:
    """Create ``path`` with the template; raises ConfigError when it exists."""
    _create(path, template())


def strategy_files(name: str) -> dict[str, str]:
    """Return the files of a new strategy called ``name``, by name; raises ConfigError where that is no name."""
    if not _NAME.match(name) or len(name) > _NAME_CHARS_MAX:
        raise ConfigError(f"--strategy: expected a name such as fade or FadeTheMove; got {sanitise(name, 40)!r}")
    words = [word.lower() for word in _HUMP.split(name)]
    module, class_name = "_".join(words), "".join(word.capitalize() for word in words)

    def named(text: str) -> str:
        return text.replace("wide_spread", module).replace("WideSpread", class_name)

    return {
        f"{module}.py": named(_shipped("example_strategy.py")),
        f"test_{module}.py": named(_shipped("example_strategy_test.txt")),
    }


def _write_strategy(name: str, folder: Path) -> None:
    written = strategy_files(name)
    for path in (folder / each for each in written):
        _refuse_existing(path)
    for each, text in written.items():
        _create(folder / each, text)
    module, test = (near((folder / each).absolute()) for each in written)
    say(f"wrote {module} and {test}")
    say(f"next: python -m pytest {test}  (pip install pytest, where there is none)")
    say(f"then: predsurv backtest VENUE DATE --strategy ./{module}, on what was recorded; nothing yet? predsurv demo")


def _shipped(name: str) -> str:
    return files("predsurv.cli").joinpath(name).read_text("utf-8")


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise ConfigError(f"{path} is there already and was not touched; choose another place with --out")


def _create(path: Path, text: str) -> None:
    _refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; choose another place with --out") from None
