"""Values of the command line that are read without pydantic, whose import takes longer than all else of the parser.

typer reads every value with pydantic. A value about which there is nothing to decide is read here, with the same
result; any other goes to typer, which also words all errors.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_DECIDED_BY_TYPER: Final = object()


class PlainValue(NamedTuple):
    """What typer asks for the value of one parameter; ``otherwise`` returns what it would ask by itself."""

    annotation: Any
    parameter: Any
    otherwise: Callable[[], Any]

    def itself(self) -> "PlainValue":
        """Return this value: what a parameter calls before each use."""
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return ``value`` as the annotation has it; raises what typer raises for one that is wrong."""
        found = self._all(value) if get_origin(self.annotation) is list else self._one(self.annotation, value)
        return self.otherwise().coerce(value, param=param, ctx=ctx) if found is _DECIDED_BY_TYPER else found

    def _all(self, value: Any) -> Any:
        if value is None:
            return ()  # as typer has it where an option may be repeated
        if not isinstance(value, (list, tuple)):
            return _DECIDED_BY_TYPER
        found = [self._one(get_args(self.annotation)[0], each) for each in value]
        return _DECIDED_BY_TYPER if any(each is None or each is _DECIDED_BY_TYPER for each in found) else found

    def _one(self, annotation: Any, value: Any) -> Any:
        if self.parameter.parser is not None:
            return _DECIDED_BY_TYPER
        if value is None:
            return None
        if annotation is str:
            return value if type(value) is str and _is_unicode(value) else _DECIDED_BY_TYPER
        if annotation is int:
            return self._integer(value)
        if get_origin(annotation) is Literal and self.parameter.case_sensitive:
            return value if type(value) is str and value in get_args(annotation) else _DECIDED_BY_TYPER
        return _DECIDED_BY_TYPER

    def _integer(self, value: Any) -> Any:
        if type(value) is str and _INTEGER.fullmatch(value):
            value = int(value)
        least, most = self.parameter.min, self.parameter.max
        inside = type(value) is int and (least is None or least <= value) and (most is None or value <= most)
        return value if inside and not self.parameter.clamp else _DECIDED_BY_TYPER


def read_plainly(command: Any) -> None:
    """Let the parameters of a command of typer's, and its ``--help``, read plain values without pydantic."""
    help_option = command.get_help_option

    def plain_help_option(ctx: Any) -> Any:
        found = help_option(ctx)
        _read_plainly(found)
        return found

    command.get_help_option = plain_help_option
    for each in command.params:
        _read_plainly(each)


def _read_plainly(parameter: Any) -> None:
    described = getattr(parameter, "type_descriptor", None)  # a later typer may have none, and is slow again
    if described is not None and "get_runtime_param" not in vars(parameter):
        value = PlainValue(described.annotation, described.parameter_info, parameter.get_runtime_param)
        parameter.get_runtime_param = value.itself


def _is_unicode(text: str) -> bool:
    """Return whether ``text`` has none of the halves of characters that stand for bytes that are no UTF-8."""
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)
