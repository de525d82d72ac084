"""Notes which calls of a client succeed: one JSON line each. Imports nothing but the standard library."""

import json
from collections.abc import Awaitable, Callable
from typing import Any


def _note(name: str, error: str) -> None:
    print(json.dumps({"call": name, "error": error}), flush=True)


def call(name: str, function: Callable[[], Any]) -> Any:
    """Call ``function`` and note whether it returned something; an empty answer is a failure, too."""
    try:
        result = function()
    except Exception as error:
        _note(name, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return None
    _note(name, "" if result not in (None, [], (), {}, 0) else "empty")
    return result


async def acall(name: str, awaitable: Awaitable[Any]) -> Any:
    """Await ``awaitable`` and note it as ``call`` does."""
    try:
        result = await awaitable
    except Exception as error:
        _note(name, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return None
    _note(name, "" if result not in (None, [], (), {}, 0) else "empty")
    return result
