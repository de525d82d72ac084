"""Find, read, merge and check the configuration: flag over environment over file over default.

Precedence and error messages are here, for every key of the schema alike.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from predsurv.config.hosts import url_refusal
from predsurv.config.schema import KEYS, SECTIONS, Config, build
from predsurv.config.secrets import looks_secret, secret_hint
from predsurv.config.value_types import AddressType, EndpointType, LocationType, UrlType
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise

Origin = Literal["flag", "env", "file", "default"]

DEFAULT_FILE: Final = Path("config/surveillance.toml")
ENV_PREFIX: Final = "PREDSURV_"
FILE_BYTES_MAX: Final = 1_000_000

ENV_NAMES: Final = {ENV_PREFIX + name.upper().replace(".", "__"): name for name in KEYS}
"""The dotted key of every environment variable."""

_SLIP: Final = 0.65
_SAME: Final = 0.85
"""How alike (1.0: the same) two names are of which one may be a slip of the other: in its place, and anywhere else."""

_NEVER_ECHOED: Final = (AddressType, EndpointType, LocationType, UrlType)
"""Types whose wrong values are not repeated in messages: a key or a password may have been pasted there."""


class LoadedConfig(Struct, frozen=True):
    """A configuration, the origin of each value by dotted key, and the file that was read (if any)."""

    config: Config
    origins: Mapping[str, Origin]
    path: Path | None


class _RawValue(NamedTuple):
    """An unchecked value for a dotted key; ``source`` names its origin in messages."""

    key: str
    raw: object
    origin: Origin
    source: str


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> LoadedConfig:
    """Return the checked configuration; raises ConfigError, one line that names the next step.

    ``flags`` by dotted key, None meaning "not given"; text is read like an environment variable.
    ``path`` is looked up as given, then in ``config/``; None takes ``config/surveillance.toml``
    if it exists. ``root`` is the folder relative paths start from, the current one by default.
    """
    found = find(path, root or Path())
    raw_values: list[_RawValue] = []
    if found is not None:
        raw_values += _from_file(found)
    raw_values += _from_environment(os.environ if environ is None else environ)
    raw_values += _from_flags(flags or {})
    values: dict[str, Any] = {name: key.value for name, key in KEYS.items()}
    origins: dict[str, Origin] = dict.fromkeys(KEYS, "default")
    sources = dict.fromkeys(KEYS, "default")
    for each in raw_values:  # in order of precedence: the last one wins
        values[each.key] = _checked(each)
        origins[each.key] = each.origin
        sources[each.key] = each.source
    _check_together(values, sources)
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


def _from_file(path: Path) -> Iterator[_RawValue]:
    for key, raw in _flatten(read_toml(path), "", str(path)):
        yield _RawValue(key, raw, "file", str(path))


def _flatten(table: Mapping[str, Any], prefix: str, source: str) -> Iterator[tuple[str, object]]:
    for name, raw in table.items():
        key = prefix + name
        if key in KEYS:
            yield key, raw
        elif key not in SECTIONS:
            raise _unknown(key, source)
        elif isinstance(raw, Mapping):
            yield from _flatten(raw, f"{key}.", source)
        else:
            raise ConfigError(f"{source}: {key}: expected a section, written as [{key}]")


def _from_environment(environ: Mapping[str, str]) -> Iterator[_RawValue]:
    with_one_underscore = {variable.replace("__", "_"): variable for variable in ENV_NAMES}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX):
            continue
        source = f"environment variable {sanitise(variable, 80)}"
        if variable in ENV_NAMES:
            yield _RawValue(ENV_NAMES[variable], text, "env", source)
        elif "__" in variable:
            raise _unknown(variable[len(ENV_PREFIX) :].lower().replace("__", "."), source)
        elif variable in with_one_underscore:
            meant = with_one_underscore[variable]
            raise ConfigError(f"{source}: sections are separated by two underscores; use {meant}")


def _from_flags(flags: Mapping[str, object]) -> Iterator[_RawValue]:
    for key, raw in flags.items():
        if raw is None:
            continue
        if key not in KEYS:
            raise _unknown(key, "command line")
        yield _RawValue(key, raw, "flag", "command line")


def _checked(given: _RawValue) -> object:
    value_type = KEYS[given.key].value_type
    try:
        if given.origin != "file" and isinstance(given.raw, str):
            return value_type.from_text(given.raw)
        return value_type.parse(given.raw)
    except ValueError:
        echo = "" if isinstance(value_type, _NEVER_ECHOED) else _echo(given.raw)
        raise ConfigError(f"{given.source}: {given.key}: expected {value_type.expected}{echo}") from None


def _echo(raw: object) -> str:
    if not isinstance(raw, str | int | float):
        return ""
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    quote = '"' if isinstance(raw, str) else ""
    return f"; got {quote}{sanitise(text, 40)}{quote}"


def _unknown(key: str, source: str) -> ConfigError:
    name = sanitise(key, 80)
    if looks_secret(key):
        return ConfigError(f"{source}: {name}: {secret_hint()}")
    near = _nearest(key)
    hint = f"did you mean {near}?" if near else "see config/surveillance.toml for every key"
    return ConfigError(f"{source}: {name}: unknown key; {hint}")


def _nearest(key: str) -> str | None:
    """Return the known key or section that ``key`` may be a slip of, None where none is near.

    Compared are last names alone: whole keys of one section look alike whatever their last names. First those of the
    same section, then of the section that its own name may be a slip of, then the same name anywhere.
    """
    prefix, _, leaf = key[:80].rpartition(".")
    everything = [*KEYS, *sorted(SECTIONS)]
    near = _closest(leaf, [each for each in everything if each.rpartition(".")[0] == prefix], _SLIP)
    if near is None and prefix and prefix not in SECTIONS:
        section = next(iter(get_close_matches(prefix, SECTIONS, n=1, cutoff=_SLIP)), prefix)
        near = _closest(leaf, [each for each in KEYS if each.rpartition(".")[0] == section], _SLIP)
    elsewhere = (each for each in everything if not key.startswith(f"{each}."))  # never the section it stands in
    return near or _closest(leaf, elsewhere, _SAME)


def _closest(leaf: str, names: Iterable[str], cutoff: float) -> str | None:
    leaves = dict[str, str]()
    for name in names:
        leaves.setdefault(name.rpartition(".")[2], name)
    return next((leaves[each] for each in get_close_matches(leaf, leaves, n=1, cutoff=cutoff)), None)


def _check_together(values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
    """Check the rules that involve more than one key; raises ConfigError."""
    for name, key in KEYS.items():
        url = key.value_type
        if not isinstance(url, UrlType):
            continue
        reason = url_refusal(url.venue, url.scheme, values[name], allow_custom=values["allow_custom_hosts"])
        if reason is not None:
            raise ConfigError(f"{sources[name]}: {name}: {reason}")
    if values["storage.heartbeat_interval"] < values["storage.snapshot_interval"]:
        raise ConfigError(
            f"{sources['storage.heartbeat_interval']}: storage.heartbeat_interval: "
            "must not be shorter than storage.snapshot_interval"
        )
