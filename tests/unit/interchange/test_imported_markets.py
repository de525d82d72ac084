"""Imported markets are listed by what is known of them, and never over a list that is there."""

from pathlib import Path

from predsurv.core.events import BookSnapshot
from predsurv.core.ids import InstrumentId, InstrumentKey, MarketId
from predsurv.interchange.foreign_recording import MarketRows
from predsurv.interchange.imported_markets import ImportedMarkets
from predsurv.store.universe import read_universe
from tests.kit.backtests import listed_on
from tests.kit.trading_samples import V, levels, market

FIRST = 1_776_427_200 * 10**9
FILE = Path("metadata", f"venue={V}", "date=2026-04-17", "universe.jsonl")


def rows(name: str, cents: int | None = None, **names: object) -> MarketRows:
    key = InstrumentKey(V, MarketId(name), InstrumentId(f"{name}-a"))
    side = levels((cents, 1)) if cents is not None else ()
    events = [BookSnapshot(key, FIRST, None, 1, None, side, ())]
    return MarketRows(MarketId(name), (key.instrument_id,), events)._replace(**names)  # type: ignore[arg-type]


def test_a_market_without_a_list_is_written_with_everything_assumed(tmp_path: Path) -> None:
    listing = ImportedMarkets(V, tmp_path)
    listing.add(rows("new", 40), FIRST)
    listing.add(rows("new", question="Rain?", labels=("Yes",)), FIRST + 5)
    listing.commit()
    (found,) = read_universe(tmp_path / FILE)
    assert (found.question, found.outcomes[0].label, found.tick_size, found.fetched_at) == (
        "Rain?",
        "Yes",
        10_000,
        FIRST,
    )
    assert {"tick_size", "fee", "status", "close_time"} <= set(found.assumed)


def test_a_finer_price_says_a_finer_tick(tmp_path: Path) -> None:
    key = InstrumentKey(V, MarketId("fine"), InstrumentId("y"))
    book = BookSnapshot(key, FIRST, None, 1, None, (), ((411_000, 1),))  # type: ignore[arg-type]
    listing = ImportedMarkets(V, tmp_path)
    listing.add(MarketRows(MarketId("fine"), (key.instrument_id,), [book]), FIRST)
    listing.commit()
    (found,) = read_universe(tmp_path / FILE)
    assert found.tick_size == 1_000


def test_what_a_list_has_is_left_alone(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, market())
    before = {path: path.read_bytes() for path in tmp_path.rglob("universe.jsonl")}
    listing = ImportedMarkets(V, tmp_path)
    listing.add(rows(str(market().market_id)), FIRST)
    listing.commit()
    assert {path: path.read_bytes() for path in tmp_path.rglob("universe.jsonl")} == before
