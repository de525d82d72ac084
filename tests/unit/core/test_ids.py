"""Keys compare by value and travel through the log unchanged."""

import msgspec

from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName


def test_equal_keys_are_one_dictionary_entry() -> None:
    one = InstrumentKey(VenueName("v"), MarketId("m"), InstrumentId("i"))
    two = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=InstrumentKey)
    assert {one: 1}[two] == 1
    assert two is not one


def test_keys_sort_by_venue_market_instrument() -> None:
    keys = [
        InstrumentKey(VenueName(v), MarketId(m), InstrumentId(i))
        for v, m, i in [("b", "a", "a"), ("a", "b", "a"), ("a", "a", "b"), ("a", "a", "a")]
    ]
    assert [str(key) for key in sorted(keys)] == ["a:a", "a:b", "a:a", "b:a"]
