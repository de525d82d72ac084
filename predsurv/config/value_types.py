"""The types of configuration values: how each is read, checked and written.

Plain values (``PlainType``) are checked by msgspec; the others have a syntax of their own: ``"5m"``, ``"64MB"``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, TypeGuard, get_args, get_origin
from urllib.parse import urlsplit

from msgspec import Meta, convert

from predsurv.config.hosts import clean_url, is_loopback
from predsurv.config.units import format_bytes, parse_bytes
from predsurv.core.durations import format_duration, parse_duration
from predsurv.core.num import MICROS, format_micros, parse_signed_micros

Toml = str | int | bool | list[str] | dict[str, str] | dict[str, dict[str, Any]]
"""The TOML values a key can have."""

LIST_ITEMS_MAX: Final = 10_000
TEXT_CHARS_MAX: Final = 512
SHARDS_MAX: Final = 1_024

Name = Annotated[
    str, Meta(pattern=r"\A[a-z0-9_-]{1,32}\Z", description="1 to 32 characters out of a-z, 0-9, '_' and '-'")
]
"""A short identifier that is safe in paths, labels and file names."""

Host = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9.:-]{1,253}\Z", description='a host name or address, such as "127.0.0.1"')
]
"""An address to listen on."""

Region = Annotated[
    str, Meta(pattern=r"\A[a-z0-9-]{0,40}\Z", description='a region such as "eu-central-1", or "" for none')
]
"""The region of a bucket, or ""."""

_WHOLE = re.compile(r"-?[0-9]{1,18}\Z", re.ASCII)
_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})\Z", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/", re.ASCII)
_BUCKET = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]((?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9!_.*'()=-]+)*)/?\Z", re.ASCII
)
_BOOLS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ValueType(Protocol):
    """How the value of one key is read and written; ``parse`` and ``from_text`` raise ValueError."""

    @property
    def expected(self) -> str:
        """What a user may write, bounds included."""
        ...

    def parse(self, raw: object) -> object:
        """Return the value of ``raw``, as read from a TOML file or a typed flag."""
        ...

    def from_text(self, text: str) -> object:
        """Return the value of the text of an environment variable or an untyped flag."""
        return self.parse(text)

    def render(self, value: Any) -> Toml:
        """Return the TOML value that ``parse`` turns back into ``value``."""
        return str(value)


@dataclass(frozen=True, slots=True)
class PlainType(ValueType):
    """A bool, int, str or Literal, checked by msgspec against ``hint`` and the ``Meta`` in it."""

    hint: Any

    @property
    def expected(self) -> str:
        if self.hint is bool:
            return "true or false"
        if get_origin(self.hint) is Literal:
            return "one of " + ", ".join(f'"{option}"' for option in get_args(self.hint))
        meta = get_args(self.hint)[1]
        return meta.description or f"a whole number from {meta.ge} to {meta.le}"

    def parse(self, raw: object) -> object:
        return convert(raw, self.hint)

    def from_text(self, text: str) -> object:
        if self.hint is bool:
            return self.parse(_BOOLS.get(text.strip().lower()))
        is_whole = get_args(self.hint)[0] is int and _WHOLE.match(text)
        return self.parse(int(text) if is_whole else text)

    def render(self, value: Any) -> Toml:
        return value  # type: ignore[no-any-return]  # each of these types is a TOML type


@dataclass(frozen=True, slots=True)
class DurationType(ValueType):
    """Text such as ``"5m"``; the value and its bounds are ns."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        bounds = f"from {format_duration(self.low)} to {format_duration(self.high)}"
        return f'a duration {bounds}, a number and its unit in quotes, such as "500ms" or "5m"'

    def parse(self, raw: object) -> int:
        return _in_range(parse_duration(plain_text(raw)), self.low, self.high)

    def render(self, value: int) -> Toml:
        return format_duration(value)


@dataclass(frozen=True, slots=True)
class AmountType(ValueType):
    """A decimal (money, size, share, weight) in quotes or a whole number; the value and its bounds are micros."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        bounds = f"from {format_micros(self.low)} to {format_micros(self.high)}"
        return f'a decimal {bounds} in quotes, such as "0.5", with at most 6 decimals'

    def parse(self, raw: object) -> int:
        micros = raw * MICROS if _is_int(raw) else parse_signed_micros(plain_text(raw))
        return _in_range(micros, self.low, self.high)

    def render(self, value: int) -> Toml:
        return format_micros(value)


@dataclass(frozen=True, slots=True)
class BytesType(ValueType):
    """A size in bytes: a whole number, or text such as ``"64MB"``."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        bounds = f"from {format_bytes(self.low)} to {format_bytes(self.high)}"
        return f'a size {bounds}, a number of bytes or text such as "64MB"'

    def parse(self, raw: object) -> int:
        size = raw if _is_int(raw) else parse_bytes(plain_text(raw))
        return _in_range(size, self.low, self.high)

    def render(self, value: int) -> Toml:
        return format_bytes(value)


class NamesType(ValueType):
    """A list of texts; commas separate them in an environment variable."""

    expected = 'a list of texts, such as ["a", "b"]'

    def parse(self, raw: object) -> tuple[str, ...]:
        if isinstance(raw, str) or not isinstance(raw, Sequence) or len(raw) > LIST_ITEMS_MAX:
            raise ValueError("not a list")
        items = tuple(plain_text(item) for item in raw)
        if not all(items):
            raise ValueError("empty item")
        return items

    def from_text(self, text: str) -> tuple[str, ...]:
        return self.parse([item.strip() for item in text.split(",") if item.strip()])

    def render(self, value: Sequence[str]) -> Toml:
        return list(value)


@dataclass(frozen=True, slots=True)
class WeightsType(ValueType):
    """A table of decimals by name; ``name=decimal`` pairs in an environment variable. Values and bounds are micros."""

    example: str
    low: int = -(10**12)
    high: int = 10**12

    @property
    def expected(self) -> str:
        return (
            f"a table of decimals from {format_micros(self.low)} to {format_micros(self.high)}, such as {self.example}"
        )

    def parse(self, raw: object) -> dict[str, int]:
        if not isinstance(raw, Mapping) or len(raw) > LIST_ITEMS_MAX:
            raise ValueError("not a table")
        amount = AmountType(self.low, self.high)
        return {convert(name, Name): amount.parse(value) for name, value in raw.items()}

    def from_text(self, text: str) -> dict[str, int]:
        pairs = [item.partition("=") for item in text.split(",") if item.strip()]
        return self.parse({name.strip(): value.strip() for name, _, value in pairs})

    def render(self, value: Mapping[str, int]) -> Toml:
        return {name: format_micros(weight) for name, weight in value.items()}


class ParametersType(ValueType):
    """A table by strategy of the values of its parameters, which the strategy itself gives a meaning to."""

    expected = "a section for each strategy, such as [strategies.simple], with values by parameter"

    def parse(self, raw: object) -> dict[str, dict[str, Any]]:
        if not isinstance(raw, Mapping) or len(raw) > LIST_ITEMS_MAX:
            raise ValueError("not a table")
        return {convert(name, Name): _parameters(table) for name, table in raw.items()}

    def from_text(self, text: str) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        raise ValueError("set in the file or by --param")

    def render(self, value: Mapping[str, Mapping[str, Any]]) -> Toml:
        return {name: dict(parameters) for name, parameters in value.items()}


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Which part of the instruments this collector records: ``index`` of ``count``, from 1."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


class ShardType(ValueType):
    """A shard such as ``"2/4"``."""

    expected = f'a shard such as "1/4": this part, of how many (at most {SHARDS_MAX})'

    def parse(self, raw: object) -> Shard:
        match = _SHARD.match(plain_text(raw))
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= SHARDS_MAX:
            raise ValueError("not a shard")
        return Shard(int(match[1]), int(match[2]))


class AddressType(ValueType):
    """An account address on the chain, or ""; the value is never echoed, it could be a private key."""

    expected = 'an address: "0x" and 40 hexadecimal digits, or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if text and not _ADDRESS.match(text):
            raise ValueError("not an address")
        return text


@dataclass(frozen=True, slots=True)
class UrlType(ValueType):
    """A base URL of ``venue``; ``loading`` checks its host, once ``allow_custom_hosts`` is known."""

    venue: str
    scheme: str

    @property
    def expected(self) -> str:
        return f'a URL that starts with "{self.scheme}://", without user, query or fragment'

    def parse(self, raw: object) -> str:
        return clean_url(plain_text(raw))


class EndpointType(ValueType):
    """The URL of an object store, or ""; ``http`` is accepted for this machine only."""

    expected = 'a URL that starts with "https://" ("http://" on this machine only), without user, or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not text:
            return text
        url = clean_url(text)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError("neither encrypted nor on this machine")
        return url


class FolderType(ValueType):
    """A folder, relative to where the program runs; ``~`` is the home folder."""

    expected = "a path to a folder, not empty"

    def parse(self, raw: object) -> Path:
        text = str(raw) if isinstance(raw, Path) else plain_text(raw, 4096)
        if not text.strip():
            raise ValueError("empty path")
        return Path(text).expanduser()


class FileType(FolderType):
    """A file, relative to where the program runs; ``~`` is the home folder."""

    expected = "a path to a file, not empty"


class LocationType(ValueType):
    """A folder (the value is a Path) or a bucket of an object store (its URL, without a slash at the end)."""

    expected = 'a path to a folder, or a bucket such as "s3://bucket/prefix"'

    def parse(self, raw: object) -> Path | str:
        if isinstance(raw, Path) or not _SCHEME.match(plain_text(raw, 4096)):
            return FolderType().parse(raw)
        text = plain_text(raw)
        if not _BUCKET.match(text):
            raise ValueError("not a bucket")
        return text.rstrip("/")


def plain_text(raw: object, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return ``raw`` when it is printable text of at most ``chars_max`` characters; raises ValueError."""
    if not isinstance(raw, str) or len(raw) > chars_max or not raw.isprintable():
        raise ValueError("not a plain text")
    return raw


def _parameters(raw: object) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or len(raw) > LIST_ITEMS_MAX:
        raise ValueError("not a table")
    return {plain_text(name, 64): _parameter(value) for name, value in raw.items()}


def _parameter(raw: object) -> object:
    if isinstance(raw, list):
        return [_parameter(each) for each in raw]
    if isinstance(raw, bool | int | float):
        return raw
    return plain_text(raw)


def _in_range(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError("out of range")
    return value


def _is_int(raw: object) -> TypeGuard[int]:
    return isinstance(raw, int) and not isinstance(raw, bool)
