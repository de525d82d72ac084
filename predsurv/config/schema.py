"""Every section and key of the configuration with its kind, bounds and default.

Kept apart so that it reads as the reference: loading, checking, showing and writing all walk
these classes and know no key by name.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from msgspec import Struct, field

from predsurv.config.kinds import (
    Address,
    Amount,
    Bytes,
    Choice,
    Count,
    Duration,
    Flag,
    Folder,
    Host,
    Kind,
    Name,
    Names,
    Part,
    Shard,
    Url,
    Weights,
)
from predsurv.config.places import Endpoint, Place, Region
from predsurv.core.num import MICROS, Money, Price

MS: Final = 1_000_000
S: Final = 1_000 * MS
M: Final = 60 * S
H: Final = 60 * M

_MONEY = Amount(0, 10**11 * MICROS)
_LIMIT = Amount(MICROS // 100, 10**9 * MICROS)

_Section = TypeVar("_Section", bound=Struct)
_Bool = Annotated[bool, Flag()]
_Names = Annotated[tuple[str, ...], Names()]


class Polymarket(Struct, frozen=True, kw_only=True):
    """Where Polymarket is and which of its markets count; money in micros."""

    enabled: _Bool = True
    gamma_url: Annotated[str, Url("polymarket", "https")] = "https://gamma-api.polymarket.com"
    clob_url: Annotated[str, Url("polymarket", "https")] = "https://clob.polymarket.com"
    data_url: Annotated[str, Url("polymarket", "https")] = "https://data-api.polymarket.com"
    ws_market_url: Annotated[str, Url("polymarket", "wss")] = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    ws_user_url: Annotated[str, Url("polymarket", "wss")] = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    min_volume: Annotated[Money, _MONEY] = Money(0)
    min_liquidity: Annotated[Money, _MONEY] = Money(0)
    funder: Annotated[str, Address()] = ""
    signature_type: Annotated[int, Count(0, 3)] = 0


class Kalshi(Struct, frozen=True, kw_only=True):
    """Where Kalshi is."""

    enabled: _Bool = True
    rest_url: Annotated[str, Url("kalshi", "https")] = "https://external-api.kalshi.com/trade-api/v2"
    ws_url: Annotated[str, Url("kalshi", "wss")] = "wss://external-api-ws.kalshi.com/trade-api/ws/v2"


class Venues(Struct, frozen=True, kw_only=True):
    """The real venues, one section each."""

    polymarket: Polymarket = field(default_factory=Polymarket)
    kalshi: Kalshi = field(default_factory=Kalshi)


class Mock(Struct, frozen=True, kw_only=True):
    """The made-up venue; when enabled it replaces the real ones. ``rate`` in events a second."""

    enabled: _Bool = False
    seed: Annotated[int, Count(0, 2**32 - 1)] = 7
    markets: Annotated[int, Count(1, 100_000)] = 300
    rate: Annotated[int, Count(1, 1_000_000)] = 400
    faults: _Names = ()


class Scanner(Struct, frozen=True, kw_only=True):
    """How the catalogue is read; ``max_markets`` 0 means no limit."""

    concurrency: Annotated[int, Count(1, 64)] = 4
    max_markets: Annotated[int, Count(0, 10_000_000)] = 0
    include_closed: _Bool = False
    tradable_only: _Bool = False


class Collector(Struct, frozen=True, kw_only=True):
    """What is recorded at a time; periods in ns, ``explore_share`` in millionths of the slots."""

    id: Annotated[str, Name()] = "c0"
    max_instruments: Annotated[int, Count(1, 100_000)] = 2_000
    instruments_per_connection: Annotated[int, Count(1, 500)] = 150
    rotation_period: Annotated[int, Duration(S, 24 * H)] = 5 * M
    explore_share: Annotated[int, Amount(0, MICROS)] = 300_000
    pinned: _Names = ()
    both_outcomes: _Bool = False
    shard: Annotated[Shard, Part()] = Shard()


class Storage(Struct, frozen=True, kw_only=True):
    """How it is written to disk, and how long it stays; times in ns, 0 for no limit."""

    top_levels: Annotated[int, Count(1, 100)] = 10
    snapshot_interval: Annotated[int, Duration(0, H)] = S
    heartbeat_interval: Annotated[int, Duration(S, H)] = M
    seal_interval: Annotated[int, Duration(S, H)] = M
    seal_bytes: Annotated[int, Bytes(2**10, 2**30)] = 64_000_000
    fsync_interval: Annotated[int, Duration(0, M)] = S
    compression_level: Annotated[int, Count(1, 19)] = 2
    compact: _Bool = True
    max_age: Annotated[int, Duration(0, 3_650 * 24 * H)] = 0
    max_bytes: Annotated[int, Bytes(0, 900 * 10**12)] = 0


class ObjectStore(Struct, frozen=True, kw_only=True):
    """How the bucket is reached when ``data_dir`` names one; credentials come from the environment only."""

    endpoint: Annotated[str, Endpoint()] = ""
    region: Annotated[str, Region()] = ""


class Miner(Struct, frozen=True, kw_only=True):
    """What the statistics show; ``weights`` in micros by the name of the score."""

    top: Annotated[int, Count(1, 100_000)] = 20
    weights: Annotated[Mapping[str, int], Weights()] = field(default_factory=dict)


class Metrics(Struct, frozen=True, kw_only=True):
    """Where /metrics and /healthz listen; port 0 takes any free one."""

    host: Annotated[str, Host()] = "127.0.0.1"
    port: Annotated[int, Count(0, 65_535)] = 9_000


class Trading(Struct, frozen=True, kw_only=True):
    """How strategies run; ``starting_cash`` in micros, ``latency`` in ns."""

    mode: Annotated[Literal["paper", "live"], Choice(("paper", "live"))] = "paper"
    venues: _Names = ()
    strategies: _Names = ("simple", "arbitrage")
    starting_cash: Annotated[Money, _MONEY] = Money(10_000 * MICROS)
    latency: Annotated[int, Duration(0, M)] = 150 * MS


class Risk(Struct, frozen=True, kw_only=True):
    """What no strategy can exceed; money and price distance in micros, age in ns."""

    max_order_notional: Annotated[Money, _LIMIT] = Money(250 * MICROS)
    max_position_notional: Annotated[Money, _LIMIT] = Money(1_000 * MICROS)
    max_total_exposure: Annotated[Money, _LIMIT] = Money(5_000 * MICROS)
    max_open_orders: Annotated[int, Count(1, 10_000)] = 50
    max_orders_per_minute: Annotated[int, Count(1, 10_000)] = 60
    max_daily_loss: Annotated[Money, _LIMIT] = Money(500 * MICROS)
    price_collar: Annotated[Price, Amount(1_000, MICROS)] = Price(100_000)
    max_data_age: Annotated[int, Duration(100 * MS, H)] = 5 * S


class Config(Struct, frozen=True, kw_only=True, rename={"place": "data_dir"}):
    """The whole configuration; every value is checked and in internal units.

    ``place`` is what the key ``data_dir`` says. When that is a bucket, ``data_dir`` is ``local_dir``: all work is
    done on files there.
    """

    place: Annotated[Path | str, Place()] = Path("data")
    local_dir: Annotated[Path, Folder()] = Path("data")
    allow_custom_hosts: _Bool = False
    venues: Venues = field(default_factory=Venues)
    mock: Mock = field(default_factory=Mock)
    scanner: Scanner = field(default_factory=Scanner)
    collector: Collector = field(default_factory=Collector)
    storage: Storage = field(default_factory=Storage)
    object_store: ObjectStore = field(default_factory=ObjectStore)
    miner: Miner = field(default_factory=Miner)
    metrics: Metrics = field(default_factory=Metrics)
    trading: Trading = field(default_factory=Trading)
    risk: Risk = field(default_factory=Risk)

    @property
    def data_dir(self) -> Path:
        """Return the folder on this machine that everything is in, or comes from."""
        return self.place if isinstance(self.place, Path) else self.local_dir

    @property
    def bucket(self) -> str:
        """Return the URL of the bucket that everything goes to, "" when there is none."""
        return "" if isinstance(self.place, Path) else self.place


class Key(NamedTuple):
    """One key: its dotted name, its kind and its value in the configuration asked about."""

    name: str
    kind: Kind
    value: Any


@cache
def _hints(section: type[Struct]) -> list[tuple[str, str, Any]]:
    """Return the field, the key as users write it, and the annotation of everything in ``section``."""
    hints = get_type_hints(section, include_extras=True)
    names = zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True)
    return [(name, key, hints[name]) for name, key in names]


def walk(section: Struct, prefix: str = "") -> Iterator[Key]:
    """Yield every key of ``section`` and of the sections inside it, in the order written here."""
    for name, key, hint in _hints(type(section)):
        value = getattr(section, name)
        if get_origin(hint) is Annotated:
            yield Key(prefix + key, get_args(hint)[1], value)
        else:
            yield from walk(value, f"{prefix}{key}.")


def build(values: Mapping[str, Any]) -> Config:
    """Return the configuration made of ``values`` by dotted name; all keys must be there."""
    return _build(Config, values, "")


def _build(section: type[_Section], values: Mapping[str, Any], prefix: str) -> _Section:
    return section(
        **{
            name: values[prefix + key] if get_origin(hint) is Annotated else _build(hint, values, f"{prefix}{key}.")
            for name, key, hint in _hints(section)
        }
    )


KEYS: Final = {key.name: key for key in walk(Config())}
"""Every key there is with its default."""

SECTIONS: Final = frozenset(name.rsplit(".", depth)[0] for name in KEYS for depth in range(1, name.count(".") + 1))
"""Every table there is: ``venues``, ``venues.polymarket``, ``collector`` …"""
