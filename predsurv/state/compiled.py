"""The compiled twins of ``ladder`` and ``book``, where there was a C compiler at installation.

Kept apart because both ask, and must get the same answer.
"""

from typing import Final

try:
    from predsurv.state import _native
except ImportError:
    _native = None  # type: ignore[assignment]

EDITION: Final = 1
"""What the twins must say of themselves: some left from an earlier version are not used."""

native = _native
COMPILED: Final = native is not None and getattr(native, "EDITION", 0) == EDITION
