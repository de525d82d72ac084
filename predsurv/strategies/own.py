"""The class that own strategies are made of: ``predsurv.Strategy``."""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from msgspec import Struct

from predsurv.core.errors import ConfigError
from predsurv.core.events import Event, Level
from predsurv.core.ids import InstrumentKey, OrderSide, StrategyName
from predsurv.core.num import Price, Size
from predsurv.core.orders import CancelIntent, Decision, Intent, Order, Quotes, TimeInForce
from predsurv.engine.interest import EVERYTHING, Interest
from predsurv.state.view import View
from predsurv.strategies.parameters import read_parameters

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME: Final = re.compile(r"[a-z0-9_-]{1,32}\Z")


class NoParams(Struct, frozen=True):
    """The parameters of a strategy that has none."""


class OwnStrategy:
    """A strategy: give it a ``Params`` and an ``on_event``.

    ``name`` is the class's in lower case (``FadeTheMove``: ``fade_the_move``) unless it says another; journals, metrics
    and configuration know it by that. ``Params``: a frozen ``msgspec.Struct`` whose fields have types and defaults;
    an instance of it is ``self.params``. ``signals``: the ``signal`` names of its orders that are counted by
    themselves; others are counted together. ``interest``: which events it is called with.
    """

    Params: ClassVar[type[Struct]] = NoParams
    name: StrategyName
    signals: frozenset[str] = frozenset()
    interest: Interest = EVERYTHING

    def __init_subclass__(cls) -> None:
        """Give the class its name; raises ConfigError where that is none that files and metrics can have."""
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = StrategyName(_HUMP.sub("_", cls.__name__).lower())
        if isinstance(cls.name, str) and not _NAME.match(cls.name):
            raise ConfigError(f"strategy {cls.name!r}: a name has 1 to 32 characters out of a-z, 0-9, '_' and '-'")

    def __init__(self, params: Any = None, **values: object) -> None:
        """Take ``params``, or ``values`` by name: in internal units, or as text such as ``"0.05"`` or ``"5m"``.

        Raises ConfigError for a value that is not what the parameter is.
        """
        self.params: Any = params
        if params is None:
            self.params = read_parameters(self.Params, values, f"strategy {self.name}", internal=True)

    def on_event(self, event: Event, view: View) -> Iterable[Decision] | None:
        """Return what to do now: orders, cancels, the quotes wanted, or nothing."""
        raise NotImplementedError(f"{type(self).__name__} has no on_event")

    def buy(self, key: InstrumentKey, price: Price, size: Size, signal: str = "buy", **more: Any) -> Intent:
        """Return an order to buy ``size`` at ``price`` or less, of what is there now unless ``tif`` says otherwise."""
        return _order(self.name, key, "buy", (price, size), {"signal": signal, **more})

    def sell(self, key: InstrumentKey, price: Price, size: Size, signal: str = "sell", **more: Any) -> Intent:
        """Return an order to sell ``size`` at ``price`` or more, to who is there now unless ``tif`` says otherwise."""
        return _order(self.name, key, "sell", (price, size), {"signal": signal, **more})

    def cancel(self, order: Order, signal: str = "cancel") -> CancelIntent:
        """Return the cancel of the rest of an order."""
        return CancelIntent(self.name, order.client_order_id, signal)

    def quotes(
        self,
        key: InstrumentKey,
        bid: Level | None = None,
        ask: Level | None = None,
        signal: str = "quote",
    ) -> Quotes:
        """Return the quotes wanted in an instrument; the engine sends what changes."""
        return Quotes(self.name, key, bid, ask, signal)


# No method: a strategy may give its own helpers any name that the documentation does not use.
def _order(name: StrategyName, key: InstrumentKey, side: OrderSide, level: Level, more: dict[str, Any]) -> Intent:
    tif: TimeInForce = more.pop("tif", "ioc")
    return Intent(name, key, side, *level, tif, more.pop("signal"), **more)
