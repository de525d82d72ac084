"""How a command says that it failed: one line of stderr, text for people or a JSON object for programs.

Imports nothing that costs time, so that a mistake in the arguments is told before any parser is loaded.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final

from predsurv.cli import streams
from predsurv.core.errors import INTERRUPTED

KINDS: Final = {
    1: "failed",
    2: "usage",
    3: "unreachable",
    4: "damaged",
    5: "refused",
    INTERRUPTED: "interrupted",
}
"""What an exit code means, as programs read it."""

_JSON_FORMATS: Final = ("json", "jsonl")
_FLAG: Final = "--format"
_WIDTH: Final = 80


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether ``arguments`` ask for data as JSON, and thereby for failures as JSON; the last format counts."""
    form = ""
    for word, following in pairwise([*arguments, ""]):
        if word == "--":
            break
        if word == _FLAG:
            form = following
        elif word.startswith(f"{_FLAG}="):
            form = word.removeprefix(f"{_FLAG}=")
    return form in _JSON_FORMATS


def failure_line(message: str, code: int, *, as_json: bool) -> str:
    """Return the line for a command that ends with the exit ``code``; ``message`` is one line without its "error".

    As JSON: ``{"error": {"kind": "usage", "exit_code": 2, "message": "…"}}``.
    """
    if not as_json:
        return f"error: {message}"
    import json  # a tenth of the time that the top-level help takes

    told = {"kind": KINDS.get(code, KINDS[1]), "exit_code": code, "message": message}
    return json.dumps({"error": told}, ensure_ascii=False)


def complain(line: str) -> None:
    """Print ``line`` to stderr, unless nobody reads it; the exit code says the same.

    A terminal gets text folded between words; JSON stays a line.
    """
    with suppress(OSError):
        folds = sys.stderr.isatty() and not line.startswith("{")
        print(_folded(line, _width()) if folds else line, file=sys.stderr, flush=True)


def _width() -> int:
    """Return the columns of the terminal that stderr is; what asks for it elsewhere costs a quarter of the help."""
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH


def _folded(line: str, width: int) -> str:
    """Return ``line`` in rows of at most ``width`` characters, further ones two in; a longer word stays whole."""
    rows = [""]
    for word in line.split(" "):
        longer = f"{rows[-1]} {word}" if rows[-1].strip() else rows[-1] + word
        if len(longer) > width and rows[-1].strip():
            rows.append(f"  {word}")
        else:
            rows[-1] = longer
    return "\n".join(rows)


def say_interrupted(*, as_json: bool) -> None:
    """Say that the command was interrupted, to whoever takes it within a moment."""
    line = failure_line("interrupted", INTERRUPTED, as_json=as_json) if as_json else "interrupted"
    streams.say_briefly(line)
