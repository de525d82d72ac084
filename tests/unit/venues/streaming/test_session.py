"""A session of one connection: missing books, silence, overflow, broken messages, and its states."""

from itertools import pairwise

import msgspec
import pytest

from predsurv.core.events import Dropped, Gap, MarketEvent
from predsurv.core.ids import InstrumentKey
from predsurv.venues.streaming import session as module
from predsurv.venues.streaming.policy import StreamPolicy
from predsurv.venues.streaming.rules import SESSION_TRANSITIONS, SessionTrigger
from predsurv.venues.streaming.rules import SessionState as State
from predsurv.venues.streaming.session import ConnectionSession, DroppedFrames
from predsurv.venues.streaming.state_machine import next_state
from tests.kit.toy_stream import VENUE, A, B, ToyCodec, book

S = 1_000_000_000
POLICY = StreamPolicy()


def started(*keys: InstrumentKey, books: bool = True, codec: ToyCodec | None = None) -> ConnectionSession:
    session = ConnectionSession(VENUE, 1, codec or ToyCodec(), POLICY, 0)
    session.subscriptions.change(set(keys), frozenset(), 0)
    if books:
        session.receive([f"book {one.instrument_id}".encode() for one in keys], 0, 0, [])
    session.subscriptions.take_outgoing()
    return session


def checked(session: ConnectionSession, second: int) -> tuple[bool, list[MarketEvent], list[bytes]]:
    """Check at ``second``; return whether data flows, the events, and the frames to send without keepalives."""
    out: list[MarketEvent] = []
    flows = session.check(second, second * S, out)
    sent = [frame for frame in session.subscriptions.take_outgoing() if frame != b"ping"]
    return flows, out, sent


def test_keepalive_is_sent_every_interval() -> None:
    session = started(A)
    sent = []
    for tenths in range(0, 301, 5):
        session.receive([b"data"], 0, tenths * S // 10, [])
        session.check(0, tenths * S // 10, [])
        sent += [(tenths // 10, frame) for frame in session.subscriptions.take_outgoing()]
    assert sent == [(10, b"ping"), (20, b"ping"), (30, b"ping")]


def test_first_request_and_change() -> None:
    session = ConnectionSession(VENUE, 1, ToyCodec(), POLICY, 0)
    session.subscriptions.change({A, B}, frozenset(), 0)
    session.subscriptions.change(frozenset(), {A}, 0)
    assert session.subscriptions.take_outgoing() == [b"+a +b", b"-a"]
    assert session.subscriptions.keys == {B}


def test_missing_book_is_requested_again_less_and_less_often() -> None:
    session = started(A, books=False)
    session.receive([b"hello"], 0, 0, [])
    asked = []
    for second in range(400):
        flows, out, sent = checked(session, second)
        assert flows
        if sent:
            asked.append(second)
            assert sent == [b"-a +a"]
            assert out == [Gap(A, second, "subscribing", 1)]
    assert asked == [10, 30, 70, 150, 310]


def test_connection_without_any_data_is_frozen() -> None:
    session = started(A, books=False)
    assert checked(session, 9)[0]
    assert not checked(session, 10)[0]


def test_silence_is_probed_and_an_answer_doubles_the_allowed_silence() -> None:
    session = started(A, B)
    assert checked(session, 14) == (True, [], [])
    assert checked(session, 15) == (True, [], [b"-a +a"])
    out: list[MarketEvent] = []
    session.receive([b"book b", b"book a", b"book a"], 16, 16 * S, out)
    assert out == [book(B, 16), Gap(A, 15, "stall", 1), book(A, 16), book(A, 16)]
    assert checked(session, 45) == (True, [], [])
    assert checked(session, 46)[2] == [b"-b +b"]  # twice as patient


def test_silence_without_an_answer_is_frozen() -> None:
    session = started(A, B)
    checked(session, 15)
    session.receive([b"pong"], 20, 20 * S, [])
    assert checked(session, 24)[0]
    assert not checked(session, 25)[0]
    out: list[MarketEvent] = []
    session.end("stall", 25, out)
    assert out == [Gap(A, 0, "stall", 1), Gap(B, 0, "stall", 1)]


def test_gap_of_a_disconnect_starts_at_the_last_data() -> None:
    session, out = started(A), list[MarketEvent]()
    session.receive([b"book a"], 20, 20 * S, [])
    session.end("disconnect", 25, out)
    assert out == [Gap(A, 20, "disconnect", 1)]


def test_probes_rotate_over_the_instruments() -> None:
    session, probed = started(A, B), []
    for second in range(300):
        for frame in checked(session, second)[2]:
            probed.append(frame[-1:])
            session.receive([b"book " + frame[-1:]], second, second * S, [])
    assert probed[:4] == [b"a", b"b", b"a", b"b"]


class AuditedCodec(ToyCodec):
    """Audits with the result that a test sets."""

    proved = False
    wrong: frozenset[InstrumentKey] = frozenset()

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        out += [Gap(one, ts - 2, "hash_mismatch", 1) for one in self.wrong]
        self.waiting |= self.wrong
        self.lost |= self.wrong
        self.wrong = frozenset()
        return self.proved


def test_books_that_an_audit_finds_wrong_are_requested_anew() -> None:
    codec = AuditedCodec()
    session = started(A, B, codec=codec)
    codec.wrong = frozenset({A})
    assert checked(session, 5) == (True, [Gap(A, 3, "hash_mismatch", 1)], [b"-a +a"])


def test_silence_is_not_probed_while_an_audit_proves_that_nothing_is_missed() -> None:
    codec = AuditedCodec()
    session = started(A, codec=codec)
    codec.proved = True
    assert all(checked(session, second) == (True, [], []) for second in range(100))
    codec.proved = False
    assert checked(session, 113) == (True, [], [])
    assert checked(session, 114)[2] == [b"-a +a"]


def test_unrequested_data_resets_the_allowed_silence() -> None:
    session = started(A)
    checked(session, 15)
    session.receive([b"book a"], 16, 16 * S, [])
    checked(session, 17)
    session.receive([b"data"], 20, 20 * S, [])
    assert checked(session, 34)[2] == []
    assert checked(session, 35)[2] == [b"-a +a"]


def test_allowed_silence_has_a_maximum() -> None:
    session, probes = started(A), []
    for second in range(1_000):
        if checked(session, second)[2]:
            probes.append(second)
            session.receive([b"book a"], second, second * S, [])
    pauses = [later - earlier for earlier, later in pairwise(probes)]
    assert pauses[:3] == [30, 60, 120]
    assert set(pauses[3:]) == {120}


def test_no_session_is_frozen_while_frames_wait_to_be_decoded() -> None:
    session = started(A)
    session.waiting_frames = 1
    assert checked(session, 500) == (True, [], [])


def test_broken_message_requests_a_new_book() -> None:
    session = started(A, B)
    out: list[MarketEvent] = []
    session.receive([b"bad a"], 5, 5 * S, out)
    assert out[1:] == [Gap(A, 5, "decode_error", 1)]
    assert session.subscriptions.take_outgoing() == [b"-a +a"]


def test_requests_for_broken_books_are_limited_in_rate() -> None:
    session = started(A)
    for tenths in range(50, 100):
        session.receive([b"book a", b"bad a"], 0, tenths * S // 10, [])
        if tenths % 5 == 0:
            session.check(0, tenths * S // 10, [])
    assert 4 <= session.subscriptions.take_outgoing().count(b"-a +a") <= 6


def test_a_connection_that_never_restores_a_broken_book_is_frozen() -> None:
    session = started(A)
    session.receive([b"bad a"], S, S, [])
    patience = S + POLICY.book_timeout
    assert session.check(patience - 1, patience - 1, [])
    assert not session.check(patience, patience, [])


def test_a_restored_book_keeps_the_connection() -> None:
    session = started(A)
    session.receive([b"bad a"], S, S, [])
    session.receive([b"book a"], 2 * S, 2 * S, [])
    assert session.check(13 * S, 13 * S, [])


def test_overflow_is_declared_and_every_book_requested() -> None:
    session = started(A, B)
    session.overflow = DroppedFrames(7)
    out: list[MarketEvent] = []
    session.resync(session.overflow, 9, 9 * S, out)
    assert out == [Dropped(VENUE, 9, 7), Gap(A, 9, "overflow", 1), Gap(B, 9, "overflow", 1)]
    assert session.subscriptions.take_outgoing() == [b"-a -b +a +b"]
    assert session.overflow is None


@pytest.mark.parametrize(
    ("frames", "second", "stable"), [([b"data"], 10, True), ([b"data"], 9, False), ([], 99, False)]
)
def test_only_a_session_that_delivered_data_for_a_while_is_stable(
    frames: list[bytes], second: int, stable: bool
) -> None:
    session = ConnectionSession(VENUE, 1, ToyCodec(), POLICY, 0)
    session.receive(frames, 0, 0, [])
    assert session.stable(second * S) is stable


Step = tuple[int, list[bytes]]
"""Second, and the frames that arrive then; afterwards the time rules are checked."""
WRONG = b"an audit finds book b wrong"

# Steps, and the states after each of them.
COURSES: dict[str, tuple[list[Step], list[State]]] = {
    "first data": ([(1, []), (2, [b"book a", b"book b"])], [State.AWAITING_DATA, State.FLOWING]),
    "no first data": ([(9, []), (10, [])], [State.AWAITING_DATA, State.FROZEN]),
    "silence, answered": (
        [(0, [b"book a", b"book b"]), (15, []), (16, [b"book a"])],
        [State.FLOWING, State.PROBING, State.FLOWING],
    ),
    "silence, unanswered": (
        [(0, [b"book a", b"book b"]), (15, []), (24, [b"pong"]), (25, [])],
        [State.FLOWING, State.PROBING, State.PROBING, State.FROZEN],
    ),
    "a broken book is not restored": (
        [(0, [b"book a"]), (1, [b"bad a"]), (11, [])],
        [State.FLOWING, State.FLOWING, State.FROZEN],
    ),
    "a book found wrong while probing": (
        [(0, [b"book a", b"book b"]), (15, []), (16, [WRONG])],
        [State.FLOWING, State.PROBING, State.FROZEN],
    ),
}


@pytest.mark.parametrize("name", COURSES)
def test_states_of_a_session(name: str) -> None:
    steps, states = COURSES[name]
    codec = AuditedCodec()
    session = started(A, B, books=False, codec=codec)
    reached = []
    for second, frames in steps:
        codec.wrong = frozenset({B} if frames == [WRONG] else ())
        session.receive([b"pong"] if frames == [WRONG] else frames, second, second * S, [])
        assert checked(session, second)[0] is (session.state is not State.FROZEN)
        reached.append(session.state)
    assert reached == states


def test_the_courses_take_every_transition_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: set[tuple[State, SessionTrigger]] = set()

    def recording(table: object, state: State, trigger: SessionTrigger) -> State:
        taken.add((state, trigger))
        return next_state(SESSION_TRANSITIONS, state, trigger)

    monkeypatch.setattr(module, "next_state", recording)
    for name in COURSES:
        test_states_of_a_session(name)
    assert taken == {(state, trigger) for state, leads in SESSION_TRANSITIONS.items() for trigger in leads}


def test_policy_values_are_positive() -> None:
    assert all(value > 0 for name, value in msgspec.structs.asdict(POLICY).items() if name != "lifetime")
