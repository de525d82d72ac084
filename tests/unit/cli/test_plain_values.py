"""Values of the command line: read without pydantic, and as typer reads them with it."""

from typing import Annotated, Any, Final, Literal

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st

from predsurv.cli.plain_values import PlainValue, read_plainly
from tests.kit.lean_runs import PARSER, run_without


def _command(
    text: str = "",
    words: Annotated[list[str] | None, typer.Option("--word")] = None,
    numbers: Annotated[list[int] | None, typer.Option("--number", min=3)] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=500)] = 1,
    clamped: Annotated[int, typer.Option("--clamped", min=1, max=500, clamp=True)] = 1,
    one_of: Annotated[Literal["table", "json"], typer.Option("--one-of")] = "table",
    any_case: Annotated[Literal["Table", "table"], typer.Option("--any-case", case_sensitive=False)] = "table",
    parsed: Annotated[str, typer.Option("--parsed", parser=repr)] = "",
    ratio: Annotated[float, typer.Option("--ratio")] = 0.0,
    flag: Annotated[bool, typer.Option("--flag")] = False,
) -> None:
    del text, words, numbers, count, clamped, one_of, any_case, parsed, ratio, flag


def _made() -> Any:
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command("command")(_command)
    return typer.main.get_command(app)


TYPERS: Final = _made()
PLAIN: Final = _made()
read_plainly(PLAIN)
CONTEXT: Final = typer.Context(TYPERS)

TEXTS = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(categories=["Cs", "Lu"])),
    st.integers().map(str),
    st.text("0123456789+-_ .", max_size=12),
    st.sampled_from(["table", "Table", "TABLE", "json", "true", "0", "00", "500", "501"]),
)
VALUES = st.one_of(st.none(), TEXTS, st.integers(), st.lists(TEXTS).map(tuple), st.lists(st.integers()), st.booleans())


def _read(parameter: Any, value: object) -> tuple[str, object]:
    """Return what the value is read as, or else what is said about it."""
    try:
        found = parameter.get_runtime_param().coerce(value, param=parameter, ctx=CONTEXT)
    except typer.BadParameter as error:
        return "refused", error.message
    return type(found).__name__, found


@given(st.integers(0, len(TYPERS.params) - 1), VALUES)
@example(0, "\udcff")
@example(1, ("a", None))
@example(3, "٣")
def test_a_value_is_read_as_typer_reads_it(index: int, value: object) -> None:
    assert _read(PLAIN.params[index], value) == _read(TYPERS.params[index], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", "H. Sørensen"),
        ("text", None),
        ("words", ("a", "b")),
        ("words", None),
        ("numbers", ("3", 4)),
        ("count", "500"),
        ("count", 7),
        ("one_of", "json"),
        ("flag", None),
    ],
)
def test_a_plain_value_does_not_go_to_typer(name: str, value: object) -> None:
    parameter = next(each for each in TYPERS.params if each.name == name)
    described = parameter.type_descriptor

    def otherwise() -> object:
        raise AssertionError("asked typer")

    PlainValue(described.annotation, described.parameter_info, otherwise).coerce(value, parameter, CONTEXT)


def test_the_help_of_a_command_stays_an_option() -> None:
    option = PLAIN.get_help_option(CONTEXT)
    assert option is PLAIN.get_help_option(CONTEXT)
    assert _read(option, None) == ("NoneType", None)


def test_a_parameter_that_does_not_say_its_type_is_left_alone() -> None:
    class Parameters:
        params = (object(),)

        def get_help_option(self, context: object) -> object:
            return context

    made, other = Parameters(), object()
    read_plainly(made)
    assert made.get_help_option(other) is other


def test_a_command_with_plain_values_imports_no_pydantic() -> None:
    assert run_without(PARSER, "--format", "table", "config", "show", "--format", "json").startswith("[")
