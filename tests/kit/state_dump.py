"""Everything that an object holds, to the last private attribute, as bytes: two that behave alike may not differ."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from msgspec import Struct

from predsurv.engine.account.account import TradingAccount


def state_bytes(value: object) -> bytes:
    """Return the state of plain data, structs and objects made of them; the order of mappings counts, of sets not."""
    return "".join(_said(value, ())).encode()


def account_bytes(account: TradingAccount) -> bytes:
    """Return the state of an account; what it keeps of sums once they were asked for is compared as well."""
    account.portfolio.positions.totals()
    return state_bytes(account)


def _said(value: Any, within: tuple[int, ...]) -> Iterator[str]:
    if value is None or isinstance(value, int | str | bytes):
        yield repr(value)
    elif id(value) in within:
        yield "<itself>"
    else:
        yield f"{type(value).__name__}("
        for part in _parts(value, (*within, id(value))):
            yield from part
            yield ","
        yield ")"


def _parts(value: Any, within: tuple[int, ...]) -> Iterator[Iterator[str]]:
    if isinstance(value, set | frozenset):
        yield iter(sorted("".join(_said(each, within)) for each in value))
        return
    if isinstance(value, Struct):
        held: Iterable[Any] = (getattr(value, name) for name in value.__struct_fields__)
    elif isinstance(value, Mapping):
        held = chain.from_iterable(value.items())
    else:
        held = chain.from_iterable(_attributes(value)) if hasattr(value, "__dict__") else value
    for each in held:
        yield _said(each, within)


def _attributes(value: object) -> list[tuple[str, object]]:
    """Return the attributes of an object by name, but for who hears of its changes, which is no state of its own."""
    return sorted((name, held) for name, held in vars(value).items() if name != "_watching")
