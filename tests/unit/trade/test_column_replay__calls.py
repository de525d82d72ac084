"""Strategies that a compiled replay calls itself: what they decide, raise and return is what the engine makes of it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.errors import StrategyError
from predsurv.core.events import BookDelta, BookSnapshot, Event
from predsurv.core.ids import StrategyName
from predsurv.core.native import speedups
from predsurv.core.num import MICROS, Size
from predsurv.core.orders import Intent
from predsurv.core.records import Record
from predsurv.engine.interest import EVERYTHING, Interest
from predsurv.state.view import View
from predsurv.store.layout import NS_DAY
from predsurv.store.read.recording import ReplaySpan
from tests.kit.backtests import MIDNIGHT, RecordedVenue, covered, hours, listed_on, run_backtest, told
from tests.kit.recordings import record
from tests.kit.trading_samples import S, cents, levels, market, shares

pytestmark = pytest.mark.skipif(speedups is None, reason="there was no C compiler")

BEGIN = hours(2)
SPAN = ReplaySpan(MIDNIGHT, MIDNIGHT + NS_DAY)
MARKET = replace(market("a"), fetched_at=hours(1))
KEY = MARKET.key(0)
PLAIN = StrategyName("plain")


class Plain:
    """Is told every change, and answers the fifth with what ``answer`` makes of it."""

    name = PLAIN
    signals = frozenset({"take"})

    def __init__(self, answer: Callable[[View], Any], interest: Interest) -> None:
        self.answer, self.interest = answer, interest
        self.heard: list[tuple[Event, int]] = []

    def on_event(self, event: Event, view: View) -> Iterable[Any] | None:
        self.heard.append((event, view.now))
        if not isinstance(event, BookDelta) or event.ts_recv != BEGIN + 5 * S:
            return None
        return self.answer(view)  # type: ignore[no-any-return]


def recorded(folder: Path) -> None:
    opening: list[Record] = [BookSnapshot(KEY, BEGIN, None, 1, None, levels((40, 100)), levels((60, 100)))]
    changes = [BookDelta(KEY, BEGIN + n * S, None, 1, None, "ask", cents(60), shares(100 + n)) for n in range(1, 9)]
    listed_on(folder, 0, MARKET)
    record(folder, BEGIN, [*opening, *changes, covered(KEY, BEGIN, BEGIN + 9 * S)])


def order(_: View) -> tuple[Intent, ...]:
    return (Intent(PLAIN, KEY, "buy", cents(60), Size(5 * MICROS), "ioc", "take"),)


def generated(view: View) -> Iterable[Intent]:
    yield from order(view)


WANTED = [EVERYTHING, Interest(trades=False, ticks=False)]


@pytest.mark.parametrize("interest", WANTED)
@pytest.mark.parametrize("answer", [order, generated, lambda _: [], lambda _: None])
def test_what_is_decided_is_done_either_way(answer: Callable[[View], Any], interest: Interest, tmp_path: Path) -> None:
    recorded(tmp_path)
    ways = {every: Plain(answer, interest) for every in (True, False)}
    runs = [run_backtest(tmp_path, SPAN, RecordedVenue(), each, every_event=every) for every, each in ways.items()]
    assert told(runs[0]) == told(runs[1])
    assert ways[True].heard == ways[False].heard
    assert len(runs[1].seen.fills) == (answer in (order, generated))


def fail(_: View) -> None:
    raise KeyError("no such plan")


def fail_late(_: View) -> Iterable[Intent]:
    yield from ()
    raise KeyError("no such plan")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (fail, r"strategy plain failed at .*: KeyError: 'no such plan'"),
        (fail_late, r"strategy plain failed at .*: KeyError: 'no such plan'"),
        (lambda _: 7, "returned 7; expected an iterable"),
        (lambda _: [7], "returned 7; expected an iterable"),
    ],
)
def test_a_failure_says_the_same_either_way(answer: Callable[[View], Any], says: str, tmp_path: Path) -> None:
    recorded(tmp_path)
    messages = []
    for every in (True, False):
        with pytest.raises(StrategyError, match=says) as failed:
            run_backtest(tmp_path, SPAN, RecordedVenue(), Plain(answer, WANTED[1]), every_event=every)
        messages.append(str(failed.value))
    assert messages[0] == messages[1]


def interrupt(_: View) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_goes_through(tmp_path: Path) -> None:
    recorded(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run_backtest(tmp_path, SPAN, RecordedVenue(), Plain(interrupt, WANTED[1]), every_event=False)


@pytest.mark.parametrize(
    "direct", [(), (1, 2, 3, 4), (object(), {}, "v", ()), (object(), {}, "v", (1,)), (object(), {}, "v", ((1,),))]
)
def test_calls_of_another_shape_are_refused(direct: tuple[object, ...]) -> None:
    assert speedups is not None
    make: Any = speedups.NativeReplay
    every = (0, 0, 1, 1, 0, 0, 0, 0, 0, 0, (0,) * 9, (0, 0))
    with pytest.raises((TypeError, ValueError)):
        make({}, {}, (every,), (), False, direct)
