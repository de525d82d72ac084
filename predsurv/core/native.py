"""The compiled extension module, which replaces the hottest Python implementations.

It is built at installation, of the C sources in ``predsurv/csrc/``, where there is a C compiler. Python does the same
work, slower, when there is none, when it was built from other sources, or with ``PREDSURV_PURE_PYTHON=1``.
"""

import os
from typing import Final, TypeVar

Extension = TypeVar("Extension")

EDITION: Final = 19
"""Incremented with every change of what C takes, returns or reads from Python objects; ``csrc/edition.h`` has it too.

The module compares both when it is imported, before anything else, and cannot be imported when they differ.
"""

PURE_PYTHON: Final = os.environ.get("PREDSURV_PURE_PYTHON", "") not in ("", "0")
"""Whether the environment asks for the Python implementations; read once, at import."""

try:
    from predsurv import _speedups
except ImportError:  # there was no compiler, or it was built from other sources
    _speedups = None  # type: ignore[assignment]


def _allowed(module: Extension | None) -> Extension | None:
    return None if PURE_PYTHON else module


speedups = _allowed(_speedups)
"""The module, None when Python has to do the work."""
