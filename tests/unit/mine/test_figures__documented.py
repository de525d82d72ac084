"""docs/metrics.md: its example gives the numbers that stand beside the formulas, and every column is defined there."""

import re
from pathlib import Path

import pytest

from predsurv.core.market import FeeSchedule
from tests.kit.mined_oracle import expected
from tests.kit.mined_tapes import HOUR, BookRow, MinedTape, S, TradeRow, mined
from tests.kit.outcome_oracle import expected_sums
from tests.kit.outcome_tapes import Leg, OutcomeTape, Window, summed

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "metrics.md").read_text()
_ROW = re.compile(r"^\| `(\w+)` \|.*\| (-?[0-9.,]+) \|$", re.MULTILINE)
_PATTERNS = (r"((trades|lifecycle)_)?gap_\w+_s", r"percentile_\w+", r"score_\w+", r"(market|instrument)_id")


def example() -> MinedTape:
    tape = example_of("MinedTape")
    assert isinstance(tape, MinedTape)
    return tape


def example_of(kind: str) -> object:
    (text,) = re.findall(rf"```python\n({kind}.*?)```", _PAGE, re.DOTALL)
    made = (MinedTape, BookRow, TradeRow, OutcomeTape, Leg, Window, FeeSchedule)
    names = {each.__name__: each for each in made} | {"S": S, "HOUR": HOUR}
    return eval(text.removeprefix("rotated = "), names)  # noqa: S307 - our own page


def _rotated_table() -> str:
    _, _, after = _PAGE.partition("| three visits |")
    return after.partition("\n\n")[0]


def numbers(*, outcomes: bool = False) -> dict[str, float]:
    page = _PAGE.replace(_rotated_table(), "")
    rows = _ROW.findall(page)
    return {name: float(value.replace(",", "")) for name, value in rows if name.startswith("outcome_") == outcomes}


def test_the_numbers_of_the_page_are_those_of_its_example() -> None:
    found = mined(example())
    stated = numbers()
    assert len(stated) > 60
    assert {name: found[name] for name in stated} == {
        name: pytest.approx(value, rel=1e-5, abs=1e-9) for name, value in stated.items()
    }


def test_the_standard_errors_of_the_page_are_those_of_its_three_visits() -> None:
    tape = example_of("rotated = MinedTape")
    assert isinstance(tape, MinedTape)
    stated = {name: float(value) for name, value in _ROW.findall(_rotated_table())}
    assert len(stated) == 8
    for found in (mined(tape), expected(tape)):
        assert {name: found[name] for name in stated} == {
            name: pytest.approx(value, rel=1e-5, abs=1e-9) for name, value in stated.items()
        }


def test_the_numbers_of_outcomes_together_are_those_of_their_example() -> None:
    tape = example_of("OutcomeTape")
    assert isinstance(tape, OutcomeTape)
    stated = numbers(outcomes=True)
    wanted = {name: pytest.approx(value, rel=1e-6) for name, value in stated.items()}
    for found in (*summed(tape), expected_sums(tape)):
        assert found == wanted


def test_the_example_is_understood_alike_by_looking_at_each_moment() -> None:
    found, wanted = mined(example()), expected(example())
    assert {name: found[name] for name in wanted} == {
        name: None if value is None else pytest.approx(value) for name, value in wanted.items()
    }


def test_every_column_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", _PAGE))
    plain = {name for name in mined(example()) if not any(re.fullmatch(pattern, name) for pattern in _PATTERNS)}
    assert plain - named == set()
