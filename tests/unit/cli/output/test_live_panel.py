"""The panel fits any terminal, says what is wrong first, and shows strangers' text as text."""

import io
import re
import sys

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from predsurv.cli.output.live_panel import Stderr, lines_of, live_panel, status_line
from predsurv.collect.rates import CounterReading, RateFacts, RateMeter
from predsurv.collect.status import CollectorStatus, ConnectionStatus, RescanStatus, State, UploadStatus, VenueStatus
from predsurv.core.events import VenuePhase
from predsurv.core.ids import VenueName


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


S = 1_000_000_000
NOW = 1_800_000_000 * S


def facts(
    *,
    state: State = "recording",
    connections: int = 2,
    failure: str | None = None,
    paused: str | None = None,
    bucket: UploadStatus | None = None,
    rescans: RescanStatus | None = None,
    phase: VenuePhase | None = None,
) -> RateFacts:
    venue = VenueStatus(
        venue=VenueName("mock"),
        state=state,
        wanted=200,
        trusted=150,
        events=10_000,
        connects=connections + 1,
        connections=tuple(
            ConnectionStatus(n, NOW - 3_700 * S, 100, 75, NOW - n * S) for n in range(1, connections + 1)
        ),
        gaps={"disconnect": 1_200, "stall": 7},
        gap_ns={"stall": 12 * S, "disconnect": 80 * S},
        last_data=NOW - S,
        next_rotation=90 * S,
        all_seen=7_000 * S,
        revisit=20_000 * S,
        failure=failure,
        phase=phase,
        waiting=12 if phase is not None else 0,
    )
    status = CollectorStatus(
        at=10 * S,
        now=NOW,
        venues=(venue,),
        disk_free=50_000_000_000,
        waiting=1,
        paused=paused,
        bucket=bucket,
        rescans=rescans,
    )
    first = CounterReading(status=CollectorStatus(at=0, now=NOW))
    return RateMeter(first).update(CounterReading(status=status, rows=12_345, bytes=6_000_000))


def text(shown: RateFacts, width: int = 140) -> str:
    return "\n".join(line.plain for line in lines_of(shown, width))


@pytest.mark.parametrize("width", [20, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = facts(state="degraded", connections=9, failure="x" * 400)
    assert all(cell_len(line.plain) <= width for line in lines_of(shown, width))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_what_is_wrong_is_folded_and_never_cut(width: int) -> None:
    failure = "cannot connect to external-api.kalshi.com/trade-api/v2/series: [Errno -2] Name or service not known"
    shown = facts(state="degraded", connections=2, failure=failure)
    rows = lines_of(shown, width)
    assert "".join(text(shown, width).split()) == "".join(text(shown, 200).split())
    assert all(row.plain.startswith(" ") for row in rows[-3:])
    assert [str(span.style) for span in rows[-1].spans] == ["yellow"]


def test_it_says_what_an_operator_wants_to_know() -> None:
    said = text(facts())
    for part in (
        "1,000 events/s",
        "150 of 200 known",
        "4.60% · disconnect 80.0 s · stall 12.0 s",
        "12,345 rows",
        "50.0 GB free",
        "1 segment to seal",
        "next in 90.0 s",
        "all seen in 116m 40s",
        "each within 5h 33m",
        "mock: recording · 2 connections, 1 reconnect",
        "#1 up 61m 40s · 75/100 books · data 1.0 s ago",
    ):
        assert part in said


def test_a_pause_is_said_first() -> None:
    assert text(facts(paused="disk full")).startswith("recording is PAUSED: disk full")


def test_the_way_to_the_bucket_is_shown_when_there_is_one() -> None:
    assert "bucket" not in text(facts()) + status_line(facts())
    shown = facts(bucket=UploadStatus("s3://b/p", waiting=12, bytes=3_000_000, trouble="s3://b/p is \x1b[2Jgone"))
    assert "12 files waiting · 3.0 MB uploaded · s3://b/p is" in text(shown)
    assert "\x1b" not in text(shown)
    assert status_line(shown).endswith("bucket: 12 files waiting")


def links(said: str) -> list[str]:
    return re.findall(r"#\d+", said)


def test_connections_keep_their_order_and_those_that_miss_something_come_first_when_there_are_too_many() -> None:
    fine, quiet = ConnectionStatus(0, NOW, 10, 10, NOW - S), ConnectionStatus(0, NOW, 10, 10, NOW - 60 * S)
    shown = facts(connections=0)
    venue = shown.status.venues[0]

    def of(*each: ConnectionStatus) -> str:
        told = replace(venue, connections=each)
        return text(replace(shown, status=replace(shown.status, venues=(told,))))

    numbered = [replace(fine, epoch=number) for number in range(1, 8)]
    assert links(of(*numbered)) == links(of(*reversed(numbered))) == ["#1", "#2", "#3", "#4"]
    assert "and 3 more connections" in of(*numbered)
    with_quiet = [*numbered[:5], replace(quiet, epoch=6), replace(fine, epoch=7, trusted=3)]
    assert links(of(*with_quiet)) == ["#1", "#2", "#6", "#7"]
    assert links(of(*numbered[1:4])) == ["#2", "#3", "#4"], "one that is closed has no line"


def test_connections_of_several_processes_say_whose_they_are() -> None:
    shown = facts(connections=0)
    links_ = [
        ConnectionStatus(number, NOW, 10, 10, NOW - S, collector) for number in (2, 1) for collector in ("c0-2", "c0-1")
    ]
    told = replace(shown.status.venues[0], connections=tuple(links_))
    said = text(replace(shown, status=replace(shown.status, venues=(told,))))
    assert re.findall(r"\S+ #\d+", said) == ["c0-1 #1", "c0-1 #2", "c0-2 #1", "c0-2 #2"]
    assert "\n    #1 up " in text(facts()), "one process needs no name"


def test_gaps_are_a_share_of_the_time_in_which_books_were_wanted() -> None:
    assert "gaps     none\n" in text(replace(facts(), gap_ns={}))
    assert "gaps 50.00% " in status_line(replace(facts(), wanted_ns=184 * S))
    assert "gaps 100.00% " in status_line(replace(facts(), wanted_ns=S)), "no more than all of it"
    assert "gaps below 0.01% " in status_line(replace(facts(), wanted_ns=10**7 * S))


def test_a_fault_of_a_venue_that_records_again_is_not_shown() -> None:
    assert "gone" in text(facts(state="degraded", failure="gone"))
    assert "gone" not in text(facts(failure="gone"))


def test_what_a_venue_said_cannot_command_the_terminal() -> None:
    said = text(facts(state="blind", failure="\x1b[2Jgone\u202e[red]"))
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[red]" in said


def test_one_line_has_the_essentials() -> None:
    line = status_line(facts())
    assert "books 150/200" in line
    assert "gaps 4.60% · " in line
    assert "\n" not in line


def test_log_lines_go_to_whatever_stderr_is_at_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, shown = Stderr(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    stream.write("a line\n")
    stream.flush()
    assert shown.getvalue() == "a line\n"
    assert not stream.isatty()


def test_a_log_line_on_a_terminal_is_folded_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", "30")
    Stderr().write("19:23:06 INFO collect.session: 327 of 327 wanted books are known\n")
    assert shown.getvalue() == "19:23:06 INFO collect.session:\n    327 of 327 wanted books\n    are known\n"


def test_the_phase_of_a_venue_is_shown_while_it_is_not_open() -> None:
    paused = VenuePhase(VenueName("mock"), NOW, None, "cancel_only", "{}", NOW + 600 * S)
    shown = text(facts(phase=paused))
    assert "trading paused (cancel only), resumes 2027-01-15 08:10 UTC" in shown
    assert "12 new without a place" in shown
    assert "mock: trading paused (cancel only)" in status_line(facts(phase=paused))
    opened = VenuePhase(VenueName("mock"), NOW, None, "open", "{}")
    assert "paused" not in text(facts(phase=opened)) + status_line(facts(phase=opened))


def test_rescans_are_shown_and_a_failure_stands_out() -> None:
    assert "lists read again in 5m" in text(facts(rescans=RescanStatus(due=NOW + 300 * S)))
    assert "reading the lists again" in text(facts(rescans=RescanStatus(running=True)))
    done = RescanStatus(completed=3, news=1, last=NOW, due=NOW + S)
    assert "3 read so far, 1 market new or changed" in text(facts(rescans=done))
    failed = RescanStatus(failed=1, trouble="mock: no answer", due=NOW + S)
    assert "1 failed: mock: no answer" in text(facts(rescans=failed))
    assert "the last rescan failed" in status_line(facts(rescans=failed))


def test_who_waits_for_the_first_figures_reads_what_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    with live_panel(lambda: "starting: 1 of 2 processes record"):
        pass
    assert "starting: 1 of 2 processes" in shown.getvalue()
    begun = len(shown.getvalue())
    with live_panel(lambda: "starting") as show:
        show(facts())
    assert "recording for" in shown.getvalue()[begun:]
