"""Show a configuration and write it back to a file.

A module of its own because it imports the TOML writer, which only a few commands need.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import tomli_w

from predsurv.config.loading import ENV_PREFIX, LoadedConfig, load
from predsurv.config.schema import Config, walk
from predsurv.config.secrets import looks_secret
from predsurv.config.value_types import Toml
from predsurv.core.errors import ConfigError

REDACTED: Final = "***"
_HEADER: Final = "# Written by predsurv. config/surveillance.toml explains every key.\n\n"


class ConfigRow(NamedTuple):
    """One line of ``config show``: the dotted key, its value as text, and its origin."""

    key: str
    value: str
    origin: str


def as_rows(loaded: LoadedConfig) -> Sequence[ConfigRow]:
    """Return every key with its value and origin; values of keys that look like secrets are redacted."""
    return [
        ConfigRow(key.name, _cell(key.name, key.value_type.render(key.value)), _origin(loaded, key.name))
        for key in walk(loaded.config)
    ]


def to_toml(config: Config) -> str:
    """Return the configuration as TOML text; reading it gives an equal configuration."""
    tables: dict[str, Any] = {}
    for key in walk(config):
        *sections, leaf = key.name.split(".")
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
        table[leaf] = key.value_type.render(key.value)
    return _HEADER + tomli_w.dumps(tables)


def write_back(config: Config, path: Path) -> None:
    """Replace ``path`` by ``config`` atomically; raises ConfigError and leaves the old file.

    The new file is loaded once before it replaces the old one, so that an unreadable configuration is never left
    behind. Comments in the old file are lost.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".predsurv-", suffix=".toml", dir=path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(to_toml(config))
            stream.flush()
            os.fsync(stream.fileno())
        load(draft.absolute(), environ={})
        draft.replace(path)
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(draft.absolute()), str(path))) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)


def _origin(loaded: LoadedConfig, key: str) -> str:
    origin: str = loaded.origins[key]
    if origin == "env":
        origin = f"env {ENV_PREFIX}{key.upper().replace('.', '__')}"
    elif origin == "file":
        origin = f"file {loaded.path}"
    return origin


def _cell(key: str, value: Toml) -> str:
    if looks_secret(key):
        return REDACTED
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(_pair(name, each) for name, each in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _pair(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}.{inner}={each}" for inner, each in value.items())
    return f"{name}={value}"
