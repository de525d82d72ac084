"""Every error the program raises on purpose, grouped by what the caller can do about it.

A ``try`` thereby names the reaction, not the library that failed.

    PredsurvError
    ├── ConfigError       the user must change something             exit 2
    ├── TransientError    try again after ``retry_after_ns``         exit 3 when it persists
    │   └── RateLimited   the venue asked us to slow down
    ├── PermanentError    asking again cannot help                   exit 3
    ├── AmbiguousError    an order may exist: reconcile first        exit 3
    ├── WireError         one message cannot be read: counted        exit 3
    ├── IntegrityError    stored data is damaged                     exit 4
    ├── SafetyError       refused to protect money or data           exit 5
    ├── StrategyError     the code of a user's strategy failed       exit 1
    └── BrokenInvariant   a bug of ours: crash                       exit 1

Every message is one line: what happened, where, and the next step. What the operating system refuses is told by
``disk_refused``: a full disk is a TransientError, and so is a folder that is not writable, which ends with exit 2.
"""

import errno
from typing import Final

_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SQLITE_NOT_ALLOWED: Final = ("SQLITE_READONLY", "SQLITE_PERM")
MAKE_WRITABLE: Final = "let this user read and write there, or set data_dir to another folder"
FREE_SPACE: Final = "free disk space"
INTERRUPTED: Final = 130
"""Exit code of what was interrupted before it had done what was asked for."""


class PredsurvError(Exception):
    """Root of the tree; ``str(error)`` is the one line that is shown to the user."""

    exit_code = 1


class ConfigError(PredsurvError):
    """Usage or configuration that the user must change."""

    exit_code = 2


class TransientError(PredsurvError):
    """The venue or network failed in a way that may be temporary.

    ``retry_after_ns`` is the wait that the venue asked for, None when it asked for none.
    """

    exit_code = 3

    def __init__(self, message: str, retry_after_ns: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_ns = retry_after_ns


class RateLimited(TransientError):
    """The venue answered 429 (or refused a handshake for load)."""


class PermanentError(PredsurvError):
    """The venue refused for a reason that a repetition will not change."""

    exit_code = 3


class AmbiguousError(PredsurvError):
    """A request was sent and its outcome is not known; the order may exist."""

    exit_code = 3


class WireError(PredsurvError):
    """A message from a venue that is not in its documented form."""

    exit_code = 3


class IntegrityError(PredsurvError):
    """Stored data does not match its checksum, order or manifest."""

    exit_code = 4


class SafetyError(PredsurvError):
    """Refused because going on would risk money or data."""

    exit_code = 5


class StrategyError(PredsurvError):
    """The code of a strategy raised an error or returned what is no decision; names its file and line."""


class BrokenInvariant(PredsurvError):
    """An impossible state was reached; nothing derived from it can be trusted."""


def is_not_allowed(error: BaseException) -> bool:
    """Return whether ``error`` (of the operating system or SQLite) says that this user may not read or write there."""
    if isinstance(error, OSError):
        return error.errno in _NOT_ALLOWED
    return str(getattr(error, "sqlite_errorname", "")).startswith(_SQLITE_NOT_ALLOWED)


def is_no_space(error: BaseException) -> bool:
    """Return whether ``error`` (of the operating system or SQLite) says that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a command that ends with ``error``; what this user may not do is configuration."""
    reasons = leaves(error)
    expected = [reason.exit_code for reason in reasons if isinstance(reason, PredsurvError)]
    if len(expected) == len(reasons):
        return expected[0]
    odd = next(reason for reason in reasons if not isinstance(reason, PredsurvError))
    if isinstance(odd, KeyboardInterrupt):
        return INTERRUPTED
    return ConfigError.exit_code if is_not_allowed(odd) else 1


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors that a group consists of, or the error itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for part in error.exceptions for leaf in leaves(part)]


def disk_trouble(doing: str, error: Exception) -> str:
    """Return the line for what the disk refused: ``doing``, the reason, the next step."""
    reason = str(error)
    if isinstance(error, OSError) and error.strerror:
        reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{doing} ({reason}): {MAKE_WRITABLE if is_not_allowed(error) else FREE_SPACE}"


def disk_refused(doing: str, error: Exception) -> TransientError:
    """Return the error to raise when the disk refuses ``doing``; where this user may not write it ends with exit 2."""
    refused = TransientError(disk_trouble(doing, error))
    if is_not_allowed(error):
        refused.exit_code = ConfigError.exit_code
    return refused
