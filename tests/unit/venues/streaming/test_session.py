"""The rules of one connection: missing books, silence, overflow, broken messages."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import msgspec
import pytest

from predsurv.core.events import BookSnapshot, Dropped, Gap, Malformed, MarketEvent
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId, VenueName
from predsurv.venues.streaming.session import ConnectionSession, MessagesDropped, StreamPolicy

VENUE = VenueName("toy")
S = 1_000_000_000
POLICY = StreamPolicy()


def key(name: str) -> InstrumentKey:
    return InstrumentKey(VENUE, MarketId(name), InstrumentId(name))


A, B = key("a"), key("b")


def book(key: InstrumentKey, ts: int) -> BookSnapshot:
    return BookSnapshot(key, ts, None, 1, None, (), ())


class ToyCodec:
    """Speaks ``book a`` and ``bad a``; anything else but ``pong`` is data without meaning."""

    def __init__(self) -> None:
        self.waiting: set[InstrumentKey] = set()
        self.lost: set[InstrumentKey] = set()

    def requests(self, add: AbstractSet[InstrumentKey], drop: AbstractSet[InstrumentKey]) -> Sequence[bytes]:
        self.waiting = (self.waiting - drop) | add
        self.lost -= drop | add
        names = [*(f"-{one.instrument_id}" for one in sorted(drop)), *(f"+{one.instrument_id}" for one in sorted(add))]
        return [" ".join(names).encode()] if names else []

    def decode(self, frames: Sequence[bytes], ts_recv: int, out: list[MarketEvent]) -> bool:
        return [self.one(frame, ts_recv, out) for frame in frames].count(True) > 0

    def one(self, frame: bytes, ts_recv: int, out: list[MarketEvent]) -> bool:
        word, _, name = frame.decode().partition(" ")
        if word == "book":
            self.waiting.discard(key(name))
            out.append(book(key(name), ts_recv))
        elif word == "bad":
            out.append(Malformed(VENUE, ts_recv, "bad", ""))
            if key(name) not in self.waiting:
                out.append(Gap(key(name), ts_recv, "decode_error", 1))
                self.waiting.add(key(name))
                self.lost.add(key(name))
        return word != "pong"

    def keepalive(self) -> bytes | None:
        return b"ping"

    def awaiting(self) -> AbstractSet[InstrumentKey]:
        return self.waiting

    def take_lost(self) -> AbstractSet[InstrumentKey]:
        lost, self.lost = self.lost, set()
        return lost


def started(*keys: InstrumentKey, books: bool = True, codec: ToyCodec | None = None) -> ConnectionSession:
    talk = ConnectionSession(VENUE, 1, codec or ToyCodec(), POLICY, 0)
    talk.ask(set(keys), frozenset(), 0)
    if books:
        talk.receive([f"book {one.instrument_id}".encode() for one in keys], 0, 0, [])
    talk.outgoing.clear()
    return talk


def checked(talk: ConnectionSession, second: int) -> tuple[bool, list[MarketEvent], list[bytes]]:
    """Return whether it flows, what it said and what it sends but keepalives, at ``second``."""
    out: list[MarketEvent] = []
    flows = talk.check(second, second * S, out)
    sent, talk.outgoing = [frame for frame in talk.outgoing if frame != b"ping"], []
    return flows, out, sent


def test_keepalive_every_interval() -> None:
    talk = started(A)
    sent = []
    for tenths in range(0, 301, 5):
        talk.receive([b"data"], 0, tenths * S // 10, [])
        talk.check(0, tenths * S // 10, [])
        sent += [(tenths // 10, frame) for frame in talk.outgoing]
        talk.outgoing.clear()
    assert sent == [(10, b"ping"), (20, b"ping"), (30, b"ping")]


def test_first_ask_and_change() -> None:
    talk = ConnectionSession(VENUE, 1, ToyCodec(), POLICY, 0)
    talk.ask({A, B}, frozenset(), 0)
    talk.ask(frozenset(), {A}, 0)
    assert talk.outgoing == [b"+a +b", b"-a"]
    assert talk.keys == {B}


def test_missing_book_is_asked_for_again_less_and_less_often() -> None:
    talk = started(A, books=False)
    talk.receive([b"hello"], 0, 0, [])
    asked = []
    for second in range(400):
        flows, out, sent = checked(talk, second)
        assert flows
        if sent:
            asked.append(second)
            assert sent == [b"-a +a"]
            assert out == [Gap(A, second, "subscribing", 1)]
    assert asked == [10, 30, 70, 150, 310]


def test_connection_that_never_says_anything_is_frozen() -> None:
    talk = started(A, books=False)
    assert checked(talk, 9)[0]
    assert not checked(talk, 10)[0]


def test_silence_is_probed_and_an_answer_calms_it() -> None:
    talk = started(A, B)
    assert checked(talk, 14) == (True, [], [])
    assert checked(talk, 15) == (True, [], [b"-a +a"])
    out: list[MarketEvent] = []
    talk.receive([b"book b", b"book a", b"book a"], 16, 16 * S, out)
    assert out == [book(B, 16), Gap(A, 15, "stall", 1), book(A, 16), book(A, 16)]
    assert checked(talk, 45) == (True, [], [])
    assert checked(talk, 46)[2] == [b"-b +b"]  # twice as patient


def test_silence_without_an_answer_is_a_freeze() -> None:
    talk = started(A, B)
    checked(talk, 15)
    talk.receive([b"pong"], 20, 20 * S, [])
    assert checked(talk, 24)[0]
    assert not checked(talk, 25)[0]
    out: list[MarketEvent] = []
    talk.end("stall", 25, out)
    assert out == [Gap(A, 0, "stall", 1), Gap(B, 0, "stall", 1)]


def test_nothing_is_claimed_of_the_time_between_the_last_data_and_a_goodbye() -> None:
    talk, out = started(A), list[MarketEvent]()
    talk.receive([b"book a"], 20, 20 * S, [])
    talk.end("disconnect", 25, out)
    assert out == [Gap(A, 20, "disconnect", 1)]


def test_what_is_probed_changes() -> None:
    talk, probed = started(A, B), []
    for second in range(300):
        for frame in checked(talk, second)[2]:
            probed.append(frame[-1:])
            talk.receive([b"book " + frame[-1:]], second, second * S, [])
    assert probed[:4] == [b"a", b"b", b"a", b"b"]


class AuditedCodec(ToyCodec):
    """Has a verdict ready for when it is asked."""

    proved = False
    wrong: frozenset[InstrumentKey] = frozenset()

    def audit(self, ts: int, now: int, out: list[MarketEvent]) -> bool:
        out += [Gap(one, ts - 2, "hash_mismatch", 1) for one in self.wrong]
        self.waiting |= self.wrong
        self.lost |= self.wrong
        self.wrong = frozenset()
        return self.proved


def test_what_an_audit_finds_is_asked_for_anew() -> None:
    codec = AuditedCodec()
    talk = started(A, B, codec=codec)
    codec.wrong = frozenset({A})
    assert checked(talk, 5) == (True, [Gap(A, 3, "hash_mismatch", 1)], [b"-a +a"])


def test_proof_by_other_means_makes_silence_harmless() -> None:
    codec = AuditedCodec()
    talk = started(A, codec=codec)
    codec.proved = True
    assert all(checked(talk, second) == (True, [], []) for second in range(100))
    codec.proved = False
    assert checked(talk, 113) == (True, [], [])
    assert checked(talk, 114)[2] == [b"-a +a"]


def test_data_of_its_own_accord_makes_it_watchful_again() -> None:
    talk = started(A)
    checked(talk, 15)
    talk.receive([b"book a"], 16, 16 * S, [])
    checked(talk, 17)
    talk.receive([b"data"], 20, 20 * S, [])
    assert checked(talk, 34)[2] == []
    assert checked(talk, 35)[2] == [b"-a +a"]


def test_patience_with_silence_has_an_end() -> None:
    talk, probes = started(A), []
    for second in range(1_000):
        if checked(talk, second)[2]:
            probes.append(second)
            talk.receive([b"book a"], second, second * S, [])
    pauses = [later - earlier for earlier, later in pairwise(probes)]
    assert pauses[:3] == [30, 60, 120]
    assert set(pauses[3:]) == {120}


def test_nothing_is_frozen_while_frames_wait_to_be_decoded() -> None:
    talk = started(A)
    talk.waiting_frames = 1
    assert checked(talk, 500) == (True, [], [])


def test_broken_message_asks_for_a_new_book() -> None:
    talk = started(A, B)
    out: list[MarketEvent] = []
    talk.receive([b"bad a"], 5, 5 * S, out)
    assert out[1:] == [Gap(A, 5, "decode_error", 1)]
    assert talk.outgoing == [b"-a +a"]


def test_broken_messages_cannot_make_us_storm() -> None:
    talk = started(A)
    for tenths in range(50, 100):
        talk.receive([b"book a", b"bad a"], 0, tenths * S // 10, [])
        if tenths % 5 == 0:
            talk.check(0, tenths * S // 10, [])
    assert 4 <= talk.outgoing.count(b"-a +a") <= 6


def test_a_connection_that_never_mends_what_it_broke_is_frozen() -> None:
    talk = started(A)
    talk.receive([b"bad a"], S, S, [])
    patience = S + POLICY.book_patience
    assert talk.check(patience - 1, patience - 1, [])
    assert not talk.check(patience, patience, [])


def test_a_mended_book_is_no_reason_to_give_up() -> None:
    talk = started(A)
    talk.receive([b"bad a"], S, S, [])
    talk.receive([b"book a"], 2 * S, 2 * S, [])
    assert talk.check(13 * S, 13 * S, [])


def test_overflow_is_declared_and_everything_asked_for() -> None:
    talk = started(A, B)
    talk.overflow = MessagesDropped(7)
    out: list[MarketEvent] = []
    talk.resync(talk.overflow, 9, 9 * S, out)
    assert out == [Dropped(VENUE, 9, 7), Gap(A, 9, "overflow", 1), Gap(B, 9, "overflow", 1)]
    assert talk.outgoing == [b"-a -b +a +b"]
    assert talk.overflow is None


@pytest.mark.parametrize(
    ("frames", "second", "stable"), [([b"data"], 10, True), ([b"data"], 9, False), ([], 99, False)]
)
def test_only_a_connection_that_brought_data_for_a_while_worked(frames: list[bytes], second: int, stable: bool) -> None:
    talk = ConnectionSession(VENUE, 1, ToyCodec(), POLICY, 0)
    talk.receive(frames, 0, 0, [])
    assert talk.stable(second * S) is stable


def test_policy_values_are_positive() -> None:
    assert all(value > 0 for name, value in msgspec.structs.asdict(POLICY).items() if name != "lifetime")
