"""Two folders change places in one step, so that no listing ever sees both or neither.

Kept apart because it is the one call into the C library, and the one thing that some file systems
cannot do.
"""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

from predsurv.core.errors import ConfigError

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_IMPOSSIBLE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def exchange(one: Path, other: Path) -> None:
    """Let the folders ``one`` and ``other`` change places; durable after ``sync_dir`` of both parents.

    Raises OSError, and ConfigError where the system or the file system cannot do it.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise ConfigError("this system cannot exchange two folders in one step: set storage.compact = false")
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code in _IMPOSSIBLE:
        raise ConfigError(f"the file system of {one} cannot exchange two folders: set storage.compact = false")
    raise OSError(code, os.strerror(code), str(one))
