"""Reference prices are the same for the same seed and time, move little in a second, and stay near their middle."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.simulate.polymarket.reference_prices import PRICES, cents_at, dollars_text

NAMES = [(topic, symbol) for topic, symbols in PRICES.items() for symbol in symbols]


@given(name=st.sampled_from(NAMES), second=st.integers(0, 4_000_000_000), seed=st.integers(0, 100))
def test_a_price_moves_little_in_a_second_and_stays_near_its_middle(
    name: tuple[str, str], second: int, seed: int
) -> None:
    topic, symbol = name
    middle = PRICES[topic][symbol]
    now, then = (cents_at(topic, symbol, each, seed) for each in (second, second + 1))
    assert abs(now - middle) <= middle // 200 + 1
    assert abs(then - now) <= middle // 6_000 + 2
    assert now == cents_at(topic, symbol, second, seed)


def test_another_seed_gives_other_prices_and_a_minute_a_new_one() -> None:
    assert len({cents_at("crypto_prices", "btcusdt", 600, seed) for seed in range(20)}) > 10
    assert len({cents_at("crypto_prices", "btcusdt", 60 * minute, 7) for minute in range(20)}) > 10


def test_cents_are_written_as_dollars() -> None:
    assert [dollars_text(each) for each in (1, 100, 6_116_412)] == ["0.01", "1.00", "61164.12"]
