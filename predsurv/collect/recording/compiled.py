"""The compiled twins of the hot parts of ``fold`` and ``tops``, where there was a C compiler at installation.

Kept apart because both ask, and must get the same answer.
"""

from predsurv.core.native import accepted

try:
    from predsurv.collect import _native
except ImportError:
    _native = None  # type: ignore[assignment]

native = accepted(_native)
