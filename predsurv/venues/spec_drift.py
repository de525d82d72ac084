"""Messages of a venue compared with what is known of them: fields, values of enumerations, kinds. Pure.

Decoders skip what they do not use, so a venue can add, rename or drop a field without anything failing. What it sends
is therefore compared, in samples, with what its documentation and recordings said when this version was made.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec
from msgspec import Struct

from predsurv.core.text import sanitise
from predsurv.store.layout import Dataset

DEPTH_MAX: Final = 8
NAMES_MAX: Final = 200
"""Different names of a message kind that are looked at; a venue that makes them up cannot fill the memory."""

_NAME_CHARS_MAX: Final = 60
_ELEMENTS: Final = "[]"

Object = Mapping[str, object]


class KnownMessage(Struct, frozen=True):
    """One kind of message. Paths are dotted, the elements of an array are ``[]``: ``price_changes[].side``.

    ``required`` fields are in every message that has what they belong to, ``optional`` ones may be.
    ``values``: the enumerations, by path. What lies below the paths ``free`` is not looked at.
    """

    required: AbstractSet[str]
    optional: AbstractSet[str] = frozenset()
    values: Mapping[str, AbstractSet[str]] = {}
    free: AbstractSet[str] = frozenset()


class KnownFeed(Struct, frozen=True):
    """The messages of a venue's public feed by kind, and how the kind of a message is told.

    ``filled``: the columns of recorded datasets in which a row of this venue says something, by dataset.
    """

    kind: Callable[[Object], str]
    messages: Mapping[str, KnownMessage]
    filled: Mapping[Dataset, Sequence[str]] = {}


class MessageDrift(Struct, frozen=True):
    """What the seen messages of one kind have and are not known to have, and the other way round, each with a count.

    ``messages``: how many were seen. ``known`` False: the kind itself is not known.
    """

    kind: str
    messages: int
    known: bool
    unknown_fields: Mapping[str, int] = {}
    missing_fields: Mapping[str, int] = {}
    unknown_values: Mapping[str, int] = {}

    @property
    def is_drift(self) -> bool:
        """Whether anything is not as it is known."""
        return not self.known or bool(self.unknown_fields or self.missing_fields or self.unknown_values)


class DriftReport(Struct, frozen=True):
    """The kinds seen, in the order of their names, those known and not seen, and frames that are no JSON objects."""

    seen: tuple[MessageDrift, ...]
    unseen: tuple[str, ...]
    unreadable: int


def compare(frames: Iterable[bytes], feed: KnownFeed) -> DriftReport:
    """Return how the messages in ``frames`` differ from those that are known."""
    tallies: dict[str, _Tally] = {}
    unreadable = 0
    for frame in frames:
        try:
            content = msgspec.json.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            unreadable += 1
            continue
        for message in content if isinstance(content, list) else [content]:
            if not isinstance(message, dict):
                unreadable += 1
                continue
            kind = sanitise(feed.kind(message) or "without a kind", _NAME_CHARS_MAX)
            if kind in tallies or len(tallies) < NAMES_MAX:
                tallies.setdefault(kind, _Tally(feed.messages.get(kind))).add(message)
    seen = tuple(tally.drift(kind) for kind, tally in sorted(tallies.items()))
    return DriftReport(seen, tuple(sorted(set(feed.messages) - set(tallies))), unreadable)


class _Tally:
    def __init__(self, known: KnownMessage | None) -> None:
        self._known = known
        self._messages = 0
        self._unknown: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._values: Counter[str] = Counter()

    def add(self, message: Object) -> None:
        self._messages += 1
        known = self._known
        if known is None:
            return
        found = set[str]()
        for path, value in _fields(message, known.free):
            found.add(path)
            allowed = known.values.get(path)
            if allowed is not None and value is not None and str(value) not in allowed:
                self._count(self._values, f"{path}={value}")
        self._missing.update(path for path in known.required - found if path.rpartition(".")[0] in {"", *found})
        for path in found - known.required - known.optional:
            if not path.endswith(_ELEMENTS):
                self._count(self._unknown, path)

    @staticmethod
    def _count(counts: Counter[str], name: str) -> None:
        name = sanitise(name, _NAME_CHARS_MAX)
        if name in counts or len(counts) < NAMES_MAX:
            counts[name] += 1

    def drift(self, kind: str) -> MessageDrift:
        return MessageDrift(
            kind,
            self._messages,
            self._known is not None,
            dict(sorted(self._unknown.items())),
            dict(sorted(self._missing.items())),
            dict(sorted(self._values.items())),
        )


def _fields(message: Object, free: AbstractSet[str], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield the path of every field with its value, None for an object or array, and of every array of objects."""
    for name, content in message.items():
        path = f"{prefix}{name}"
        yield path, None if isinstance(content, dict | list) else content
        if path in free or depth == DEPTH_MAX:
            continue
        if isinstance(content, dict):
            yield from _fields(content, free, f"{path}.", depth + 1)
        elif isinstance(content, list):
            for each in content:
                if isinstance(each, dict):
                    yield f"{path}{_ELEMENTS}", None
                    yield from _fields(each, free, f"{path}{_ELEMENTS}.", depth + 1)
