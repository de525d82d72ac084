"""Faults begin when the script says so, last their time, and are logged with the tokens that only they concern."""

import pytest

from predsurv.core.errors import ConfigError
from predsurv.exchange.fault_script import ScriptedFault
from predsurv.simulate.fault_log import FaultLog
from predsurv.simulate.polymarket.fault_injector import FaultInjector
from predsurv.simulate.polymarket.faulty_connection import FaultyConnection
from predsurv.simulate.polymarket.subscribers import Subscriber
from tests.kit.recording_websocket import RecordingWebSocket

S = 1_000_000_000
NOW = 1_780_000_000 * S


def injector(script: str = "") -> tuple[FaultInjector, FaultLog]:
    log = FaultLog()
    return FaultInjector(script, 7, log, lambda: NOW), log


def subscriber(made: FaultInjector, number: int, *tokens: str) -> tuple[Subscriber, RecordingWebSocket]:
    websocket = RecordingWebSocket(number)
    found = Subscriber(FaultyConnection(websocket, made.log))
    found.tokens.update(dict.fromkeys(tokens))
    return found, websocket


def test_a_script_with_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ConfigError, match="earthquake"):
        injector("earthquake@1s")


def test_scripted_faults_begin_and_end_in_time() -> None:
    made, log = injector("rest429@2s:3s")
    made.inject_due(1 * S, ())
    assert (made.refusal(), made.is_active("rest429")) == (None, False)
    made.inject_due(2 * S, ())
    refusal = made.refusal()
    assert refusal is not None
    assert (refusal.status, refusal.headers["retry-after"]) == (429, "1")
    assert [(each.kind, each.start, each.end) for each in log.faults] == [("rest429", NOW, NOW + 3 * S)]
    made.inject_due(6 * S, ())
    assert made.refusal() is None


@pytest.mark.parametrize(("kind", "status"), [("rest429", 429), ("rest500", 500), ("resthtml", 502), ("restcut", 0)])
def test_what_refuses_requests(kind: str, status: int) -> None:
    made, _ = injector()
    made.inject(ScriptedFault(0, kind, S), ())
    refusal = made.refusal()
    assert (refusal.status if refusal else 0) == status


def test_a_script_that_was_stopped_injects_no_more_and_ends_nothing() -> None:
    made, log = injector("rest500@1s:10s rest429@3s:1s")
    made.inject_due(1 * S, ())
    made.stop()
    made.inject_due(4 * S, ())
    assert [each.kind for each in log.faults] == ["rest500"]
    assert made.is_active("rest500")


def test_connections_of_the_user_channel_are_dropped_once() -> None:
    made, log = injector()
    dropped: list[str] = []
    made.inject(ScriptedFault(0, "userdrop", 0), ())
    made.on_userdrop = lambda: dropped.append("all")
    made.inject(ScriptedFault(0, "userdrop", 0), ())
    assert dropped == ["all"]
    assert len(log.of_kind("userdrop")) == 2


def test_a_fault_of_a_connection_is_logged_with_the_tokens_that_no_other_carried() -> None:
    made, log = injector()
    first, one = subscriber(made, 1, "a", "b")
    second, two = subscriber(made, 2, "b", "c")
    idle, three = subscriber(made, 3)
    made.inject(ScriptedFault(0, "drop", 0), (first, second, idle))
    (fault,) = log.faults
    assert fault.link in (1, 2)
    assert fault.tokens == (("a",) if fault.link == 1 else ("c",))
    assert [link.ended is None for link in (one, two, three)] == [fault.link != 1, fault.link != 2, True]


def test_a_fault_everywhere_meets_every_connection_that_carries_tokens() -> None:
    made, log = injector()
    first, one = subscriber(made, 1, "a", "b")
    second, two = subscriber(made, 2, "b", "c")
    idle, three = subscriber(made, 3)
    made.inject(ScriptedFault(0, "drop", 0, everywhere=True), (first, second, idle))
    assert [(each.link, each.tokens) for each in log.faults] == [(1, ("a", "b")), (2, ("b", "c"))]
    assert [link.ended is None for link in (one, two, three)] == [False, False, True]


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_fault_without_a_connection_to_meet_is_none(*, everywhere: bool) -> None:
    made, log = injector()
    idle, websocket = subscriber(made, 1)
    for subscribers in ((), (idle,)):
        made.inject(ScriptedFault(0, "drop", 0, everywhere=everywhere), subscribers)
    assert (log.faults, websocket.ended) == ([], None)


@pytest.mark.parametrize("kind", ["skip", "cut"])
def test_a_fault_that_waits_for_its_message_is_not_logged_before(kind: str) -> None:
    made, log = injector()
    found, _ = subscriber(made, 1, "a")
    made.inject(ScriptedFault(0, kind, 0), (found,))
    assert log.faults == []


def test_every_third_opening_book_is_missing_while_the_fault_lasts() -> None:
    made, log = injector("nobook@1s:5s")
    assert not any(made.is_book_omitted(str(number)) for number in range(6)), "not yet"
    made.inject_due(1 * S, ())
    assert [made.is_book_omitted(str(number)) for number in range(6)] == [False, False, True] * 2
    assert [(each.link, each.tokens) for each in log.of_kind("omitted")] == [(0, ("2",)), (0, ("5",))]
    made.inject_due(6 * S, ())
    assert not any(made.is_book_omitted(str(number)) for number in range(6)), "over"
