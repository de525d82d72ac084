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


def whole_traceback(error: BaseException) -> str:
    """Return what a traceback with local variables shows of ``error``, frames of tests aside: those hold the secret."""
    parts = [traceback.TracebackException.from_exception(error, capture_locals=True)]
    while (context := parts[-1].__context__ or parts[-1].__cause__) is not None:
        parts.append(context)
    frames = [frame for part in parts for frame in part.stack if "/tests/" not in frame.filename]
    return "\n".join([*(f"{frame.line} {frame.locals}" for frame in frames), *(str(part) for part in parts)])


def _traceback(things: tuple[object, ...]) -> str:
    try:
        _fail(*things)
    except RuntimeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


def _fail(*things: object) -> None:
    first = things[0]
    raise RuntimeError(first, *things)
