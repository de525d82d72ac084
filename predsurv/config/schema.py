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

from predsurv.config.value_types import (
    AddressType,
    AmountType,
    BytesType,
    ChoiceType,
    CountType,
    DurationType,
    EndpointType,
    FlagType,
    FolderType,
    HostType,
    LocationType,
    NamesType,
    NameType,
    RegionType,
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
_Bool = Annotated[bool, FlagType()]
_Names = Annotated[tuple[str, ...], NamesType()]


class PolymarketConfig(Struct, frozen=True, kw_only=True):
    """Where Polymarket is and which of its markets count; money in micros."""

    enabled: _Bool = True
    gamma_url: Annotated[str, UrlType("polymarket", "https")] = "https://gamma-api.polymarket.com"
    clob_url: Annotated[str, UrlType("polymarket", "https")] = "https://clob.polymarket.com"
    data_url: Annotated[str, UrlType("polymarket", "https")] = "https://data-api.polymarket.com"
    ws_market_url: Annotated[str, UrlType("polymarket", "wss")] = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    ws_user_url: Annotated[str, UrlType("polymarket", "wss")] = "wss://ws-subscriptions-clob.polymarket.com/ws/user"
    min_volume: Annotated[Money, _MONEY] = Money(0)
    min_liquidity: Annotated[Money, _MONEY] = Money(0)
    funder: Annotated[str, AddressType()] = ""
    signature_type: Annotated[int, CountType(0, 3)] = 0


class KalshiConfig(Struct, frozen=True, kw_only=True):
    """Where Kalshi is."""

    enabled: _Bool = True
    rest_url: Annotated[str, UrlType("kalshi", "https")] = "https://external-api.kalshi.com/trade-api/v2"
    ws_url: Annotated[str, UrlType("kalshi", "wss")] = "wss://external-api-ws.kalshi.com/trade-api/ws/v2"


class VenuesConfig(Struct, frozen=True, kw_only=True):
    """The real venues, one section each."""

    polymarket: PolymarketConfig = field(default_factory=PolymarketConfig)
    kalshi: KalshiConfig = field(default_factory=KalshiConfig)


class MockConfig(Struct, frozen=True, kw_only=True):
    """The made-up venue; when enabled it replaces the real ones. ``rate`` in events a second."""

    enabled: _Bool = False
    seed: Annotated[int, CountType(0, 2**32 - 1)] = 7
    markets: Annotated[int, CountType(1, 100_000)] = 300
    rate: Annotated[int, CountType(1, 1_000_000)] = 400
    faults: _Names = ()


class ScannerConfig(Struct, frozen=True, kw_only=True):
    """How the catalogue is read; ``max_markets`` 0 means no limit."""

    concurrency: Annotated[int, CountType(1, 64)] = 4
    max_markets: Annotated[int, CountType(0, 10_000_000)] = 0
    include_closed: _Bool = False
    tradable_only: _Bool = False


class CollectorConfig(Struct, frozen=True, kw_only=True):
    """What is recorded at a time; periods in ns, ``explore_share`` in millionths of the slots."""

    id: Annotated[str, NameType()] = "c0"
    max_instruments: Annotated[int, CountType(1, 100_000)] = 2_000
    instruments_per_connection: Annotated[int, CountType(1, 500)] = 150
    rotation_period: Annotated[int, DurationType(S, 24 * H)] = 5 * M
    explore_share: Annotated[int, AmountType(0, MICROS)] = 300_000
    pinned: _Names = ()
    both_outcomes: _Bool = False
    shard: Annotated[Shard, ShardType()] = Shard()


class StorageConfig(Struct, frozen=True, kw_only=True):
    """How it is written to disk, and how long it stays; times in ns, 0 for no limit."""

    top_levels: Annotated[int, CountType(1, 100)] = 10
    snapshot_interval: Annotated[int, DurationType(0, H)] = S
    heartbeat_interval: Annotated[int, DurationType(S, H)] = M
    seal_interval: Annotated[int, DurationType(S, H)] = M
    seal_bytes: Annotated[int, BytesType(2**10, 2**30)] = 64_000_000
    fsync_interval: Annotated[int, DurationType(0, M)] = S
    compression_level: Annotated[int, CountType(1, 19)] = 2
    compact: _Bool = True
    max_age: Annotated[int, DurationType(0, 3_650 * 24 * H)] = 0
    max_bytes: Annotated[int, BytesType(0, 900 * 10**12)] = 0


class ObjectStoreConfig(Struct, frozen=True, kw_only=True):
    """How the bucket is reached when ``data_dir`` names one; credentials come from the environment only."""

    endpoint: Annotated[str, EndpointType()] = ""
    region: Annotated[str, RegionType()] = ""


class MinerConfig(Struct, frozen=True, kw_only=True):
    """What the statistics show; ``weights`` in micros by the name of the score."""

    top: Annotated[int, CountType(1, 100_000)] = 20
    weights: Annotated[Mapping[str, int], WeightsType()] = field(default_factory=dict)


class MetricsConfig(Struct, frozen=True, kw_only=True):
    """Where /metrics and /healthz listen; port 0 takes any free one."""

    host: Annotated[str, HostType()] = "127.0.0.1"
    port: Annotated[int, CountType(0, 65_535)] = 9_000


class TradingConfig(Struct, frozen=True, kw_only=True):
    """How strategies run; ``starting_cash`` in micros, ``latency`` in ns."""

    mode: Annotated[Literal["paper", "live"], ChoiceType(("paper", "live"))] = "paper"
    venues: _Names = ()
    strategies: _Names = ("simple", "arbitrage")
    starting_cash: Annotated[Money, _MONEY] = Money(10_000 * MICROS)
    latency: Annotated[int, DurationType(0, M)] = 150 * MS


class RiskConfig(Struct, frozen=True, kw_only=True):
    """What no strategy can exceed; money and price distance in micros, age in ns."""

    max_order_notional: Annotated[Money, _LIMIT] = Money(250 * MICROS)
    max_position_notional: Annotated[Money, _LIMIT] = Money(1_000 * MICROS)
    max_total_exposure: Annotated[Money, _LIMIT] = Money(5_000 * MICROS)
    max_open_orders: Annotated[int, CountType(1, 10_000)] = 50
    max_orders_per_minute: Annotated[int, CountType(1, 10_000)] = 60
    max_daily_loss: Annotated[Money, _LIMIT] = Money(500 * MICROS)
    price_collar: Annotated[Price, AmountType(1_000, MICROS)] = Price(100_000)
    max_data_age: Annotated[int, DurationType(100 * MS, H)] = 5 * S


class Config(Struct, frozen=True, kw_only=True, rename={"data_location": "data_dir"}):
    """The whole configuration; every value is checked and in internal units.

    ``data_location`` holds the key ``data_dir``: a folder (Path) or the URL of a bucket (str). With a bucket the
    property ``data_dir`` is ``local_dir``, because all work is done on local files.
    """

    data_location: Annotated[Path | str, LocationType()] = Path("data")
    local_dir: Annotated[Path, FolderType()] = Path("data")
    allow_custom_hosts: _Bool = False
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

    @property
    def data_dir(self) -> Path:
        """Return the folder on this machine that everything is in, or comes from."""
        return self.data_location if isinstance(self.data_location, Path) else self.local_dir

    @property
    def bucket(self) -> str:
        """Return the URL of the bucket that everything goes to, "" when there is none."""
        return "" if isinstance(self.data_location, Path) else self.data_location


class ConfigKey(NamedTuple):
    """One key: its dotted name, its kind and its value in the configuration asked about."""

    name: str
    kind: ValueType
    value: Any


@cache
def _hints(section: type[Struct]) -> list[tuple[str, str, Any]]:
    """Return the field, the key as users write it, and the annotation of everything in ``section``."""
    hints = get_type_hints(section, include_extras=True)
    names = zip(section.__struct_fields__, section.__struct_encode_fields__, strict=True)
    return [(name, key, hints[name]) for name, key in names]


def walk(section: Struct, prefix: str = "") -> Iterator[ConfigKey]:
    """Yield every key of ``section`` and of the sections inside it, in the order written here."""
    for name, key, hint in _hints(type(section)):
        value = getattr(section, name)
        if get_origin(hint) is Annotated:
            yield ConfigKey(prefix + key, get_args(hint)[1], value)
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
