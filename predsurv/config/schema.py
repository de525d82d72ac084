"""Every section and key of the configuration with its type, bounds and default.

This is the reference: loading, showing and writing walk these classes and know no key by name.
"""

from collections.abc import Iterator, Mapping, Sequence
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

from msgspec import Meta, Struct, field

from predsurv.config.value_types import (
    AddressType,
    AmountType,
    BytesType,
    DurationType,
    EndpointType,
    FileType,
    FolderType,
    Host,
    LocationType,
    Name,
    NamesType,
    ParametersType,
    PlainType,
    Region,
    Shard,
    ShardType,
    UrlType,
    ValueType,
    WeightsType,
)
from predsurv.core.num import MICROS, Money, Price

MS: Final = 1_000_000
S: Final = 1_000 * MS
M: Final = 60 * S
H: Final = 60 * M

_MONEY = AmountType(0, 10**11 * MICROS)
_LIMIT = AmountType(MICROS // 100, 10**9 * MICROS)

_Section = TypeVar("_Section", bound=Struct)
_Names = Annotated[tuple[str, ...], NamesType()]


class PolymarketConfig(Struct, frozen=True, kw_only=True):
    """Addresses of Polymarket and which of its markets are listed; money in micros."""

    enabled: bool = True
    gamma_url: Annotated[str, UrlType("polymarket", "https")] = "https://gamma-api.polymarket.com"
    clob_url: Annotated[str, UrlType("polymarket", "https")] = "https://clob.polymarket.com"
    data_url: Annotated[str, UrlType("polymarket", "https")] = "https://data-api.polymarket.com"
    ws_market_url: Annotated[str, UrlType("polymarket", "wss")] = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    ws_user_url: Annotated[str, UrlType("polymarket", "wss")] = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    min_volume: Annotated[Money, _MONEY] = Money(0)
    min_liquidity: Annotated[Money, _MONEY] = Money(0)
    funder: Annotated[str, AddressType()] = ""
    signature_type: Annotated[int, Meta(ge=0, le=3)] = 0


class KalshiConfig(Struct, frozen=True, kw_only=True):
    """Addresses of Kalshi.

    ``order_group_limit``: contracts matched within 15 s after which Kalshi itself cancels every order of a live run and
    takes no more of it; 0: no such limit.
    """

    enabled: bool = True
    rest_url: Annotated[str, UrlType("kalshi", "https")] = "https://external-api.kalshi.com/trade-api/v2"
    ws_url: Annotated[str, UrlType("kalshi", "wss")] = "wss://external-api-ws.kalshi.com/trade-api/ws/v2"
    order_group_limit: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class VenuesConfig(Struct, frozen=True, kw_only=True):
    """The real venues, one section each."""

    polymarket: PolymarketConfig = field(default_factory=PolymarketConfig)
    kalshi: KalshiConfig = field(default_factory=KalshiConfig)


class MockConfig(Struct, frozen=True, kw_only=True):
    """The mock venue, which replaces the real ones when enabled; ``rate`` in events per second, ``faults`` by name."""

    enabled: bool = False
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 7
    markets: Annotated[int, Meta(ge=1, le=100_000)] = 300
    rate: Annotated[int, Meta(ge=1, le=1_000_000)] = 400
    faults: _Names = ()


class ScannerConfig(Struct, frozen=True, kw_only=True):
    """Which markets of a catalogue are listed; ``max_markets`` 0 means no limit.

    ``refresh``: how often (ns) ``collect`` reads the lists again, 0 for never.
    """

    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    max_markets: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    include_closed: bool = False
    tradable_only: bool = False
    refresh: Annotated[int, DurationType(0, 24 * H)] = 15 * M


class CollectorConfig(Struct, frozen=True, kw_only=True):
    """Which instruments are recorded; ``rotation_period`` in ns, ``explore_share`` in millionths of the slots."""

    id: Name = "c0"
    max_instruments: Annotated[int, Meta(ge=1, le=100_000)] = 2_000
    instruments_per_connection: Annotated[int, Meta(ge=1, le=250)] = 150
    rotation_period: Annotated[int, DurationType(S, 24 * H)] = 5 * M
    explore_share: Annotated[int, AmountType(0, MICROS)] = 300_000
    pinned: _Names = ()
    both_outcomes: bool = False
    shard: Annotated[Shard, ShardType()] = Shard()


class StorageConfig(Struct, frozen=True, kw_only=True):
    """Snapshots, sealing, compaction, retention and what backtests keep decoded; times in ns.

    ``max_age`` and ``max_bytes`` 0 mean no limit, ``replay_cache`` (bytes) 0 that nothing is kept decoded.
    """

    top_levels: Annotated[int, Meta(ge=1, le=100)] = 10
    snapshot_interval: Annotated[int, DurationType(0, H)] = S
    heartbeat_interval: Annotated[int, DurationType(S, H)] = M
    seal_interval: Annotated[int, DurationType(S, H)] = M
    seal_bytes: Annotated[int, BytesType(2**10, 2**30)] = 64_000_000
    fsync_interval: Annotated[int, DurationType(0, M)] = S
    compression_level: Annotated[int, Meta(ge=1, le=19)] = 2
    compact: bool = True
    max_age: Annotated[int, DurationType(0, 3_650 * 24 * H)] = 0
    max_bytes: Annotated[int, BytesType(0, 900 * 10**12)] = 0
    replay_cache: Annotated[int, BytesType(0, 900 * 10**12)] = 4_000_000_000


class ObjectStoreConfig(Struct, frozen=True, kw_only=True):
    """The object store of the bucket in ``data_dir``; credentials come from the environment only."""

    endpoint: Annotated[str, EndpointType()] = ""
    region: Region = ""


class MinerConfig(Struct, frozen=True, kw_only=True):
    """The ranking of markets: length of the report, ``preset`` of weights, single ``weights`` in micros by name."""

    top: Annotated[int, Meta(ge=1, le=100_000)] = 20
    preset: Literal["research", "taker", "maker", "arbitrage"] = "research"
    weights: Annotated[Mapping[str, int], WeightsType('{tightness = "0.5"}')] = field(default_factory=dict)


class MetricsConfig(Struct, frozen=True, kw_only=True):
    """Address of the server of /metrics and /healthz; port 0 takes any free one."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 9_000


class TradingConfig(Struct, frozen=True, kw_only=True):
    """Mode, venues and strategies of a run; ``starting_cash`` in micros.

    Of paper orders: ``latency`` until the venue has a command, ``ack_latency`` of its answers, ``fill_latency`` of
    fills, ``echo_latency`` until the book lacks what we took (ns); ``recorded_lags`` draws all four from those of the
    received events. ``queue_model``: who is ahead of an order in its queue.
    ``settlement_delay``: how long (ns) after a fill of a venue that settles later it is confirmed or fails;
    ``settlement_failures``: how probable (micros) the latter is, by category of market, ``other`` for all others;
    ``settlement_seed`` draws which. ``rebates``: whether makers are paid them.
    ``mappings``: the file of approved mappings between venues, which need not exist.
    """

    mode: Literal["paper", "live"] = "paper"
    venues: _Names = ()
    strategies: _Names = ("simple", "arbitrage")
    starting_cash: Annotated[Money, _MONEY] = Money(10_000 * MICROS)
    latency: Annotated[int, DurationType(0, M)] = 150 * MS
    ack_latency: Annotated[int, DurationType(0, M)] = 22 * MS
    fill_latency: Annotated[int, DurationType(0, M)] = 16 * MS
    echo_latency: Annotated[int, DurationType(0, M)] = 28 * MS
    recorded_lags: bool = False
    queue_model: Literal["pessimistic", "proportional", "optimistic"] = "proportional"
    settlement_delay: Annotated[int, DurationType(0, H)] = 5 * S
    settlement_failures: Annotated[Mapping[str, int], WeightsType('{crypto = "0.02"}', 0, MICROS)] = field(
        default_factory=dict
    )
    settlement_seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    rebates: bool = False
    mappings: Annotated[Path, FileType()] = Path("config/mappings.toml")


class RiskConfig(Struct, frozen=True, kw_only=True):
    """Limits on all strategies together; money and ``price_collar`` in micros, ``max_data_age`` in ns."""

    max_order_notional: Annotated[Money, _LIMIT] = Money(250 * MICROS)
    max_position_notional: Annotated[Money, _LIMIT] = Money(1_000 * MICROS)
    max_total_exposure: Annotated[Money, _LIMIT] = Money(5_000 * MICROS)
    max_open_orders: Annotated[int, Meta(ge=1, le=10_000)] = 50
    max_orders_per_minute: Annotated[int, Meta(ge=1, le=10_000)] = 60
    max_daily_loss: Annotated[Money, _LIMIT] = Money(500 * MICROS)
    price_collar: Annotated[Price, AmountType(1_000, MICROS)] = Price(100_000)
    max_data_age: Annotated[int, DurationType(100 * MS, H)] = 5 * S


class Config(Struct, frozen=True, kw_only=True, rename={"data_location": "data_dir"}):
    """The whole configuration; every value is checked and in internal units.

    ``strategies``: values by strategy and parameter as they were written, for ``strategies.parameters`` to check.

    ``data_location`` holds the key ``data_dir``: a folder (Path) or the URL of a bucket (str). With a bucket the
    property ``data_dir`` is ``local_dir``, because all work is done on local files.
    """

    data_location: Annotated[Path | str, LocationType()] = Path("data")
    local_dir: Annotated[Path, FolderType()] = Path("data")
    allow_custom_hosts: bool = False
    venues: VenuesConfig = field(default_factory=VenuesConfig)
    mock: MockConfig = field(default_factory=MockConfig)
    scanner: ScannerConfig = field(default_factory=ScannerConfig)
    collector: CollectorConfig = field(default_factory=CollectorConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    object_store: ObjectStoreConfig = field(default_factory=ObjectStoreConfig)
    miner: MinerConfig = field(default_factory=MinerConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    trading: TradingConfig = field(default_factory=TradingConfig)
    risk: RiskConfig = field(default_factory=RiskConfig)
    strategies: Annotated[Mapping[str, Mapping[str, Any]], ParametersType()] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        """The local folder with all data; with a bucket the working copy of it."""
        return self.data_location if isinstance(self.data_location, Path) else self.local_dir

    @property
    def bucket(self) -> str:
        """The URL of the bucket that sealed files are uploaded to, "" when there is none."""
        return "" if isinstance(self.data_location, Path) else self.data_location


class ConfigKey(NamedTuple):
    """One key: its dotted name, its type and its value in the configuration that was walked."""

    name: str
    value_type: ValueType
    value: Any


class _Member(NamedTuple):
    """A field of a section, its name in TOML, and its type: of the value, or the struct of a nested section."""

    field: str
    key: str
    type: ValueType | type[Struct]


@cache
def _members(section: type[Struct]) -> Sequence[_Member]:
    hints = get_type_hints(section, include_extras=True)
    names = zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True)
    return [_Member(name, key, _type_of(hints[name])) for name, key in names]


def _type_of(hint: Any) -> ValueType | type[Struct]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    own = get_args(hint)[1] if get_origin(hint) is Annotated else None
    return PlainType(hint) if own is None or isinstance(own, Meta) else own


def walk(section: Struct, prefix: str = "") -> Iterator[ConfigKey]:
    """Yield every key of ``section`` and of the sections inside it, in the order of the classes above."""
    for name, key, type_ in _members(type(section)):
        value = getattr(section, name)
        if isinstance(type_, type):
            yield from walk(value, f"{prefix}{key}.")
        else:
            yield ConfigKey(prefix + key, type_, value)


def build(values: Mapping[str, Any]) -> Config:
    """Return the configuration made of checked ``values`` by dotted name; raises KeyError when one is missing."""
    return _build(Config, values, "")


def _build(section: type[_Section], values: Mapping[str, Any], prefix: str) -> _Section:
    return section(
        **{
            name: _build(type_, values, f"{prefix}{key}.") if isinstance(type_, type) else values[prefix + key]
            for name, key, type_ in _members(section)
        }
    )


KEYS: Final = {key.name: key for key in walk(Config())}
"""Every key by its dotted name, with its default as the value."""

SECTIONS: Final = frozenset(name.rsplit(".", depth)[0] for name in KEYS for depth in range(1, name.count(".") + 1))
"""Every table: ``venues``, ``venues.polymarket``, ``collector`` …"""

RESERVED: Final = {
    "scanner.concurrency": "a listing is read page by page",
}
"""Keys that are accepted, checked and written back but have no effect yet, and why."""
