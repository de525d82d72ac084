"""What is done with a row that somebody has to see, from within the compiled replay.

The same as the pipeline does with the event, less what the replay has done already or has made sure is not to be done:
the cache has it, no tick and no answer of a broker is due before it. What cannot be done within waits for ``finish``.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from predsurv.core.events import BookDelta, Trade
from predsurv.engine.books.consumed import SimulatedEvent
from predsurv.engine.call_filter import BestBefore
from predsurv.engine.engine import Engine
from predsurv.engine.interest import Attention
from predsurv.engine.step import EMPTY_STEP
from predsurv.engine.strategy_calls import Answer
from predsurv.trade.pipeline import EventPipeline, SkippingBroker


class SeenRows:
    """Takes rows to strategies and brokers for as long as that changes nothing of what has to be seen next."""

    def __init__(self, engine: Engine, brokers: Sequence[SkippingBroker]) -> None:
        self._engine, self._brokers = engine, brokers
        self._timed = [each for each in engine.heard() if each.timed is not None]
        filters = (each.filter for each in engine.heard())
        self._selective = [each.selective for each in filters if each is not None and each.selective is not None]
        self._wake_at = 0
        self._version = -1
        self._attention: list[Attention] = []
        self._event: BookDelta | Trade | None = None
        self._step = EMPTY_STEP
        self._observed = False
        self._answers: Iterable[SimulatedEvent] = ()

    @property
    def version(self) -> int:
        """A number that grows whenever orders or what is consumed may make something else to be seen."""
        return self._engine.books.version + sum(each.heeded_version for each in self._brokers)

    @property
    def changed(self) -> bool:
        """Whether something else may have to be seen than when ``plan`` was called, as far as no step says so."""
        return self.version != self._version or self._attends_otherwise()

    def plan(self) -> None:
        """Go on until this is ``changed``, or a strategy wants a tick sooner than now."""
        self._version, self._wake_at = self.version, self._ticks_from()
        self._attention = [each.attention for each in self._selective]

    def see(
        self,
        event: BookDelta | Trade,
        before: BestBefore | None,
        wanted: int,
        observed: bool,  # noqa: FBT001
        answer: Answer | None,
    ) -> bool:
        """Tell strategies (``wanted``, a bit for each) and brokers (``observed``); return whether the replay may go on.

        ``answer``: that of the first of these strategies, where it was asked already.

        Where it may not, ``finish`` has to be called before anything else is done.
        """
        step = self._engine.hear(event, before, wanted, answer)
        if step is not EMPTY_STEP:
            self._event, self._step, self._observed = event, step, observed
            return False
        if observed:
            answers = self._observe(event)
            first = next(answers, None)
            if first is not None:
                self._answers = chain((first,), answers)
                return False
            if self.version != self._version:
                return False
        if self._timed and wanted and self._ticks_from() < self._wake_at:
            return False
        return not (self._selective and wanted and self._attends_otherwise())

    async def finish(self, pipeline: EventPipeline) -> None:
        """Carry out what was decided, and process what brokers tell."""
        event, step, answers = self._event, self._step, self._answers
        self._event, self._step, self._answers = None, EMPTY_STEP, ()
        if event is not None:
            await pipeline.carry_out(event, step)
            answers = self._observe(event) if self._observed else ()
        await pipeline.receive(answers)

    def _observe(self, event: BookDelta | Trade) -> Iterator[SimulatedEvent]:
        for broker in self._brokers:
            yield from broker.observe(event)

    def _attends_otherwise(self) -> bool:
        return any(each.attention is not known for each, known in zip(self._selective, self._attention, strict=False))

    def _ticks_from(self) -> int:
        return min((each.ticks_from for each in self._timed), default=0)
