import pytest

from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.polymarket.faulty_connection import (
    BACKLOG_BYTES_MAX,
    REPEATED_EVERY,
    FaultyConnection,
    garbage,
    swap_entries,
)
from tests.kit.recording_websocket import RecordingWebSocket

ENTRY = b'{"asset_id":"%s","price":"0.5","size":"0.000001","side":"BUY","hash":"%s","best_bid":"0","best_ask":"1"}'
ENTRIES = [ENTRY % (token, b"a" * 40) for token in (b"11", b"22")]


def price_change(entries: list[bytes]) -> bytes:
    changes = b",".join(entries)
    return b'{"market":"0xa","price_changes":[%s],"timestamp":"5","event_type":"price_change"}' % changes


CHANGE = price_change(ENTRIES)


@pytest.fixture
def logged() -> list[object]:
    return []


@pytest.fixture
def connection(logged: list[object]) -> FaultyConnection:
    return FaultyConnection(RecordingWebSocket(), lambda *fault: logged.append(fault))


def flushed(connection: FaultyConnection, now: int, *messages: bytes) -> list[bytes]:
    """Return what arrives when ``messages`` are flushed at ``now``."""
    websocket = connection.websocket
    assert isinstance(websocket, RecordingWebSocket)
    for message in messages:
        connection.put(message)
    connection.now = now
    connection.flush()
    got, websocket.got = websocket.got, []
    return got


def ending(connection: FaultyConnection) -> tuple[int, str] | None:
    assert isinstance(connection.websocket, RecordingWebSocket)
    return connection.websocket.ended


def test_queued_messages_arrive_in_order(connection: FaultyConnection) -> None:
    assert flushed(connection, 1, b"a", b"b") == [b"a", b"b"]
    assert flushed(connection, 2) == []


def test_a_frozen_connection_answers_pings_then_ends(connection: FaultyConnection) -> None:
    connection.now = 10
    connection.apply_fault(ScriptedFault(0, "freeze", 100), "")
    assert flushed(connection, 20, b"a") == []
    connection.pong()
    assert flushed(connection, 109) == [b"PONG"]
    assert ending(connection) is None
    assert flushed(connection, 110, b"b") == []
    assert ending(connection) == (1006, "")


def test_a_delayed_connection_delivers_everything_in_order(connection: FaultyConnection) -> None:
    connection.now = 10
    connection.apply_fault(ScriptedFault(0, "delay", 100), "")
    assert flushed(connection, 20, b"a") == []
    connection.pong()
    assert flushed(connection, 30, b"b") == []
    assert flushed(connection, 110, b"c") == [b"a", b"PONG", b"b", b"c"]
    assert flushed(connection, 120, b"d") == [b"d"]


def test_drop_and_1013_end_the_connection(connection: FaultyConnection) -> None:
    connection.apply_fault(ScriptedFault(0, "1013"), "")
    assert ending(connection) == (1013, "slow consumer: send buffer full")
    connection.apply_fault(ScriptedFault(0, "drop"), "")
    assert ending(connection) == (1006, "")


def test_a_slow_consumer_is_disconnected(connection: FaultyConnection) -> None:
    assert isinstance(connection.websocket, RecordingWebSocket)
    connection.websocket.waiting = BACKLOG_BYTES_MAX + 1
    flushed(connection, 1, b"a")
    assert ending(connection) == (1013, "slow consumer: send buffer full")


def test_a_skip_loses_one_price_change_and_is_logged(connection: FaultyConnection, logged: list[object]) -> None:
    connection.apply_fault(ScriptedFault(0, "skip"), "")
    assert flushed(connection, 7, b"a", CHANGE, CHANGE) == [b"a", CHANGE]
    assert logged == [("skip", 1, ("11", "22"))]


def test_a_cut_shortens_one_message_and_is_logged(connection: FaultyConnection, logged: list[object]) -> None:
    connection.apply_fault(ScriptedFault(0, "cut"), "")
    got = flushed(connection, 7, CHANGE, CHANGE)
    assert got == [CHANGE[: len(got[0])], CHANGE]
    assert len(got[0]) < len(CHANGE)
    assert logged == [("cut", 1, ("11", "22"))]


def test_hashes_are_wrong_while_badhash_lasts(connection: FaultyConnection) -> None:
    connection.apply_fault(ScriptedFault(0, "badhash", 10), "")
    assert flushed(connection, 5, CHANGE) == [CHANGE.replace(b"a" * 40, b"0" * 40)]
    assert flushed(connection, 11, CHANGE) == [CHANGE]


def test_every_message_is_sent_twice_while_duplicating(connection: FaultyConnection) -> None:
    connection.apply_fault(ScriptedFault(0, "duplicate", 10), "")
    assert flushed(connection, 5, b"a", b"b") == [b"a", b"a", b"b", b"b"]
    assert flushed(connection, 11, b"a") == [b"a"]


def test_one_message_in_many_is_repeated_as_it_was_or_swapped(connection: FaultyConnection) -> None:
    first = flushed(connection, 1, *[CHANGE] * REPEATED_EVERY)
    assert first[-2:] == [CHANGE, CHANGE]
    assert len(first) == REPEATED_EVERY + 1
    second = flushed(connection, 2, *[CHANGE] * REPEATED_EVERY)
    assert second[-1] == price_change(ENTRIES[::-1])


def test_only_two_entries_are_swapped() -> None:
    assert swap_entries(CHANGE) == price_change(ENTRIES[::-1])
    assert swap_entries(swap_entries(CHANGE)) == CHANGE
    assert swap_entries(b'{"event_type":"book"}') == b'{"event_type":"book"}'


def test_garbage_varies(connection: FaultyConnection) -> None:
    connection.apply_fault(ScriptedFault(0, "garbage"), "11")
    connection.apply_fault(ScriptedFault(0, "garbage"), "11")
    assert flushed(connection, 1) == [garbage(0, "11"), garbage(1, "11")]
    assert len({garbage(number, "11") for number in range(6)}) == 6
