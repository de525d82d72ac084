"""The parameters of a strategy: the fields of a frozen struct, read from text, checked and described.

The struct is all that an author writes: types say how a value is read, ``Meta`` what it means and its bounds.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Meta, Struct, ValidationError, convert
from msgspec.structs import FieldInfo, fields

from predsurv.core.durations import Duration, format_duration, parse_duration
from predsurv.core.errors import ConfigError
from predsurv.core.num import Money, Price, Ratio, Size, format_micros, parse_signed_micros
from predsurv.core.text import sanitise

_Params = TypeVar("_Params", bound=Struct)

_MICROS: Final[dict[Any, str]] = {Price: "price", Size: "size", Money: "money", Ratio: "ratio"}
_PLAIN: Final[dict[Any, str]] = {int: "whole number", float: "number", bool: "true or false", str: "text"}
_BOOLS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_READERS: Final[dict[Any, Callable[[str], object]]] = {
    int: partial(int, base=10),
    float: float,
    bool: lambda text: _BOOLS[text.lower()],
}
_NONE: Final = "none"


class Parameter(Struct, frozen=True):
    """One parameter as people see it: ``default`` and ``bounds`` as text, None for a parameter that has to be given."""

    name: str
    kind: str
    default: str | None
    bounds: str
    doc: str


class _ParameterType(Struct, frozen=True):
    """How the values of a parameter are read; ``base`` is what the annotation names, without bounds and None."""

    base: Any
    meta: tuple[Meta, ...]
    optional: bool

    @property
    def kind(self) -> str:
        """The kind of value in a word."""
        if get_origin(self.base) is Literal:
            return "one of " + ", ".join(map(str, get_args(self.base)))
        if get_origin(self.base) is tuple:
            return "list of texts"
        known = {**_MICROS, **_PLAIN, Duration: "duration"}
        return known.get(self.base, getattr(self.base, "__name__", str(self.base)))

    @property
    def expected(self) -> str:
        """The kind with its bounds, and how it is written."""
        bounds = self.bounds
        written = {"duration": ', such as "500ms" or "5m"', "list of texts": ", separated by commas"}.get(self.kind, "")
        if self.base in _MICROS:
            written = ", a decimal such as 0.05 with at most 6 places"
        none = f', or "{_NONE}"' if self.optional else ""
        return f"{self.kind}{' ' if bounds else ''}{bounds}{written}{none}"

    @property
    def bounds(self) -> str:
        """Lowest and highest value as text, "" where there are none."""
        low = next((each.ge for each in self.meta if each.ge is not None), None)
        high = next((each.le for each in self.meta if each.le is not None), None)
        parts = [f"from {self.render(low)}"] if low is not None else []
        return " ".join([*parts, f"to {self.render(high)}"] if high is not None else parts)

    @property
    def doc(self) -> str:
        """What the parameter means."""
        return next((each.description for each in self.meta if each.description is not None), "")

    def render(self, value: Any) -> str:
        """Return a value as it is written."""
        if value is None:
            return _NONE
        if self.base in _MICROS:
            return format_micros(value)
        if self.base is Duration:
            return format_duration(value)
        if isinstance(value, bool):
            return str(value).lower()
        return ",".join(value) if isinstance(value, tuple) else str(value)

    def read(self, raw: object) -> object:
        """Return the value of text or of a TOML value, bounds unchecked; raises ValueError."""
        if self.optional and raw in (None, _NONE):
            return None
        if isinstance(raw, bool) or not isinstance(raw, str | int | float):
            return raw if self.base is bool or get_origin(self.base) is tuple else _refuse()
        text = raw if isinstance(raw, str) else repr(raw)
        if self.base in _MICROS:
            return parse_signed_micros(text)
        if self.base is Duration:
            return parse_duration(text)
        if get_origin(self.base) is tuple:
            return tuple(each.strip() for each in text.split(","))
        if get_origin(self.base) is Literal:
            return next((each for each in get_args(self.base) if str(each) == text), text)
        reader = _READERS.get(self.base)
        return raw if reader is None else reader(text)


def _refuse() -> object:
    raise ValueError("neither text nor a number")


def parameters_of(params: type[Struct]) -> tuple[Parameter, ...]:
    """Return what can be set of a strategy with these ``params``, in the order of the fields."""
    types = _types_of(params)
    found = ((each, types[each.name]) for each in fields(params))
    return tuple(
        Parameter(each.name, type_.kind, _default(type_, each), type_.bounds, type_.doc) for each, type_ in found
    )


def read_parameters(
    params: type[_Params], given: Mapping[str, object], source: str, *, internal: bool = False
) -> _Params:
    """Return the parameters with the values ``given`` as text or TOML values; the others have their defaults.

    ``internal``: what is no text is in internal units (micros, ns). Raises ConfigError that names ``source``: for an
    unknown name with the nearest one, for a wrong value with what is expected.
    """
    types = _types_of(params)
    values = {}
    for name, raw in given.items():
        if name not in types:
            raise ConfigError(f"{source}: no parameter {sanitise(name, 60)}; {nearest(name, list(types))}")
        values[name] = _checked(types[name], raw, f"{source}: {name}", internal=internal)
    missing = [each.name for each in fields(params) if each.required and each.name not in values]
    if missing:
        raise ConfigError(f"{source}: {missing[0]} has no default; set it with --param {missing[0]}=…")
    try:
        return params(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{source}: {sanitise(' '.join(str(error).split()), 200)}") from error


def render_parameters(params: Struct) -> dict[str, str]:
    """Return every parameter as text, as ``read_parameters`` reads it."""
    types = _types_of(type(params))
    return {name: types[name].render(getattr(params, name)) for name in params.__struct_fields__}


def is_list(params: type[Struct], name: str) -> bool:
    """Return whether a parameter is a list, whose text has commas of its own."""
    type_ = _types_of(params).get(name)
    return type_ is not None and get_origin(type_.base) is tuple


def nearest(name: str, names: Sequence[str]) -> str:
    """Return a hint: the nearest of ``names``, or all of them."""
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are {', '.join(names)}" if names else "it has none"


def _checked(type_: _ParameterType, raw: object, where: str, *, internal: bool) -> object:
    try:
        value = raw if internal and not isinstance(raw, str) else type_.read(raw)
        hint = Annotated[type_.base, *type_.meta] if type_.meta else type_.base
        return value if value is None else convert(value, hint)
    except (ValidationError, ValueError, KeyError):
        raise ConfigError(f"{where}: expected {type_.expected}; got {sanitise(str(raw), 40)!r}") from None


def _default(type_: _ParameterType, field: FieldInfo) -> str | None:
    if field.required:
        return None
    return type_.render(field.default if field.default is not NODEFAULT else field.default_factory())


def _types_of(params: type[Struct]) -> dict[str, _ParameterType]:
    hints = get_type_hints(params, include_extras=True)
    return {name: _type_of(hints[name]) for name in params.__struct_fields__}


def _type_of(hint: Any) -> _ParameterType:
    meta: tuple[Meta, ...] = ()
    optional = False
    while True:
        if get_origin(hint) is Annotated:
            hint, *extra = get_args(hint)
            meta += tuple(each for each in extra if isinstance(each, Meta))
        elif get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
            optional = True
            rest = tuple(each for each in get_args(hint) if each is not NoneType)
            hint = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - of a tuple of types
        else:
            return _ParameterType(hint, meta, optional)
