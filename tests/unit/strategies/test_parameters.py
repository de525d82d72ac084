"""Parameters are read by their types, checked against their bounds, and a wrong one is told in one line."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct, field

from predsurv.core.durations import Duration
from predsurv.core.errors import ConfigError
from predsurv.core.num import MICROS, Money, Price, Ratio, Size
from predsurv.strategies.parameters import is_list, nearest, parameters_of, read_parameters, render_parameters


class Everything(Struct, frozen=True, kw_only=True):
    edge: Annotated[Price, Meta(ge=0, le=500_000, description="Least edge.")] = Price(5_000)
    size: Size = Size(10 * MICROS)
    cash: Annotated[Money, Meta(ge=-MICROS)] = Money(0)
    share: Annotated[Ratio, Meta(le=MICROS)] = Ratio(400_000)
    life: Duration = Duration(5_000_000_000)
    count: Annotated[int, Meta(ge=1)] = 4
    factor: float = 0.5
    on: bool = False
    side: Literal["buy", "sell"] = "buy"
    limit: Annotated[Price | None, Meta(description="Highest price.")] = None
    names: tuple[str, ...] = ()
    made: tuple[str, ...] = field(default_factory=tuple)
    label: str = "x"


class Strict(Struct, frozen=True):
    size: Size

    def __post_init__(self) -> None:
        if self.size == 13:
            raise ValueError("thirteen\nis not allowed")


def read(**given_values: Any) -> Everything:
    return read_parameters(Everything, given_values, "test")


def test_text_is_read_by_type() -> None:
    assert read(
        edge="0.01", size="2.5", cash="-1", share="0.25", life="2m", count="7", factor="2", on="yes", side="sell",
        limit="0.3", names="a, b", label="y",
    ) == Everything(
        edge=Price(10_000), size=Size(2_500_000), cash=Money(-MICROS), share=Ratio(250_000),
        life=Duration(120_000_000_000), count=7, factor=2.0, on=True, side="sell", limit=Price(300_000),
        names=("a", "b"), label="y",
    )  # fmt: skip


def test_toml_values_are_read_as_their_text() -> None:
    assert read(edge=0.01, size=2, count=7, on=True, names=["a"], factor=1) == Everything(
        edge=Price(10_000), size=Size(2 * MICROS), count=7, on=True, names=("a",), factor=1.0
    )
    assert read(limit="none") == Everything()


def test_internal_units_are_taken_as_they_are_and_checked() -> None:
    made = read_parameters(Everything, {"edge": 20_000, "life": 5, "cash": "1"}, "test", internal=True)
    assert (made.edge, made.life, made.cash) == (20_000, 5, MICROS)
    with pytest.raises(ConfigError, match="edge: expected price"):
        read_parameters(Everything, {"edge": 600_000}, "test", internal=True)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "edge",
            "x",
            "edge: expected price from 0 to 0.5, a decimal such as 0.05 with at most 6 places; got 'x'",
        ),
        ("edge", "0.6", "expected price from 0 to 0.5"),
        ("edge", "0.0000001", "expected price"),
        ("edge", True, "expected price"),
        ("count", "0", "expected whole number from 1; got '0'"),
        ("count", "1.5", "expected whole number"),
        ("life", "5", 'expected duration, such as "500ms" or "5m"'),
        ("on", "maybe", "expected true or false"),
        ("side", "up", "expected one of buy, sell"),
        ("limit", "x", 'with at most 6 places, or "none"'),
        ("label", ["a"], "expected text"),
        ("factor", "much", "expected number"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_expected(name: str, value: object, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**{name: value})
    assert told in str(caught.value)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="test: no parameter edg; did you mean edge"):
        read(edg="1")
    assert nearest("zzz", ["a", "b"]) == "there are a, b"
    assert nearest("zzz", []) == "it has none"


def test_what_has_no_default_has_to_be_given() -> None:
    with pytest.raises(ConfigError, match="size has no default; set it with --param size="):
        read_parameters(Strict, {}, "test")
    assert [each.default for each in parameters_of(Strict)] == [None]


def test_what_the_struct_itself_refuses_is_one_line() -> None:
    with pytest.raises(ConfigError, match="test: thirteen is not allowed"):
        read_parameters(Strict, {"size": "0.000013"}, "test")


def test_parameters_are_described() -> None:
    described = {each.name: each for each in parameters_of(Everything)}
    assert (described["edge"].kind, described["edge"].default, described["edge"].bounds, described["edge"].doc) == (
        "price", "0.005", "from 0 to 0.5", "Least edge.",
    )  # fmt: skip
    assert [described[name].kind for name in ("size", "cash", "share", "life", "count", "on", "side", "names")] == [
        "size", "money", "ratio", "duration", "whole number", "true or false", "one of buy, sell", "list of texts",
    ]  # fmt: skip
    assert [described[name].default for name in ("limit", "life", "on", "names", "made")] == [
        "none",
        "5s",
        "false",
        "",
        "",
    ]
    assert [described[name].bounds for name in ("cash", "share", "size")] == ["from -1", "to 1", ""]
    assert described["limit"].doc == "Highest price."


def test_lists_are_told_from_sweeps() -> None:
    assert is_list(Everything, "names")
    assert not is_list(Everything, "edge")
    assert not is_list(Everything, "nothing")


@given(
    st.builds(
        Everything,
        edge=st.integers(0, 500_000).map(Price),
        size=st.integers(0, 10**12).map(Size),
        cash=st.integers(-MICROS, 10**12).map(Money),
        life=st.integers(0, 10**15).map(Duration),
        on=st.booleans(),
        limit=st.none() | st.integers(0, MICROS).map(Price),
        names=st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), min_size=1, max_size=3).map(tuple),
    )
)
def test_what_is_rendered_reads_as_the_same(made: Everything) -> None:
    given_values = {name: text for name, text in render_parameters(made).items() if name != "made"}
    assert read(**given_values) == made
