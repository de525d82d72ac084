import re
from collections import Counter

from predsurv.core.ids import OrderSide
from predsurv.simulate.polymarket import ids


def test_names_have_the_venues_shape_and_are_the_seeds() -> None:
    assert re.fullmatch(r"0x[0-9a-f]{64}", ids.condition_id(7, "a"))
    assert re.fullmatch(r"0x[0-9a-f]{64}", ids.transaction_hash(7, 12, "buy"))
    tokens = {ids.token_id(7, str(number)) for number in range(1_000)}
    assert len(tokens) == 1_000
    assert all(re.fullmatch(r"[1-9][0-9]{76}", token) for token in tokens)
    assert ids.token_id(7, "a") == ids.token_id(7, "a") != ids.token_id(8, "a")


def test_most_takers_buy_and_both_tokens_have_takers() -> None:
    sides: tuple[OrderSide, ...] = ("buy", "sell")
    seen = Counter(
        (side, ids.taker_outcome(ids.transaction_hash(7, seq, side), side)) for seq in range(1_000) for side in sides
    )
    assert len(seen) == 4
    buyers = seen["buy", 0] + seen["sell", 1]  # who sells the first one by buying the second
    assert 1_400 < buyers < 1_600


def test_addresses_hold_nothing_but_letters_digits_and_dashes() -> None:
    assert ids.slug("Will A. Okonjo win?", 5) == "will-a-okonjo-win-5"
    assert ids.slug("\u202e\x1b[31m", 5) == "31m-5"
    assert ids.slug("🦜", 5) == "market-5"
    assert len(ids.slug("x" * 500, 5)) < 100
