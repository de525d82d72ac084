"""The compiled implementation of the hot parts of ``reducer`` and ``snapshots``; None without one."""

from predsurv.core.native import usable

try:
    from predsurv.collect import _native
except ImportError:
    _native = None  # type: ignore[assignment]

native = usable(_native)
