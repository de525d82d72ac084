"""The compiled twins of ``ladder`` and ``book``, where there was a C compiler at installation.

Kept apart because both ask, and must get the same answer.
"""

from typing import Final

from predsurv.core.native import accepted

try:
    from predsurv.state import _native
except ImportError:
    _native = None  # type: ignore[assignment]

native: Final = accepted(_native)
