"""The tape returns every event once, in order."""

from predsurv.core.num import Price
from predsurv.exchange.tape import Tape, TapeLifecycle, TapeSettlement
from predsurv.exchange.world import build_groups, market_records


def test_take_events_returns_every_event_once() -> None:
    tape, market = Tape(5), market_records(build_groups(1, 1)[0], 0)[0]
    tape.add_lifecycle(market, "paused", "{}")
    tape.add_settlement(market, ((market.outcomes[0].instrument_id, Price(1_000_000)),), void=False)
    events = tape.take_events()
    assert [type(event) for event in events] == [TapeLifecycle, TapeSettlement]
    assert [(event.seq, event.ts) for event in events] == [(1, 5), (2, 5)]
    assert tape.take_events() == []
    assert tape.seq == 2
