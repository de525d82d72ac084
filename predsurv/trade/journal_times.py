"""When the entries of a journal are of."""

from collections.abc import Iterable

from predsurv.trade.journal import (
    AccountCorrected,
    AccountUpdated,
    CommandSent,
    EngineNoted,
    Entry,
    LiquidityTaken,
    MarketSettled,
    OrderNamed,
    RebateBooked,
    RunStarted,
)


def last_entry_time(entries: Iterable[Entry]) -> int | None:
    """Return the latest time (ns UTC) that any of ``entries`` states, None when none does."""
    return max((ts for ts in map(entry_time, entries) if ts), default=None)


def entry_time(entry: Entry) -> int | None:
    """Return the time (ns UTC) that an entry states, None when it states none."""
    match entry:
        case RunStarted():
            return entry.ts
        case CommandSent():
            return entry.decision.approved.ts
        case EngineNoted():
            return entry.note.ts
        case OrderNamed():
            return None
        case AccountUpdated() | AccountCorrected() | MarketSettled() | LiquidityTaken() | RebateBooked():
            return entry.event.ts_recv
