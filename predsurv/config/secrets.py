"""Secrets: read from the environment or private files, held so that they cannot be printed by accident.

They are no part of ``Config``, which is printed, written back and pickled.
"""

import os
import re
import stat
from collections.abc import Mapping
from typing import Final, NoReturn

from predsurv.core.errors import ConfigError

SECRETS: Final = (
    "PREDSURV_POLYMARKET_PRIVATE_KEY",
    "PREDSURV_KALSHI_KEY_ID",
    "PREDSURV_KALSHI_PRIVATE_KEY",
)
"""Environment variables of secrets; ``<NAME>_FILE`` may name a file instead."""

SECRET_BYTES_MAX: Final = 16_384

_LOOKS_SECRET = re.compile(
    r"private_?key|api_?key|access_?key|key_?id|secret|passphrase|password|passwd|mnemonic|seed_?phrase"
    r"|credential|token|auth",
    re.IGNORECASE,
)


class Secret:
    """A value that only ``reveal`` returns: ``str``, ``repr``, pickle and tracebacks do not show it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself; call this where it is used and keep the result in a local variable."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")


def looks_secret(key: str) -> bool:
    """Return whether a configuration key of this name is likely to hold a secret."""
    return _LOOKS_SECRET.search(key) is not None


def secret_hint() -> str:
    """Return the part of an error message that says where secrets belong."""
    return (
        "a secret never goes into a configuration file or a flag: set "
        + ", ".join(SECRETS[:-1])
        + f" or {SECRETS[-1]} in the environment, or name a file (mode 600) with the same "
        "variable plus _FILE; an object store takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def read_secret(name: str, environ: Mapping[str, str] | None = None) -> Secret | None:
    """Return the secret ``name`` from the environment or from the file that ``<name>_FILE`` names.

    None when neither is set. Raises ConfigError when both are, or when the file is a link, empty, larger than
    SECRET_BYTES_MAX, not ASCII, or open to group or others.
    """
    env = os.environ if environ is None else environ
    value, path = env.get(name), env.get(f"{name}_FILE")
    if value and path:
        raise ConfigError(f"both {name} and {name}_FILE are set; unset one of them")
    if path:
        return Secret(_read_private(f"{name}_FILE", path))
    return Secret(value.strip()) if value else None


def _read_private(variable: str, path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        reason = "is a symbolic link" if os.path.islink(path) else error.strerror
        raise ConfigError(f"{variable}: cannot read the key file: {reason}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{variable}: not a regular file")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"{variable}: the key file can be read by others (mode "
                f"{stat.S_IMODE(status.st_mode):o}); run 'chmod 600' on it"
            )
        body = os.read(descriptor, SECRET_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if len(body) > SECRET_BYTES_MAX or not body.strip():
        raise ConfigError(f"{variable}: the key file is empty or larger than 16 KiB")
    try:
        return body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{variable}: the key file is not plain text") from None
