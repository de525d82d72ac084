"""The bracket of a backtest: the same run by every queue model, kept in its own result.

Public data does not tell where in its queue a resting order stands, so what a run earned is only known between the
model that fills late and the one that fills early. The others are runs of their own, as those of a sweep, and come
before it: the newest run is the one that has the bracket.
"""

from collections.abc import Sequence
from typing import Final, get_args

from msgspec.structs import replace

from predsurv.config import Config
from predsurv.core.num import Money
from predsurv.engine.fills.queue_position import QueueModel
from predsurv.store.read.recording import ReplaySpan
from predsurv.trade.parameter_flags import Combination
from predsurv.trade.results.result import BracketRun, RunResult
from predsurv.trade.runs.info import RESULTS_FILE
from predsurv.trade.session import EndedRun
from predsurv.trade.sweep import SweepJob, SweepRow

MODELS: Final[tuple[QueueModel, ...]] = get_args(QueueModel)
"""The models from the one that fills last to the one that fills first."""


def other_models(config: Config, venue: str, span: ReplaySpan) -> SweepJob:
    """Return the runs of a backtest of the configuration by the queue models that are not its own."""
    combinations = tuple(
        Combination((("queue_model", model),), config.strategies, model)
        for model in MODELS
        if model != config.trading.queue_model
    )
    return SweepJob(config, venue, span, config.trading.strategies, combinations)


def with_bracket(ended: EndedRun, own: QueueModel, others: Sequence[SweepRow]) -> EndedRun:
    """Return a run with what it earned by each model, written into its folder too; raises OSError.

    Without a row of every other model there is no bracket.
    """
    made = {own: _own_run(own, ended.result)}
    for row in others:
        model = next(each for each in MODELS if each == dict(row.label)["queue_model"])
        summary = row.summary
        made[model] = BracketRun(
            queue_model=model,
            profit=summary.profit,
            fees=summary.fees,
            drawdown=summary.drawdown,
            turnover=summary.traded,
            orders=summary.orders,
            fills=summary.fills,
        )
    if len(made) < len(MODELS):
        return ended
    result = replace(ended.result, bracket=tuple(made[model] for model in MODELS))
    ended.session.keeper.folder.write(RESULTS_FILE, result)
    return replace(ended, result=result)


def _own_run(own: QueueModel, result: RunResult) -> BracketRun:
    total = result.total
    return BracketRun(
        queue_model=own,
        profit=total.profit,
        fees=Money(total.fees),
        drawdown=result.curve.drawdown,
        turnover=total.turnover,
        orders=total.orders,
        fills=total.fills,
        own=True,
    )
