"""The kinds of value a configuration key can hold: how each is read, bounded and written.

Kept apart from the schema so that a new key is one line there, and every message about a wrong
value is composed from the same words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from predsurv.config.hosts import clean_url, is_loopback
from predsurv.config.units import format_bytes, format_duration, parse_bytes, parse_duration
from predsurv.core.num import format_micros, parse_signed_micros

Toml = str | int | bool | list[str] | dict[str, str]
"""What a key looks like in a TOML file."""

LIST_ITEMS_MAX: Final = 10_000
TEXT_CHARS_MAX: Final = 512

_WHOLE = re.compile(r"-?[0-9]{1,18}\Z", re.ASCII)
_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})\Z", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{0,40}\Z", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/", re.ASCII)
_BUCKET = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]((?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9!_.*'()=-]+)*)/?\Z", re.ASCII
)
_BOOLS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ValueType(Protocol):
    """How one key is read and written; both readers raise ValueError for a value outside it."""

    @property
    def expected(self) -> str:
        """What the user should have written, bounds included."""
        ...

    def parse(self, raw: object) -> object:
        """Return the value for what a TOML file or a typed flag holds."""
        ...

    def from_text(self, text: str) -> object:
        """Return the value for what an environment variable or an untyped flag holds."""
        ...

    def render(self, value: Any) -> Toml:
        """Return what ``parse`` would turn back into ``value``."""
        ...


def _checked(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError("out of range")
    return value


def plain_text(raw: object, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return ``raw`` when it is a text of one line, not too long; raises ValueError."""
    if not isinstance(raw, str) or len(raw) > chars_max or not raw.isprintable():
        raise ValueError("not a plain text")
    return raw


@dataclass(frozen=True, slots=True)
class FlagType:
    """true or false."""

    expected: str = "true or false"

    def parse(self, raw: object) -> bool:
        if raw is True or raw is False:
            return raw
        raise ValueError("not a boolean")

    def from_text(self, text: str) -> bool:
        value = _BOOLS.get(text.strip().lower())
        if value is None:
            raise ValueError("not a boolean")
        return value

    def render(self, value: Any) -> Toml:
        return bool(value)


@dataclass(frozen=True, slots=True)
class CountType:
    """A whole number from ``low`` to ``high``."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def parse(self, raw: object) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool):
            return _checked(raw, self.low, self.high)
        raise ValueError("not a whole number")

    def from_text(self, text: str) -> int:
        if not _WHOLE.match(text):
            raise ValueError("not a whole number")
        return self.parse(int(text))

    def render(self, value: int) -> Toml:
        return value


@dataclass(frozen=True, slots=True)
class DurationType:
    """Text such as ``"5m"``, held as ns."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        bounds = f"from {format_duration(self.low)} to {format_duration(self.high)}"
        return f'a duration {bounds}, a number and its unit in quotes, such as "500ms" or "5m"'

    def parse(self, raw: object) -> int:
        return _checked(parse_duration(plain_text(raw)), self.low, self.high)

    def from_text(self, text: str) -> int:
        return self.parse(text)

    def render(self, value: int) -> Toml:
        return format_duration(value)


@dataclass(frozen=True, slots=True)
class AmountType:
    """A decimal (money, size, share, weight) in quotes or a whole number, held as micros."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        bounds = f"from {format_micros(self.low)} to {format_micros(self.high)}"
        return f'a decimal {bounds} in quotes, such as "0.5", with at most 6 decimals'

    def parse(self, raw: object) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool):
            return _checked(raw * 1_000_000, self.low, self.high)
        return _checked(parse_signed_micros(plain_text(raw)), self.low, self.high)

    def from_text(self, text: str) -> int:
        return self.parse(text)

    def render(self, value: int) -> Toml:
        return format_micros(value)


@dataclass(frozen=True, slots=True)
class BytesType:
    """A size in bytes: a whole number, or text such as ``"64MB"``."""

    low: int
    high: int

    @property
    def expected(self) -> str:
        bounds = f"from {format_bytes(self.low)} to {format_bytes(self.high)}"
        return f'a size {bounds}, a number of bytes or text such as "64MB"'

    def parse(self, raw: object) -> int:
        if isinstance(raw, int) and not isinstance(raw, bool):
            return _checked(raw, self.low, self.high)
        return _checked(parse_bytes(plain_text(raw)), self.low, self.high)

    def from_text(self, text: str) -> int:
        return self.parse(text)

    def render(self, value: int) -> Toml:
        return format_bytes(value)


class TextType:
    """What every kind that is text in TOML shares: reading an environment variable, writing."""

    __slots__ = ()

    def parse(self, raw: object) -> object:
        raise NotImplementedError

    def from_text(self, text: str) -> object:
        return self.parse(text)

    def render(self, value: Any) -> Toml:
        return str(value)


@dataclass(frozen=True, slots=True)
class NameType(TextType):
    """A short identifier that is safe in paths, labels and file names."""

    expected: str = "1 to 32 characters out of a-z, 0-9, '_' and '-'"

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not _NAME.match(text):
            raise ValueError("not a name")
        return text


@dataclass(frozen=True, slots=True)
class ChoiceType(TextType):
    """One of a closed set of words."""

    options: tuple[str, ...]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(f'"{option}"' for option in self.options)

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if text not in self.options:
            raise ValueError("not among the options")
        return text


@dataclass(frozen=True, slots=True)
class HostType(TextType):
    """An address to listen on."""

    expected: str = 'a host name or address, such as "127.0.0.1"'

    def parse(self, raw: object) -> str:
        text = plain_text(raw, 253)
        if not re.fullmatch(r"[A-Za-z0-9.:-]+", text, re.ASCII):
            raise ValueError("not a host")
        return text


@dataclass(frozen=True, slots=True)
class FolderType(TextType):
    """A folder, relative to where the program runs; ``~`` is the home folder."""

    expected: str = "a path to a folder, not empty"

    def parse(self, raw: object) -> Path:
        text = str(raw) if isinstance(raw, Path) else plain_text(raw, 4096)
        if not text.strip():
            raise ValueError("empty path")
        return Path(text).expanduser()


@dataclass(frozen=True, slots=True)
class AddressType(TextType):
    """An account address on the chain, or nothing; a private key pasted here is refused."""

    expected: str = 'an address: "0x" and 40 hexadecimal digits, or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if text and not _ADDRESS.match(text):
            raise ValueError("not an address")
        return text


@dataclass(frozen=True, slots=True)
class UrlType(TextType):
    """A base URL; whether its host is allowed is asked once the whole file is known."""

    venue: str
    scheme: str

    @property
    def expected(self) -> str:
        return f'a URL that starts with "{self.scheme}://", without user, query or fragment'

    def parse(self, raw: object) -> str:
        return clean_url(plain_text(raw))


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Which part of the instruments this collector records: ``index`` of ``count``, from 1."""

    index: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, slots=True)
class ShardType(TextType):
    """A shard such as ``"2/4"``."""

    expected: str = 'a shard such as "1/4": this part, of how many (at most 1024)'

    def parse(self, raw: object) -> Shard:
        match = _SHARD.match(plain_text(raw))
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 1024:
            raise ValueError("not a shard")
        return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class NamesType:
    """A list of texts; commas separate them in an environment variable."""

    expected: str = 'a list of texts, such as ["a", "b"]'

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
class WeightsType:
    """A table of decimals by name; ``name=decimal`` pairs in an environment variable."""

    expected: str = 'a table of decimals, such as {spread = "0.5"}'

    def parse(self, raw: object) -> dict[str, int]:
        if not isinstance(raw, Mapping) or len(raw) > LIST_ITEMS_MAX:
            raise ValueError("not a table")
        amount = AmountType(-(10**12), 10**12)
        return {NameType().parse(name): amount.parse(value) for name, value in raw.items()}

    def from_text(self, text: str) -> dict[str, int]:
        pairs = [item.partition("=") for item in text.split(",") if item.strip()]
        return self.parse({name.strip(): value.strip() for name, _, value in pairs})

    def render(self, value: Mapping[str, int]) -> Toml:
        return {name: format_micros(weight) for name, weight in value.items()}


@dataclass(frozen=True, slots=True)
class LocationType(TextType):
    """A folder, or the bucket of an object store: the one a Path, the other its URL without a slash at the end."""

    expected: str = 'a path to a folder, or a bucket such as "s3://bucket/prefix"'

    def parse(self, raw: object) -> Path | str:
        if isinstance(raw, Path) or not _SCHEME.match(plain_text(raw, 4096)):
            return FolderType().parse(raw)
        text = plain_text(raw)
        if not _BUCKET.match(text):
            raise ValueError("not a bucket")
        return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class EndpointType(TextType):
    """Where an object store answers, or nothing; unencrypted on this machine only."""

    expected: str = 'a URL that starts with "https://" ("http://" on this machine only), without user, or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not text:
            return text
        url = clean_url(text)
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise ValueError("not an address that may be used")
        return url


@dataclass(frozen=True, slots=True)
class RegionType(TextType):
    """The region of a bucket, or nothing."""

    expected: str = 'a region such as "eu-central-1", or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not _REGION.match(text):
            raise ValueError("not a region")
        return text
