"""``predsurv init``: write a configuration file with every setting explained."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from predsurv.cli.output.render import say
from predsurv.config.loading import DEFAULT_FILE
from predsurv.core.errors import ConfigError

_OUT = typer.Option("--out", metavar="FILE", help="Where to write it.")


def init(*, out: Annotated[Path, _OUT] = DEFAULT_FILE) -> None:
    """Write a configuration file in which every setting is explained and at its default."""
    write_template(out)
    say(f"wrote {out}; nothing in it has to be changed. Next: predsurv doctor, then predsurv scan (or predsurv demo)")


def template() -> str:
    """Return the commented configuration, every key at its default."""
    return files("predsurv.cli").joinpath("surveillance.toml").read_text("utf-8")


def write_template(path: Path) -> None:
    """Create ``path`` with the template; raises ConfigError when it exists."""
    if path.exists():
        raise ConfigError(f"{path} is there already and was not touched; choose another place with --out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(template())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; choose another place with --out") from None
