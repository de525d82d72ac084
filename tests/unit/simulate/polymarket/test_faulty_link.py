import pytest

from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.faulty_link import BACKLOG_BYTES_MAX, REPEATED_EVERY, FaultyLink, nonsense, swapped
from predsurv.simulate.polymarket.messages import change, entry
from tests.kit.recording_link import RecordingLink

ENTRIES = [entry(token, (500_000, 1, b"BUY"), b"a" * 40, (b"0", b"1")) for token in ("11", "22")]
CHANGE = change("0xa", ENTRIES, 5)


@pytest.fixture
def noted() -> list[object]:
    return []


@pytest.fixture
def wire(noted: list[object]) -> FaultyLink:
    return FaultyLink(RecordingLink(), lambda *what: noted.append(what))


def said(wire: FaultyLink, now: int, *messages: bytes) -> list[bytes]:
    """What arrives when ``messages`` are flushed at ``now``."""
    link = wire.link
    assert isinstance(link, RecordingLink)
    for message in messages:
        wire.put(message)
    wire.now = now
    wire.flush()
    got, link.got = link.got, []
    return got


def ending(wire: FaultyLink) -> tuple[int, str] | None:
    assert isinstance(wire.link, RecordingLink)
    return wire.link.ended


def test_what_is_put_arrives_in_order(wire: FaultyLink) -> None:
    assert said(wire, 1, b"a", b"b") == [b"a", b"b"]
    assert said(wire, 2) == []


def test_a_frozen_wire_answers_pings_then_dies(wire: FaultyLink) -> None:
    wire.now = 10
    wire.befall(ScriptedFault(0, "freeze", 100), "")
    assert said(wire, 20, b"a") == []
    wire.pong()
    assert said(wire, 109) == [b"PONG"]
    assert ending(wire) is None
    assert said(wire, 110, b"b") == []
    assert ending(wire) == (1006, "")


def test_a_delayed_wire_delivers_everything_in_order(wire: FaultyLink) -> None:
    wire.now = 10
    wire.befall(ScriptedFault(0, "delay", 100), "")
    assert said(wire, 20, b"a") == []
    wire.pong()
    assert said(wire, 30, b"b") == []
    assert said(wire, 110, b"c") == [b"a", b"PONG", b"b", b"c"]
    assert said(wire, 120, b"d") == [b"d"]


def test_drops_and_slow_consumers_end(wire: FaultyLink) -> None:
    wire.befall(ScriptedFault(0, "1013"), "")
    assert ending(wire) == (1013, "slow consumer: send buffer full")
    wire.befall(ScriptedFault(0, "drop"), "")
    assert ending(wire) == (1006, "")


def test_who_does_not_read_is_told_to_go(wire: FaultyLink) -> None:
    assert isinstance(wire.link, RecordingLink)
    wire.link.waiting = BACKLOG_BYTES_MAX + 1
    said(wire, 1, b"a")
    assert ending(wire) == (1013, "slow consumer: send buffer full")


def test_a_skip_loses_one_price_change_and_is_noted(wire: FaultyLink, noted: list[object]) -> None:
    wire.befall(ScriptedFault(0, "skip"), "")
    assert said(wire, 7, b"a", CHANGE, CHANGE) == [b"a", CHANGE]
    assert noted == [("skip", 1, ("11", "22"))]


def test_a_cut_shortens_one_message_and_is_noted(wire: FaultyLink, noted: list[object]) -> None:
    wire.befall(ScriptedFault(0, "cut"), "")
    got = said(wire, 7, CHANGE, CHANGE)
    assert got == [CHANGE[: len(got[0])], CHANGE]
    assert len(got[0]) < len(CHANGE)
    assert noted == [("cut", 1, ("11", "22"))]


def test_hashes_go_wrong_for_a_while(wire: FaultyLink) -> None:
    wire.befall(ScriptedFault(0, "badhash", 10), "")
    assert said(wire, 5, CHANGE) == [CHANGE.replace(b"a" * 40, b"0" * 40)]
    assert said(wire, 11, CHANGE) == [CHANGE]


def test_everything_comes_twice_for_a_while(wire: FaultyLink) -> None:
    wire.befall(ScriptedFault(0, "duplicate", 10), "")
    assert said(wire, 5, b"a", b"b") == [b"a", b"a", b"b", b"b"]
    assert said(wire, 11, b"a") == [b"a"]


def test_now_and_then_something_is_repeated_as_it_was_or_swapped(wire: FaultyLink) -> None:
    first = said(wire, 1, *[CHANGE] * REPEATED_EVERY)
    assert first[-2:] == [CHANGE, CHANGE]
    assert len(first) == REPEATED_EVERY + 1
    second = said(wire, 2, *[CHANGE] * REPEATED_EVERY)
    assert second[-1] == change("0xa", ENTRIES[::-1], 5)


def test_only_pairs_can_be_swapped() -> None:
    assert swapped(CHANGE) == change("0xa", ENTRIES[::-1], 5)
    assert swapped(swapped(CHANGE)) == CHANGE
    assert swapped(b'{"event_type":"book"}') == b'{"event_type":"book"}'


def test_nonsense_varies_and_arrives(wire: FaultyLink) -> None:
    wire.befall(ScriptedFault(0, "garbage"), "11")
    wire.befall(ScriptedFault(0, "garbage"), "11")
    assert said(wire, 1) == [nonsense(0, "11"), nonsense(1, "11")]
    assert len({nonsense(number, "11") for number in range(6)}) == 6
