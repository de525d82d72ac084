"""The labelled pairs as universe files of both venues, for the commands that read those."""

from pathlib import Path

from msgspec.structs import replace

from predsurv.core.ids import EventId, InstrumentId, MarketId, VenueName
from predsurv.core.market import Market, Outcome
from predsurv.core.num import Price, Size
from predsurv.store.layout import Layout
from predsurv.store.universe import format_line, parse_iso, to_line
from tests.kit.mapping_pairs import rows

DAY = "2025-11-30"
_SEEN = parse_iso(f"{DAY}T00:00:00Z")


def markets() -> tuple[list[Market], list[Market]]:
    """Return the markets of the labelled pairs: Kalshi's and Polymarket's."""
    kalshi: dict[str, Market] = {}
    polymarket: dict[str, Market] = {}
    for row in rows():
        title, subtitle = row["kalshi_title"], row["kalshi_subtitle"]
        question = title if subtitle.casefold() in title.casefold() else f"{title} – {subtitle}"
        one = market("kalshi", row["kalshi_ticker"], question, row["kalshi_rules"], row["kalshi_close"])
        kalshi.setdefault(one.market_id, one)
        other = market(
            "polymarket",
            row["polymarket_id"],
            row["polymarket_question"],
            row["polymarket_rules"],
            row["polymarket_close"],
        )
        polymarket.setdefault(other.market_id, replace(other, event_id=EventId(row["polymarket_event"])))
    return list(kalshi.values()), list(polymarket.values())


def market(venue: str, market_id: str, question: str, rules: str, close: str) -> Market:
    """Return an active binary market with these texts."""
    return Market(
        venue=VenueName(venue),
        market_id=MarketId(market_id),
        event_id=EventId(market_id.rpartition("-")[0]),
        question=question,
        description=rules,
        rules_hash=f"{abs(len(rules)):08d}{rules[:40]}",
        outcomes=(Outcome(InstrumentId(f"{market_id}:y"), "Yes"), Outcome(InstrumentId(f"{market_id}:n"), "No")),
        status="active",
        tick_size=Price(10_000),
        min_order_size=Size(1_000_000),
        fetched_at=_SEEN,
        close_time=parse_iso(close),
        tradable=True,
    )


def write_universe(data_dir: Path, listed: list[Market], day: str = DAY) -> Path:
    """Write markets of one venue as the universe of a day and return its path."""
    path = Layout(data_dir).universe(listed[0].venue, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(format_line(to_line(each)) for each in listed))
    return path
