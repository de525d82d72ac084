"""Everything that a program may show of an object by accident: texts, logs, and a traceback with its locals."""

import logging
import traceback

import pytest


def everything_shown(caplog: pytest.LogCaptureFixture, *things: object) -> str:
    """Return what is shown of ``things`` in all these ways."""
    with caplog.at_level(logging.DEBUG):
        for thing in things:
            logging.getLogger("shown").warning("%s %r %s", thing, thing, {"thing": [thing]})
    texts = [f"{thing} {thing!r} {[thing]}" for thing in things]
    return "\n".join([*texts, _traceback(things), caplog.text])


def _traceback(things: tuple[object, ...]) -> str:
    try:
        _fail(*things)
    except RuntimeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


def _fail(*things: object) -> None:
    first = things[0]
    raise RuntimeError(first, *things)
