from predsurv.api.backtests import backtest as backtest
from predsurv.api.data import Data as Data
from predsurv.api.data import open_data as open
from predsurv.core.durations import Duration as Duration
from predsurv.core.num import Money as Money
from predsurv.core.num import Price as Price
from predsurv.core.num import Ratio as Ratio
from predsurv.core.num import Size as Size
from predsurv.engine.interest import BookFilter as BookFilter
from predsurv.engine.interest import EventFilter as EventFilter
from predsurv.engine.interest import Interest as Interest
from predsurv.engine.interest import MarketChoice as MarketChoice
from predsurv.state.view import View as View
from predsurv.strategies.own import OwnStrategy as Strategy
from predsurv.trade.backtesting import BacktestResult as Result

__version__: str
__all__ = [
    "BookFilter",
    "Data",
    "Duration",
    "EventFilter",
    "Interest",
    "MarketChoice",
    "Money",
    "Price",
    "Ratio",
    "Result",
    "Size",
    "Strategy",
    "View",
    "backtest",
    "open",
]
