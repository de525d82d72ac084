"""Find, read, merge and check the configuration: flag over environment over file over default.

Kept apart from the schema so that precedence and messages are in one place for every key.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from predsurv.config.hosts import url_refusal
from predsurv.config.schema import KEYS, SECTIONS, Config, build
from predsurv.config.secrets import looks_secret, secret_hint
from predsurv.config.value_types import AddressType, EndpointType, LocationType, UrlType, ValueType
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise

Origin = Literal["flag", "env", "file", "default"]

DEFAULT_FILE: Final = Path("config/surveillance.toml")
ENV_PREFIX: Final = "PREDSURV_"
FILE_BYTES_MAX: Final = 1_000_000

ENV_NAMES: Final = {ENV_PREFIX + name.upper().replace(".", "__"): name for name in KEYS}
"""The environment variable of every key."""


class LoadedConfig(Struct, frozen=True):
    """A configuration, where each value came from, and the file that was read (if any)."""

    config: Config
    origins: Mapping[str, Origin]
    path: Path | None


class _GivenValue(NamedTuple):
    """One value as somebody gave it: the dotted key, the raw value and who gave it."""

    key: str
    raw: object
    origin: Origin
    where: str


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> LoadedConfig:
    """Return the checked configuration; raises ConfigError with one line that says what to do.

    ``flags`` by dotted key, None meaning "not given"; text is read like an environment variable.
    ``path`` is looked up as given, then in ``config/``; None takes ``config/surveillance.toml``
    if it is there. ``root`` is the folder relative paths start from, the current one by default.
    """
    found = find(path, root or Path())
    given: list[_GivenValue] = []
    if found is not None:
        given += _from_file(found)
    given += _from_environment(os.environ if environ is None else environ)
    given += _from_flags(flags or {})
    values: dict[str, Any] = {name: key.value for name, key in KEYS.items()}
    origins: dict[str, Origin] = dict.fromkeys(KEYS, "default")
    wheres = dict.fromkeys(KEYS, "default")
    for item in given:
        values[item.key] = _value(item)
        origins[item.key] = item.origin
        wheres[item.key] = item.where
    _check(values, wheres)
    return LoadedConfig(build(values), origins, found)


def find(path: str | os.PathLike[str] | None, root: Path) -> Path | None:
    """Return the file to read, or None for the built-in defaults; raises ConfigError."""
    if path is None:
        default = root / DEFAULT_FILE
        return default if default.is_file() else None
    for candidate in (root / path, root / "config" / path):
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"no configuration file {sanitise(str(path), 128)} here or in config/; check the name or run 'predsurv init'"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; raises ConfigError naming the file and the line."""
    try:
        with path.open("rb") as stream:
            body = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(body) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes; is it the right file?")
    try:
        return tomllib.loads(body.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = sanitise(str(error), 160)
        raise ConfigError(f"{path}: not valid TOML: {reason}; correct that place") from None


def _from_file(path: Path) -> Iterator[_GivenValue]:
    for key, raw in _flatten(read_toml(path), "", str(path)):
        yield _GivenValue(key, raw, "file", str(path))


def _flatten(table: Mapping[str, Any], prefix: str, where: str) -> Iterator[tuple[str, object]]:
    for name, raw in table.items():
        key = prefix + name
        if key in KEYS:
            yield key, raw
        elif key not in SECTIONS:
            raise _unknown(key, where)
        elif isinstance(raw, Mapping):
            yield from _flatten(raw, f"{key}.", where)
        else:
            raise ConfigError(f"{where}: {key}: expected a section, written as [{key}]")


def _from_environment(environ: Mapping[str, str]) -> Iterator[_GivenValue]:
    slips = {variable.replace("__", "_"): variable for variable in ENV_NAMES}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX):
            continue
        where = f"environment variable {sanitise(variable, 80)}"
        if variable in ENV_NAMES:
            yield _GivenValue(ENV_NAMES[variable], text, "env", where)
        elif "__" in variable:
            raise _unknown(variable[len(ENV_PREFIX) :].lower().replace("__", "."), where)
        elif variable in slips:
            raise ConfigError(f"{where}: sections are separated by two underscores; use {slips[variable]}")


def _from_flags(flags: Mapping[str, object]) -> Iterator[_GivenValue]:
    for key, raw in flags.items():
        if raw is None:
            continue
        if key not in KEYS:
            raise _unknown(key, "command line")
        yield _GivenValue(key, raw, "flag", "command line")


def _value(given: _GivenValue) -> object:
    kind = KEYS[given.key].kind
    try:
        if given.origin != "file" and isinstance(given.raw, str):
            return kind.from_text(given.raw)
        return kind.parse(given.raw)
    except ValueError:
        shown = _shown(kind, given.raw)
        raise ConfigError(f"{given.where}: {given.key}: expected {kind.expected}{shown}") from None


def _shown(kind: ValueType, raw: object) -> str:
    # What was pasted where an address or URL belongs may well be a key or a password.
    if isinstance(kind, AddressType | EndpointType | LocationType | UrlType) or not isinstance(raw, str | int | float):
        return ""
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    quote = '"' if isinstance(raw, str) else ""
    return f"; got {quote}{sanitise(text, 40)}{quote}"


def _unknown(key: str, where: str) -> ConfigError:
    name = sanitise(key, 80)
    if looks_secret(key):
        return ConfigError(f"{where}: {name}: {secret_hint()}")
    near = _nearest(key)
    hint = f"did you mean {near}?" if near else "see config/surveillance.toml for every key"
    return ConfigError(f"{where}: {name}: unknown key; {hint}")


def _nearest(key: str) -> str | None:
    """Return the known key or section closest to ``key``: same section first, then any."""
    prefix, _, leaf = key[:80].rpartition(".")
    everything = [*KEYS, *sorted(SECTIONS)]
    leaves = {name.rpartition(".")[2]: name for name in reversed(everything)}
    siblings = {name.rpartition(".")[2]: name for name in everything if name.rpartition(".")[0] == prefix}
    for names in (siblings, leaves, {name: name for name in everything}):
        for wanted in (leaf, key[:80]):
            close = get_close_matches(wanted, names, n=1, cutoff=0.6)
            if close:
                return names[close[0]]
    return None


def _check(values: Mapping[str, Any], wheres: Mapping[str, str]) -> None:
    """Raise ConfigError for what no key can know alone."""
    for name, key in KEYS.items():
        if not isinstance(key.kind, UrlType):
            continue
        reason = url_refusal(
            key.kind.venue,
            key.kind.scheme,
            values[name],
            allow_custom=values["allow_custom_hosts"],
        )
        if reason is not None:
            raise ConfigError(f"{wheres[name]}: {name}: {reason}")
    if values["storage.heartbeat_interval"] < values["storage.snapshot_interval"]:
        raise ConfigError(
            f"{wheres['storage.heartbeat_interval']}: storage.heartbeat_interval: "
            "must not be shorter than storage.snapshot_interval"
        )
