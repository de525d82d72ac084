"""``predsurv completion install | show``: let the shell complete commands, options, venues, days, runs and markets."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from predsurv.cli.completion.scripts import SCRIPTS, SHELLS, CompletionPlace, place_of
from predsurv.cli.output.render import say
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise

ShellName = Literal["bash", "zsh", "fish"]
Shell = Annotated[ShellName | None, typer.Argument(metavar="SHELL", help="bash, zsh or fish; default: that of $SHELL.")]

completion = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Let the shell complete command lines."
)


@completion.command("install")
def install(shell: Shell = None) -> None:
    """Write the script where the shell finds it; bash and zsh read it by a line that is added to their startup file."""
    chosen = _shell(shell)
    place = place_of(chosen, os.environ, Path.home())
    try:
        _write(chosen, place)
    except OSError as error:
        where = f"{sanitise(str(error.filename), 200)}: " if error.filename else ""
        raise ConfigError(f"{where}{error.strerror}; 'predsurv completion show {chosen}' prints the script") from None
    say("it holds in every shell that starts from now on")


def _write(chosen: str, place: CompletionPlace) -> None:
    place.script.parent.mkdir(parents=True, exist_ok=True)
    place.script.write_text(SCRIPTS[chosen], encoding="utf-8")
    say(f"written: {place.script}")
    if place.startup is not None:
        before = place.startup.read_text(encoding="utf-8", errors="surrogateescape") if place.startup.exists() else ""
        if place.line not in before.splitlines():
            with place.startup.open("a", encoding="utf-8") as file:
                file.write(("" if before.endswith("\n") or not before else "\n") + place.line + "\n")
            say(f"added to {place.startup}: {place.line}")


@completion.command("show")
def show(shell: Shell = None) -> None:
    """Print the script, to be put anywhere: eval "$(predsurv completion show bash)"."""
    print(SCRIPTS[_shell(shell)], end="")


def _shell(given: str | None) -> str:
    name = given or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise ConfigError(
            f"no completion for {sanitise(name or 'an unknown shell', 40)!r}; name one of {', '.join(SHELLS)}"
        )
    return name
