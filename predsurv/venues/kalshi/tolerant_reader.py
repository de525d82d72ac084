"""Reading a row of a list although a field of it is not what it should be: one field never costs a market."""

from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import fields

from predsurv.core.errors import WireError

Row = TypeVar("Row", bound=Struct)
Value = TypeVar("Value")

ROW_ERRORS: Final = (WireError, ValueError, RecursionError)


class FieldProblem(NamedTuple):
    """A field that could not be read, and why."""

    field: str
    detail: str


class TolerantReader(Generic[Row]):
    """Reads JSON objects as ``kind``; ``required`` fields have to be readable, others may keep their default."""

    def __init__(self, kind: type[Row], *required: str) -> None:
        self._strict = msgspec.json.Decoder(kind).decode
        self._kind = kind
        self._required = frozenset(required)
        self._fields = {each.encode_name: (each.name, msgspec.json.Decoder(each.type)) for each in fields(kind)}

    def read(self, raw: bytes | str | Raw, problems: list[FieldProblem] | None = None) -> Row:
        """Return the row and append what of it was unreadable; raises ValueError or RecursionError without the rest."""
        try:
            return self._strict(raw)
        except msgspec.ValidationError:
            return self._read_each(raw, [] if problems is None else problems)

    def _read_each(self, raw: bytes | str | Raw, problems: list[FieldProblem]) -> Row:
        found: dict[str, Any] = {}
        for name, value in _read_object(raw).items():
            if name not in self._fields:
                continue
            attribute, decoder = self._fields[name]
            try:
                found[attribute] = decoder.decode(value)
            except msgspec.ValidationError as error:
                if name in self._required:
                    raise
                problems.append(FieldProblem(name, str(error)))
        if missing := self._required - found.keys():
            raise WireError(f"without {', '.join(sorted(missing))}")
        return self._kind(**found)


def read_field(
    parse: Callable[[Any], Value], given: Any, field: str, problems: list[FieldProblem], otherwise: Value
) -> Value:
    """Return ``parse(given)``; ``otherwise`` where that cannot be read, which is appended to ``problems``."""
    try:
        return parse(given)
    except ROW_ERRORS as error:
        if all(each.field != field for each in problems):
            problems.append(FieldProblem(field, str(error)))
        return otherwise


_read_object = msgspec.json.Decoder(dict[str, Raw]).decode
