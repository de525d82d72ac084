"""The tape hands out what was written once, in order."""

from predsurv.core.num import Price
from predsurv.exchange.tape import Tape, TapeLifecycle, TapeSettlement
from predsurv.exchange.world import build, records


def test_cut_returns_everything_once() -> None:
    tape, market = Tape(5), records(build(1, 1)[0], 0)[0]
    tape.lifecycle(market, "paused", "{}")
    tape.settled(market, ((market.outcomes[0].instrument_id, Price(1_000_000)),), void=False)
    events = tape.cut()
    assert [type(event) for event in events] == [TapeLifecycle, TapeSettlement]
    assert [(event.seq, event.ts) for event in events] == [(1, 5), (2, 5)]
    assert tape.cut() == []
    assert tape.seq == 2
