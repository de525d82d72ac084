"""The compiled implementation of ``ladder`` and ``book``; None without one."""

from typing import Final

from predsurv.core.native import usable

try:
    from predsurv.state import _native
except ImportError:
    _native = None  # type: ignore[assignment]

native: Final = usable(_native)
