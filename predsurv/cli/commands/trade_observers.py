"""What watches a run of the command line: metrics, announcements, health of its feeds."""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry

from predsurv.cli.runtime import lines_dropped, request_levels
from predsurv.config import Config
from predsurv.core.events import Event, MarketEvent
from predsurv.core.ids import VenueName
from predsurv.engine.engine import Engine
from predsurv.engine.step import Step
from predsurv.ports import Clock, Venue
from predsurv.telemetry.metrics import Metrics
from predsurv.telemetry.trading import TradingMetrics
from predsurv.trade.assembly import paper_mode
from predsurv.trade.metrics import TradeMetrics
from predsurv.trade.pipeline import RunObserver
from predsurv.trade.strategy_loading import build


class Observers:
    """Several observers as one ``RunObserver``."""

    def __init__(self, *observers: RunObserver) -> None:
        self._observers = observers

    def on_turn(self) -> None:
        """Pass a sign of life to each."""
        for each in self._observers:
            each.on_turn()

    def on_batch(self, venue: VenueName, batch: Sequence[MarketEvent]) -> None:
        """Pass a batch to each."""
        for each in self._observers:
            each.on_batch(venue, batch)

    def on_step(self, event: Event, step: Step) -> None:
        """Pass a step to each."""
        for each in self._observers:
            each.on_step(event, step)


def observer_of(
    config: Config,
    venues: Sequence[Venue],
    registry: CollectorRegistry,
    clock: Clock,
    *,
    account: str | None = None,
    limited: Sequence[tuple[str, object]] = (),
) -> Callable[[Engine], TradeMetrics]:
    """Return what makes the observer that counts into ``registry``; ``account`` is paper where it is not named.

    ``limited``: what has limits of requests beside the venues, each with the name of its venue; may grow later.
    """
    names = [each.name for each in venues]
    strategies = build(config.trading.strategies, config.strategies)
    signals: dict[str, Sequence[str]] = {each.name: sorted(each.signals) for each in strategies}
    metrics = Metrics(registry, names)
    metrics.lines_dropped = lines_dropped
    metrics.request_levels = lambda: request_levels([*((each.name, each) for each in venues), *limited])
    trading = TradingMetrics(registry, account=account or paper_mode(names), venues=names, signals=signals)
    return lambda engine: TradeMetrics(metrics, trading, engine, clock)
