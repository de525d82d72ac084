"""The kinds of value a configuration key can hold: how each is read, bounded and written.

Kept apart from the schema so that a new key is one line there, and every message about a wrong
value is composed from the same words.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from predsurv.config.hosts import clean_url
from predsurv.core.num import format_micros, parse_signed_micros

Toml = str | int | bool | list[str] | dict[str, str]
"""What a key looks like in a TOML file."""

LIST_ITEMS_MAX: Final = 10_000
TEXT_CHARS_MAX: Final = 512

_UNITS_NS: Final = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_UNITS_BYTES: Final = {
    "GiB": 2**30,
    "GB": 10**9,
    "MiB": 2**20,
    "MB": 10**6,
    "KiB": 2**10,
    "KB": 10**3,
    "B": 1,
}
_DURATION = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?(ns|us|ms|s|m|h|d)\Z", re.ASCII)
_BYTES = re.compile(r"([0-9]{1,19})(GiB|GB|MiB|MB|KiB|KB|B)?\Z", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,18}\Z", re.ASCII)
_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})\Z", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,32}\Z", re.ASCII)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z", re.ASCII)
_BOOLS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Kind(Protocol):
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


def parse_duration(text: str) -> int:
    """Return a duration such as ``"500ms"`` or ``"1.5h"`` in ns; raises ValueError."""
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"not a duration: {text[:32]!r}")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    scaled = int(whole + fraction) * _UNITS_NS[unit]
    duration, rest = divmod(scaled, int("1" + "0" * len(fraction)))
    if rest:
        raise ValueError(f"finer than a nanosecond: {text[:32]!r}")
    return duration


def format_duration(duration: int) -> str:
    """Return ns as the shortest exact duration text: ``60_000_000_000`` → ``"1m"``."""
    if duration == 0:
        return "0s"
    unit = next(name for name, size in _UNITS_NS.items() if duration % size == 0)
    return f"{duration // _UNITS_NS[unit]}{unit}"


def parse_bytes(text: str) -> int:
    """Return a size such as ``"64MB"``, ``"64MiB"`` or ``"512"`` in bytes; raises ValueError."""
    match = _BYTES.match(text)
    if match is None:
        raise ValueError(f"not a size in bytes: {text[:32]!r}")
    return int(match[1]) * _UNITS_BYTES[match[2] or "B"]


def format_bytes(size: int) -> str:
    """Return bytes as the shortest exact text: ``64_000_000`` → ``"64MB"``."""
    if size == 0:
        return "0B"
    return min(
        (f"{size // unit}{name}" for name, unit in _UNITS_BYTES.items() if size % unit == 0),
        key=len,
    )


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
class Flag:
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
class Count:
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
class Duration:
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
class Amount:
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
class Bytes:
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


class Texts:
    """What every kind that is text in TOML shares: reading an environment variable, writing."""

    __slots__ = ()

    def parse(self, raw: object) -> object:
        raise NotImplementedError

    def from_text(self, text: str) -> object:
        return self.parse(text)

    def render(self, value: Any) -> Toml:
        return str(value)


@dataclass(frozen=True, slots=True)
class Name(Texts):
    """A short identifier that is safe in paths, labels and file names."""

    expected: str = "1 to 32 characters out of a-z, 0-9, '_' and '-'"

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if not _NAME.match(text):
            raise ValueError("not a name")
        return text


@dataclass(frozen=True, slots=True)
class Choice(Texts):
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
class Host(Texts):
    """An address to listen on."""

    expected: str = 'a host name or address, such as "127.0.0.1"'

    def parse(self, raw: object) -> str:
        text = plain_text(raw, 253)
        if not re.fullmatch(r"[A-Za-z0-9.:-]+", text, re.ASCII):
            raise ValueError("not a host")
        return text


@dataclass(frozen=True, slots=True)
class Folder(Texts):
    """A folder, relative to where the program runs; ``~`` is the home folder."""

    expected: str = "a path to a folder, not empty"

    def parse(self, raw: object) -> Path:
        text = str(raw) if isinstance(raw, Path) else plain_text(raw, 4096)
        if not text.strip():
            raise ValueError("empty path")
        return Path(text).expanduser()


@dataclass(frozen=True, slots=True)
class Address(Texts):
    """An account address on the chain, or nothing; a private key pasted here is refused."""

    expected: str = 'an address: "0x" and 40 hexadecimal digits, or "" for none'

    def parse(self, raw: object) -> str:
        text = plain_text(raw)
        if text and not _ADDRESS.match(text):
            raise ValueError("not an address")
        return text


@dataclass(frozen=True, slots=True)
class Url(Texts):
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
class Part(Texts):
    """A shard such as ``"2/4"``."""

    expected: str = 'a shard such as "1/4": this part, of how many (at most 1024)'

    def parse(self, raw: object) -> Shard:
        match = _SHARD.match(plain_text(raw))
        if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 1024:
            raise ValueError("not a shard")
        return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class Names:
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
class Weights:
    """A table of decimals by name; ``name=decimal`` pairs in an environment variable."""

    expected: str = 'a table of decimals, such as {spread = "0.5"}'

    def parse(self, raw: object) -> dict[str, int]:
        if not isinstance(raw, Mapping) or len(raw) > LIST_ITEMS_MAX:
            raise ValueError("not a table")
        amount = Amount(-(10**12), 10**12)
        return {Name().parse(name): amount.parse(value) for name, value in raw.items()}

    def from_text(self, text: str) -> dict[str, int]:
        pairs = [item.partition("=") for item in text.split(",") if item.strip()]
        return self.parse({name.strip(): value.strip() for name, _, value in pairs})

    def render(self, value: Mapping[str, int]) -> Toml:
        return {name: format_micros(weight) for name, weight in value.items()}
