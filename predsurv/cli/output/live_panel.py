"""The live panel of a recording: a few stderr lines redrawn in place."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOBase
from typing import Final

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.text import Text

from predsurv.cli.output.columns import NOTHING, bar, span, volume
from predsurv.cli.output.folding import folded, folded_cell
from predsurv.cli.output.render import console
from predsurv.collect.rates import RateFacts
from predsurv.collect.status import ConnectionStatus, RescanStatus, UploadStatus, VenueStatus, missing_text, phase_text
from predsurv.core.text import sanitise

REFRESHES_PER_SECOND: Final = 4
LOG_HANG: Final = 4
"""Cells by which the further rows of a log line are indented."""
LINKS_SHOWN_MAX: Final = 4
"""Connections shown per venue."""
QUIET_AFTER: Final = 15_000_000_000
"""A connection without data for longer (ns) is shown as quiet."""
DISK_LOW: Final = 2_000_000_000
_SHARE_SHOWN: Final = 0.0001

Show = Callable[[RateFacts], None]


class Stderr(TextIOBase):
    """The current ``sys.stderr``: lines written while the panel is shown appear above it.

    A terminal gets them folded between words.
    """

    def write(self, text: str) -> int:
        """Write to it."""
        if not self.isatty():
            return sys.stderr.write(text)
        width = console(sys.stderr).width
        return sys.stderr.write("\n".join(folded(line, width, LOG_HANG) for line in text.split("\n")))

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return sys.stderr.isatty()


def lines_of(facts: RateFacts, width: int) -> list[Text]:
    """Return the panel for a terminal of ``width`` cells: longer lines are folded between words."""
    lines = [_headline(facts), *_overview(facts)]
    for venue in facts.status.venues:
        lines.append(_venue_line(venue, facts))
        shown = _links_shown(venue, facts)
        lines += (_link_line(link, facts) for link in shown)
        if len(venue.connections) > len(shown):
            more = _some(len(venue.connections) - len(shown), "more connection")
            lines.append(Text(f"    and {more}", style="dim"))
        if venue.phase is not None and venue.phase.phase != "open":
            lines.append(Text(f"    {phase_text(venue.phase)}", style="yellow"))
        if venue.failure and venue.state != "recording":  # it has recovered since
            lines.append(Text(f"    {sanitise(venue.failure, 300)}", style="yellow"))
    return [row for line in lines for row in _folded(line, width)]


@contextmanager
def live_panel(starting: Callable[[], str]) -> Iterator[Show]:
    """Show the panel on stderr while the block runs, ``starting`` until there are facts; stderr must be a terminal."""
    target = console(sys.stderr)
    shown: list[Text] = []

    def current() -> Group:
        return Group(*(shown or _folded(Text(starting(), style="dim"), target.width)))

    def show(facts: RateFacts) -> None:
        shown[:] = lines_of(facts, target.width)

    with Live(console=target, transient=True, refresh_per_second=REFRESHES_PER_SECOND, get_renderable=current):
        yield show


def status_line(facts: RateFacts) -> str:
    """Return the running totals as one line for people and logs."""
    lag = NOTHING if facts.lag_p50 is None else f"{span(facts.lag_p50)}/{span(facts.lag_p99 or 0)}"
    rotation = "" if facts.next_rotation is None else f" · rotation in {span(facts.next_rotation)}"
    bucket = facts.status.bucket
    rest = rotation if bucket is None else f"{rotation} · bucket: {_some(bucket.waiting, 'file')} waiting"
    for venue in facts.status.venues:
        if venue.phase is not None and venue.phase.phase != "open":
            rest += f" · {sanitise(venue.venue, 40)}: {phase_text(venue.phase)}"
    if facts.status.rescans is not None and facts.status.rescans.trouble is not None:
        rest += " · the last rescan failed"
    return (
        f"{facts.events_per_s:,} events/s · books {facts.trusted:,}/{facts.wanted:,} · lag p50/p99 {lag} · "
        f"gaps {gap_share(facts)} · {facts.rows:,} rows sealed · {volume(facts.bytes)} written{rest}"
    )


def gap_share(facts: RateFacts) -> str:
    """Return which share of the time in which books were wanted was a gap; gaps that go on are not in it yet."""
    lost = sum(facts.gap_ns.values())
    if not lost:
        return "none"
    share = min(1.0, lost / max(lost, facts.wanted_ns))
    return f"{share:.2%}" if share >= _SHARE_SHOWN else "below 0.01%"


def _headline(facts: RateFacts) -> Text:
    if facts.status.paused is not None:
        return Text(f"recording is PAUSED: {sanitise(facts.status.paused, 200)}", style="bold red")
    return Text(f"recording for {span(facts.running)} · {facts.events_per_s:,} events/s", style="bold")


def _overview(facts: RateFacts) -> Iterator[Text]:
    share = facts.trusted / facts.wanted if facts.wanted else 0.0
    yield _labelled("books", f"{bar(share)} {share:.1%} · {facts.trusted:,} of {facts.wanted:,} known")
    lags = (("p50", facts.lag_p50), ("p90", facts.lag_p90), ("p99", facts.lag_p99))
    known = [f"{name} {span(lag)}" for name, lag in lags if lag is not None]
    yield _labelled("lag", " · ".join(known) or "no time stamps from the venue")
    reasons = [f"{reason} {span(time)}" for reason, time in facts.gap_ns.items()]
    yield _labelled("gaps", " · ".join([gap_share(facts), *reasons]))
    yield _disk(facts)
    if facts.status.bucket is not None:
        yield _bucket(facts.status.bucket)
    if facts.next_rotation is not None:
        yield _labelled("rotation", _rotation(facts))
    if facts.status.rescans is not None:
        yield _rescans(facts.status.rescans, facts.status.now)


def _disk(facts: RateFacts) -> Text:
    status = facts.status
    text = f"{volume(facts.bytes)} in {facts.rows:,} rows · {volume(facts.bytes_per_s * 86_400)}/day"
    text += f" · {volume(status.disk_free)} free"
    if status.waiting:
        text += f" · {_some(status.waiting, 'segment')} to seal"
    return _labelled("disk", text, "yellow" if status.disk_free < DISK_LOW else "")


def _bucket(bucket: UploadStatus) -> Text:
    text = f"{_some(bucket.waiting, 'file')} waiting · {volume(bucket.bytes)} uploaded"
    if bucket.trouble is not None:
        text += f" · {sanitise(bucket.trouble, 200)}"
    return _labelled("bucket", text, "yellow" if bucket.trouble is not None else "")


def _rescans(rescans: RescanStatus, now: int) -> Text:
    """Return how often the lists were read again, and when the next time is."""
    text = "reading the lists again" if rescans.running else f"lists read again in {span(max(0, rescans.due - now))}"
    if rescans.completed:
        text += f" · {rescans.completed:,} read so far, {_some(rescans.news, 'market')} new or changed"
    if rescans.trouble is not None:
        text += f" · {rescans.failed:,} failed: {sanitise(rescans.trouble, 200)}"
    return _labelled("rescan", text, "yellow" if rescans.trouble is not None else "")


def _rotation(facts: RateFacts) -> str:
    parts = [f"next in {span(facts.next_rotation or 0)}"]
    if facts.all_seen is not None:
        parts.append(f"all seen in {span(facts.all_seen)}")
    waiting = sum(venue.waiting for venue in facts.status.venues)
    if waiting:
        parts.append(f"{waiting:,} new without a place")
    revisits = [venue.revisit for venue in facts.status.venues if venue.revisit is not None]
    if revisits:
        parts.append(f"each within {span(max(revisits))}")
    return " · ".join(parts)


_STYLES: Final = {"recording": "green", "starting": "cyan", "idle": "dim", "degraded": "yellow", "blind": "bold red"}


def _venue_line(venue: VenueStatus, facts: RateFacts) -> Text:
    age = f" · data {_age(venue.last_data, facts)} ago" if venue.last_data else ""
    reconnects = max(0, venue.connects - len(venue.connections))
    missing = f" · missing: {missing_text(venue.missing)}" if venue.missing else ""
    return Text.assemble(
        (sanitise(venue.venue, 40), "bold"),
        ": ",
        (venue.state, _STYLES[venue.state]),
        f" · {_some(len(venue.connections), 'connection')}, {_some(reconnects, 'reconnect')}{age}{missing}",
    )


def _links_shown(venue: VenueStatus, facts: RateFacts) -> list[ConnectionStatus]:
    """Return the connections to show, those of a process together, in the order in which it opened them.

    A line keeps its place while it is there.

    Where there are too many, those of which something is to be said have priority, then the oldest.
    """
    urgent = sorted(venue.connections, key=lambda each: (not _is_odd(each, facts), each.epoch))
    return sorted(urgent[:LINKS_SHOWN_MAX], key=lambda each: (each.collector, each.epoch))


def _is_odd(link: ConnectionStatus, facts: RateFacts) -> bool:
    """Return whether a connection is quiet, or misses books."""
    quiet = link.last_data and facts.status.now - link.last_data > QUIET_AFTER
    return bool(quiet) or link.trusted < link.books


def _link_line(link: ConnectionStatus, facts: RateFacts) -> Text:
    name = f"{sanitise(link.collector, 40)} " if link.collector else ""
    text = f"    {name}#{link.epoch} up {span(max(0, facts.status.now - link.since))}"
    text += f" · {link.trusted:,}/{link.books:,} books"
    text += f" · data {_age(link.last_data, facts)} ago" if link.last_data else " · no data yet"
    return Text(text, style="yellow" if _is_odd(link, facts) else "dim")


def _age(ts: int, facts: RateFacts) -> str:
    return span(max(0, facts.status.now - ts))


def _labelled(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"  {label:<9}", "dim"), (text, style))


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _folded(line: Text, width: int) -> list[Text]:
    """Return ``line`` in rows of at most ``width`` cells, further ones indented."""
    if cell_len(line.plain) <= width:
        return [line]
    rows, begun = list[Text](), 0
    for row in folded_cell(line.plain, max(1, width - LOG_HANG)).split("\n"):
        begun = line.plain.index(row, begun)
        rows.append(line[begun : begun + len(row)])
        begun += len(row)
    return [rows[0], *(Text(" " * LOG_HANG).append_text(row) for row in rows[1:])]
