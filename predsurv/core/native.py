"""Which compiled extension modules replace their Python implementations.

An extension (``csrc/`` beside its Python module) is built at installation where there is a C compiler. Python does
the same work, slower, when there is none, when it was built from other sources, or with ``PREDSURV_PURE_PYTHON=1``.
"""

import os
from typing import Final, TypeVar

Extension = TypeVar("Extension")

ABI_VERSION: Final = 3
"""Incremented with every change of what an extension takes, returns or reads from Python objects."""

PURE_PYTHON: Final = os.environ.get("PREDSURV_PURE_PYTHON", "") not in ("", "0")
"""Whether the environment asks for the Python implementations; read once, at import."""


def usable(extension: Extension | None) -> Extension | None:
    """Return ``extension`` when it was built from these sources and may be used, else None."""
    fits = getattr(extension, "ABI_VERSION", None) == ABI_VERSION
    return extension if fits and not PURE_PYTHON else None
