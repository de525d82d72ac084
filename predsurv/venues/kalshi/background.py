"""Several jobs of a feed as one: each asks the venue something from time to time until the feed is closed."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from predsurv.venues.streaming.queue import EventSink

BackgroundJob = Callable[[EventSink], Coroutine[Any, Any, None]]
"""Puts events into the sink until it is cancelled."""


async def run_together(jobs: Iterable[BackgroundJob], events: EventSink) -> None:
    """Run ``jobs`` until cancelled; raises what one of them raises."""
    tasks = [asyncio.ensure_future(job(events)) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
