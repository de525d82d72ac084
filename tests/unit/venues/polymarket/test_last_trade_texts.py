"""Which texts a last trade price may have, in which order they are tried, and what proves a form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.num import MICROS, format_micros
from predsurv.venues.polymarket.last_trade_texts import (
    CLASSES_MAX,
    LastTradeTexts,
    end_of,
    fine_part,
    price_texts,
    tick_micros,
)
from tests.kit.oracle_polymarket import TEXT_FORMS, TICK_SIZES

ANYWHERE = (0, MICROS)
FINE = [tick for tick in TICK_SIZES if tick_micros(tick) % 1_000]
COARSE = [tick for tick in TICK_SIZES if not tick_micros(tick) % 1_000]


def tried(texts: LastTradeTexts, tick_size: str, best_prices: tuple[int, int] = ANYWHERE) -> list[str]:
    """Return the texts in the order in which they are tried."""
    return [end[:-2].decode() for ends in texts.search_order((tick_size,), best_prices) for end in ends]


def test_a_grid_has_as_many_texts_as_prices() -> None:
    for tick, count in ((2_500, 399), (100, 9_999)):
        inside = price_texts(4, tick).between(tick, MICROS - tick)
        assert len(inside) == len(set(inside)) == count
    assert set(price_texts(3, 100).ends) == {end_of(f"{n / 1000:.3f}") for n in range(1_001)}


def test_only_fine_grids_are_tried_with_more_than_a_few_texts() -> None:
    counts = {tick: len(tried(LastTradeTexts(), tick)) for tick in TICK_SIZES}
    assert all(counts[tick] <= 2_200 for tick in COARSE)
    assert counts["0.0025"] <= 1_600
    assert counts["0.0001"] <= 11_200


@given(st.sampled_from(TICK_SIZES), st.sampled_from(sorted(TEXT_FORMS)), st.data())
def test_every_plausible_text_of_every_price_is_tried(tick_size: str, form: str, data: st.DataObject) -> None:
    tick = tick_micros(tick_size)
    price = format_micros(data.draw(st.integers(0, MICROS // tick)) * tick)
    text = TEXT_FORMS[form](price)
    assert text in tried(LastTradeTexts(), tick_size)
    assert text in LastTradeTexts().renderings(price, tick_size)


@given(st.sampled_from(FINE), st.sampled_from(sorted(TEXT_FORMS)), st.integers(0, 100))
def test_texts_near_the_best_prices_are_tried_first(tick_size: str, form: str, distance: int) -> None:
    tick = tick_micros(tick_size)
    bid, ask = 490_000 // tick * tick, 510_000 // tick * tick
    price = format_micros(min(bid + distance * tick, ask))
    found = tried(LastTradeTexts(), tick_size, (bid, ask))
    assert found.index(TEXT_FORMS[form](price)) < 600


def test_a_price_on_the_coarse_grid_has_three_decimals_first() -> None:
    for tick_size in TICK_SIZES:
        assert LastTradeTexts().renderings("0.4", tick_size)[0] == "0.400"
        assert LastTradeTexts().renderings("1", tick_size)[0] == "1.000"


@pytest.mark.parametrize("price", ["", "none", "0.42_1", "NaN", "-0.5", "0.1234567", "1e-3", "٠.٥"])
def test_a_text_that_is_no_price_stays_as_it_is(price: str) -> None:
    assert LastTradeTexts().renderings(price, "0.01") == (price,)


@pytest.mark.parametrize("tick_size", ["", "0", "NaN", "2", "-0.01", "0.0000001", "1e-4", "9" * 40])
def test_a_tick_size_that_is_none_is_tried_with_three_decimals(tick_size: str) -> None:
    texts = LastTradeTexts()
    assert {"", "0.423", "0.5"} <= set(tried(texts, tick_size))
    assert not texts.learn(tick_size, "0.42311", "") or texts.is_evidence((tick_size,), "")


def test_hashes_are_evidence_on_the_coarse_grid_and_elsewhere_when_a_form_is_proved() -> None:
    texts = LastTradeTexts()
    assert all(texts.is_evidence((tick,), "") for tick in COARSE)
    assert not any(texts.is_evidence((tick,), "") for tick in FINE)
    assert not texts.is_evidence(("0.01",), "0.4225")
    assert texts.learn("0.0025", "0.4225", "")
    assert texts.is_evidence(("0.0025",), "0.4275")
    assert not texts.is_evidence(("0.0001",), "")
    assert not texts.is_evidence(("0.0025", "0.0001"), ""), "the previous tick size counts as well"


@pytest.mark.parametrize(
    ("tick_size", "text", "fine_price", "proves"),
    [
        ("0.0025", "0.4225", "", True),
        ("0.0025", "0.4200", "", True),
        ("0.0025", "0.423", "", True),
        ("0.0025", "0.425", "", False),
        ("0.0025", "0.42", "", False),
        ("0.0025", "", "", False),
        ("0.0025", "?", "", False),
        ("0.0025", "0.x23", "", False),
        ("0.0001", "0.423", "", False),
        ("0.0001", "0.423", "0.4234", True),
        ("0.0001", "0.424", "0.4234", True),
        ("0.0001", "0.425", "0.4234", False),
        ("0.0001", "0.4234", "0.4234", True),
        ("0.0001", "0.42340000", "", True),
        ("0.0001", "0.4234" + "0" * 40, "", False),
        ("0.00001", "0.42341", "", False),
    ],
)
def test_only_a_text_of_a_fine_price_proves_a_form(tick_size: str, text: str, fine_price: str, proves: bool) -> None:
    texts = LastTradeTexts()
    assert texts.learn(tick_size, text, fine_price) == proves
    assert (tick_size in texts.settled) == proves
    assert texts.is_evidence((tick_size,), "") == proves


@pytest.mark.parametrize(("proved", "first"), [("0.4225", "0.3000"), ("0.423", "0.300"), ("0.422500", "0.300000")])
def test_the_proved_form_is_tried_first(proved: str, first: str) -> None:
    texts = LastTradeTexts()
    texts.learn("0.0025", proved, "")
    places = [tried(texts, "0.0025").index(text) for text in ("0.3", "0.30", "0.300", "0.3000") if text != first]
    assert tried(texts, "0.0025").index(first) < min(places)
    assert texts.renderings("0.3", "0.0025")[0] == first


def test_remembered_tick_sizes_are_bounded() -> None:
    texts = LastTradeTexts()
    for number in range(1, 1_000):
        texts.learn(format_micros(100 + number), "0.1234", "")
        texts.learn(format_micros(1_000 * number), "0.123", "")
    assert len(texts.settled) <= CLASSES_MAX
    assert sum(texts.is_evidence((format_micros(100 + number),), "") for number in range(1, 900)) <= CLASSES_MAX


def test_a_fine_price_is_one_off_the_coarse_grid() -> None:
    assert [fine_part(price) for price in ("0.4225", "0.423", "0.4230", "0.5", "1", "", "0.00001")] == [
        "0.4225", "", "", "", "", "", "0.00001",
    ]  # fmt: skip
