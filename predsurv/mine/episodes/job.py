"""Episodes of a recorded span of one venue, or of the approved pairs of several, written beside the recording."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from pathlib import Path
from typing import Final

from msgspec import Struct

from predsurv.core.events import MarketEvent
from predsurv.core.ids import VenueName
from predsurv.core.mapping import ApprovedMapping
from predsurv.mine.episodes.episode import Episode
from predsurv.mine.episodes.table import write_episodes
from predsurv.mine.episodes.watch import EpisodeWatch
from predsurv.ports import Venue
from predsurv.state.market_cache import MarketCache
from predsurv.store.layout import date_of
from predsurv.store.read.recording import Recording, ReplaySpan, open_recording
from predsurv.store.read.recording_summary import RecordingSummary
from predsurv.strategies.claims import ClaimGroups

CROSS: Final = VenueName("cross")
"""Stands for the venue of episodes whose legs are on several."""

_TELL_EVERY: Final = 50_000

OnTime = Callable[[int], None]


class EpisodesFound(Struct, frozen=True):
    """The ``episodes`` by their beginning, the ``files`` that have them, one a day, and what each recording lacked.

    ``titles``: by the name of a group the question of a market in it.
    """

    episodes: tuple[Episode, ...]
    titles: Mapping[str, str]
    files: tuple[Path, ...]
    recordings: tuple[RecordingSummary, ...]
    events: int


def mine_episodes(
    data_dir: Path,
    venues: Sequence[Venue],
    span: ReplaySpan,
    mappings: Iterable[ApprovedMapping] = (),
    on_time: OnTime = lambda _: None,
) -> EpisodesFound:
    """Find the episodes of a span and replace its ``episodes`` files.

    Of one venue those of its own events; of several those that need more than one of them, through ``mappings``.
    ``on_time`` is told now and then which time (ns UTC) was reached. Raises as ``open_recording``, OSError when a file
    cannot be written.
    """
    mirrored = frozenset(each.name for each in venues if each.traits.complementary_outcomes)
    cache = MarketCache(mirrored)
    recordings = [open_recording(data_dir, each, span, cache) for each in venues]
    watch, events = EpisodeWatch(cache, ClaimGroups(mappings)), 0
    end = min(each.end for each in recordings)
    for events, event in enumerate(_events(recordings), 1):
        if event.ts_recv > end:
            break
        watch.apply(event)
        if not events % _TELL_EVERY:
            on_time(event.ts_recv)
    watch.finish(end)
    subject = venues[0].name if len(venues) == 1 else CROSS
    episodes = sorted((each for each in watch.ended if each.venue == subject), key=lambda each: (each.start, each.name))
    by_date: dict[str, list[Episode]] = {date: [] for date in span.dates()}
    for each in episodes:
        by_date[date_of(each.start)].append(each)
    files = tuple(write_episodes(own, data_dir, subject, date) for date, own in by_date.items())
    titles = {each.name: _title(each, cache) for each in episodes}
    return EpisodesFound(tuple(episodes), titles, files, tuple(each.summary for each in recordings), events)


def _events(recordings: Sequence[Recording]) -> Iterator[MarketEvent]:
    if len(recordings) == 1:
        return recordings[0].events()
    return merge(*(each.events() for each in recordings), key=lambda event: event.ts_recv)


def _title(episode: Episode, cache: MarketCache) -> str:
    market = cache.market(episode.peak.legs[0].venue, episode.peak.legs[0].market_id)
    return episode.name if market is None else market.question
