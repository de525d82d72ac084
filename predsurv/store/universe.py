"""The universe file: every market of a venue on a day, one JSON object per line.

The format is public: decimals are strings, times ISO 8601 UTC, absent optional fields are left out.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from predsurv.core.errors import IntegrityError
from predsurv.core.ids import EventId, MarketId, VenueName
from predsurv.core.market import BINARY, FeeModel, FeeSchedule, Market, MarketStatus, Outcome, PriceBand
from predsurv.core.native import speedups
from predsurv.core.num import Money, Price, Size, format_micros, parse_micros
from predsurv.store.layout import NS_SECOND, Layout, is_date

LINE_BYTES_MAX: Final = 1 << 20
"""Longest line that is read; a longer one is an error."""

TEXTS_MAX: Final = 1 << 12
"""Most times, and most ticks, sizes and rates, whose texts are remembered; amounts are nearly all different."""

_ISO = re.compile(
    r"(?P<seconds>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?Z\Z"
)


class FeeLine(Struct, frozen=True, omit_defaults=True):
    """``{"model": "polymarket", "rate": "0.07", "exponent": 1}``; an exponent that is not whole is a decimal text."""

    model: FeeModel
    rate: str
    exponent: int | str | None = None
    maker_rate: str | None = None
    since: str | None = None
    rebate_rate: str | None = None


class BandLine(Struct, frozen=True):
    """``{"start": "0", "end": "0.1", "step": "0.001"}``"""

    start: str
    end: str
    step: str


class _RequiredFields(Struct, frozen=True, kw_only=True):
    venue: str
    market_id: str
    event_id: str
    question: str
    outcomes: tuple[Outcome, ...]
    tags: tuple[str, ...]
    status: MarketStatus
    tick_size: str
    min_order_size: str
    neg_risk: bool
    mutually_exclusive: bool
    fee: FeeLine
    volume: str | None
    volume_24h: str | None
    liquidity: str | None
    open_interest: str | None
    close_time: str | None
    url: str | None
    rules_hash: str | None
    tradable: bool
    fetched_at: str


class MarketLine(_RequiredFields, frozen=True, kw_only=True, omit_defaults=True):
    """One line of universe.jsonl; also the ``market`` of a lifecycle row.

    ``unchanged_since``, ``replaced``: see ``listing_history``; only in universe.jsonl.
    """

    series_id: str | None = None
    description: str | None = None
    category: str | None = None
    exhaustive: bool = False
    bands: tuple[BandLine, ...] = ()
    min_taker_buy: str | None = None
    taker_delay_ms: int = 0
    market_type: str = BINARY
    game_start: str | None = None
    reward_min_size: str | None = None
    reward_max_spread: str | None = None
    assumed: tuple[str, ...] = ()
    last_seen: str | None = None
    event_title: str | None = None
    version: str = ""
    shard: int | None = None
    unchanged_since: str | None = None
    replaced: tuple[dict[str, Any], ...] = ()


class MarketLineIds(Struct, frozen=True):
    """Whose line it is, without the rest of it."""

    market_id: MarketId
    event_id: EventId


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(MarketLine)
_IDS_DECODER = msgspec.json.Decoder(MarketLineIds)
_MS: Final = 1_000_000
UNREADABLE: Final = (ValueError, OverflowError, msgspec.MsgspecError)
"""What reading a damaged line raises."""


def to_line(market: Market) -> MarketLine:
    """Return ``market`` in its form on disk."""
    return MarketLine(
        venue=market.venue,
        market_id=market.market_id,
        event_id=market.event_id,
        question=market.question,
        outcomes=market.outcomes,
        tags=market.tags,
        status=market.status,
        tick_size=_usual(market.tick_size),
        min_order_size=_usual(market.min_order_size),
        neg_risk=market.neg_risk,
        mutually_exclusive=market.mutually_exclusive,
        fee=to_fee_line(market.fee),
        volume=_decimal(market.volume),
        volume_24h=_decimal(market.volume_24h),
        liquidity=_decimal(market.liquidity),
        open_interest=_decimal(market.open_interest),
        close_time=None if market.close_time is None else iso_time(market.close_time),
        url=market.url,
        rules_hash=market.rules_hash,
        tradable=market.tradable,
        fetched_at=iso_time(market.fetched_at),
        series_id=market.series_id,
        description=market.description,
        category=market.category,
        exhaustive=market.exhaustive,
        bands=to_band_lines(market.bands) if market.bands else (),
        min_taker_buy=_usual(market.min_taker_buy) if market.min_taker_buy else None,
        taker_delay_ms=-(-market.taker_delay // _MS),
        market_type=market.market_type,
        game_start=None if market.game_start is None else iso_time(market.game_start),
        reward_min_size=None if market.reward_min_size is None else _usual(market.reward_min_size),
        reward_max_spread=None if market.reward_max_spread is None else _usual(market.reward_max_spread),
        assumed=market.assumed,
        last_seen=None if market.last_seen is None else iso_time(market.last_seen),
        event_title=market.event_title,
        version=market.version,
        shard=market.shard,
    )


def to_market(line: MarketLine) -> Market:
    """Return the market that ``line`` describes; raises ValueError for a bad decimal or time."""
    return Market(
        venue=VenueName(line.venue),
        market_id=MarketId(line.market_id),
        event_id=EventId(line.event_id),
        question=line.question,
        outcomes=line.outcomes,
        status=line.status,
        tick_size=Price(parse_micros(line.tick_size)),
        min_order_size=Size(parse_micros(line.min_order_size)),
        fetched_at=parse_iso(line.fetched_at),
        series_id=line.series_id,
        description=line.description,
        category=line.category,
        tags=line.tags,
        neg_risk=line.neg_risk,
        mutually_exclusive=line.mutually_exclusive,
        exhaustive=line.exhaustive,
        fee=to_fee(line.fee),
        bands=to_bands(line.bands),
        min_taker_buy=_money(line.min_taker_buy) or Money(0),
        taker_delay=line.taker_delay_ms * _MS,
        volume=_money(line.volume),
        volume_24h=_money(line.volume_24h),
        liquidity=_money(line.liquidity),
        open_interest=_money(line.open_interest),
        close_time=None if line.close_time is None else parse_iso(line.close_time),
        url=line.url,
        rules_hash=line.rules_hash,
        tradable=line.tradable,
        market_type=line.market_type,
        game_start=None if line.game_start is None else parse_iso(line.game_start),
        reward_min_size=None if line.reward_min_size is None else Size(parse_micros(line.reward_min_size)),
        reward_max_spread=None if line.reward_max_spread is None else Price(parse_micros(line.reward_max_spread)),
        assumed=line.assumed,
        event_title=line.event_title,
        last_seen=None if line.last_seen is None else parse_iso(line.last_seen),
        version=line.version,
        shard=line.shard,
    )


def to_band_lines(bands: Iterable[PriceBand]) -> tuple[BandLine, ...]:
    """Return ``bands`` in their form on disk."""
    return tuple(BandLine(*map(format_micros, (band.start, band.end, band.step))) for band in bands)


def to_bands(lines: Iterable[BandLine]) -> tuple[PriceBand, ...]:
    """Return the bands that ``lines`` describe; raises ValueError for a bad decimal."""
    return tuple(
        PriceBand(*(Price(parse_micros(price)) for price in (line.start, line.end, line.step))) for line in lines
    )


def to_fee_line(fee: FeeSchedule) -> FeeLine:
    """Return ``fee`` in its form on disk."""
    return FeeLine(
        fee.model,
        _usual(fee.rate),
        _exponent_line(fee.exponent),
        _usual(fee.maker_rate) if fee.maker_rate else None,
        None if fee.since is None else iso_time(fee.since),
        _usual(fee.rebate_rate) if fee.rebate_rate else None,
    )


def to_fee(line: FeeLine) -> FeeSchedule:
    """Return the fee that ``line`` describes; raises ValueError for a bad decimal or time."""
    return FeeSchedule(
        model=line.model,
        rate=parse_micros(line.rate),
        exponent=_exponent(line.exponent),
        maker_rate=0 if line.maker_rate is None else parse_micros(line.maker_rate),
        since=None if line.since is None else parse_iso(line.since),
        rebate_rate=0 if line.rebate_rate is None else parse_micros(line.rebate_rate),
    )


def _exponent_line(exponent: int | Decimal) -> int | str | None:
    if exponent == 1:
        return None
    return exponent if isinstance(exponent, int) else format_micros(int(exponent.scaleb(6)))


def _exponent(line: int | str | None) -> int | Decimal:
    if line is None:
        return 1
    return line if isinstance(line, int) else Decimal(parse_micros(line)).scaleb(-6)


_usual: Final = lru_cache(TEXTS_MAX)(format_micros)


def _decimal(value: int | None) -> str | None:
    return None if value is None else format_micros(value)


def _money(text: str | None) -> Money | None:
    return None if text is None else Money(parse_micros(text))


@lru_cache(TEXTS_MAX)
def iso_time(ts: int) -> str:
    """Return ``ts`` (ns UTC) as ISO 8601 with as many decimals as it has, at most nine."""
    seconds, fraction = divmod(ts, NS_SECOND)
    text = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else text + "Z"


def iso_second(ts: int) -> str:
    """Return ``ts`` (ns UTC) as people read it: ISO 8601 of the second it is in."""
    return iso_time(ts - ts % NS_SECOND)


def parse_iso(text: str) -> int:
    """Return the ns UTC of a text in the form of ``iso_time``, exactly; raises ValueError for any other text."""
    match = _ISO.match(text)
    if match is None:
        raise ValueError(f"not a UTC time: {text[:40]!r}")
    moment = datetime.fromisoformat(match["seconds"]).replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_SECOND + int((match["fraction"] or "").ljust(9, "0"))


def read_universe(path: Path) -> Iterator[Market]:
    """Yield the markets of a universe file one by one; raises IntegrityError naming a bad line.

    Raises FileNotFoundError when there is no such file.
    """
    for number, line in enumerate(_lines(path), 1):
        try:
            yield to_market(parse_line(line))
        except UNREADABLE as error:
            raise IntegrityError(f"{path}, line {number}: {error}; run 'predsurv scan' again") from error


def lines_of(path: Path, wanted: AbstractSet[MarketId]) -> Iterator[MarketLine]:
    """Yield the lines of the ``wanted`` markets in a universe file; unreadable ones and a missing file are skipped."""
    with suppress(FileNotFoundError):
        for line in _lines(path):
            with suppress(*UNREADABLE):
                if line_ids(line).market_id in wanted:
                    yield parse_line(line)


def find_markets(paths: Iterable[Path], wanted: AbstractSet[MarketId]) -> dict[MarketId, Market]:
    """Return the ``wanted`` markets by id, each from the first of the universe files ``paths`` that has it.

    Missing files and unreadable lines are skipped.
    """
    found: dict[MarketId, Market] = {}
    for path in paths:
        if wanted <= found.keys():
            break
        for line in lines_of(path, wanted - found.keys()):
            with suppress(*UNREADABLE):
                found.setdefault(MarketId(line.market_id), to_market(line))
    return found


def format_line(line: MarketLine) -> bytes:
    """Return ``line`` as it is on disk, with its line break."""
    return _ENCODER.encode(line) + b"\n"


def market_line(market: Market) -> bytes:
    """Return ``format_line(to_line(market))``."""
    text = None if _writer is None else _writer.line(market)
    return format_line(to_line(market)) if text is None else text


_writer: Final = (
    None
    if speedups is None
    else speedups.NativeLineWriter(
        iso_time,
        lambda fee: _ENCODER.encode(to_fee_line(fee)),
        lambda bands: _ENCODER.encode(to_band_lines(bands)),
        BINARY,
    )
)
"""Writes most lines without a struct in between; leaves those of unusual markets."""


def line_ids(line: bytes) -> MarketLineIds:
    """Return whose line ``line`` is, at a tenth of the cost of the whole; raises one of ``UNREADABLE``."""
    return _IDS_DECODER.decode(line)


def parse_line(line: bytes) -> MarketLine:
    """Return the line as it is on disk; raises one of ``UNREADABLE``."""
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"longer than {LINE_BYTES_MAX} bytes")
    return _DECODER.decode(line)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX + 1):
            yield line


def latest_universe(data_dir: Path, venue: VenueName) -> Path | None:
    """Return the newest universe file of ``venue``, None when it was never scanned."""
    return next(reversed(universe_files(data_dir, venue).values()), None)


def universe_venues(data_dir: Path) -> list[VenueName]:
    """Return the venues that have a folder of universe files, sorted."""
    return [VenueName(folder.name.removeprefix("venue=")) for folder in sorted((data_dir / "metadata").glob("venue=*"))]


def universe_files(data_dir: Path, venue: VenueName) -> dict[str, Path]:
    """Return the universe files of ``venue`` by date (YYYY-MM-DD), oldest first."""
    folder = Layout(data_dir).universe(venue, "*").parent.parent
    dated = {path.parent.name.removeprefix("date="): path for path in folder.glob("date=*/universe.jsonl")}
    return {date: dated[date] for date in sorted(dated) if is_date(date)}


def date_in_force(dates: Collection[str], day: str) -> str | None:
    """Return the latest of ``dates`` up to ``day``, or else the earliest, None when there is none.

    The universe of a later day lacks the markets that had ended by then.
    """
    return max((date for date in dates if date <= day), default=min(dates, default=None))
