"""``predsurv map build | list | review | score``: which markets of two venues are the same contract."""

import sys
from getpass import getuser
from pathlib import Path
from typing import Annotated, Final

import typer

from predsurv.cli.commands.map_review import (
    DecisionFile,
    ReviewSession,
    mapped,
    read_key,
    require_terminal,
    review_pairs,
)
from predsurv.cli.options import ConfigFile, OutputFormat
from predsurv.cli.output.mapping_tables import (
    built_table,
    quality_json,
    quality_tables,
    queue_table,
    settled_line,
    vetoed_line,
)
from predsurv.cli.output.render import console, near, say, show
from predsurv.config import load
from predsurv.config.mappings import pair_name, read_mappings
from predsurv.mapping.build import build as build_queue
from predsurv.mapping.queue import DecidedPair, State, contradicted_pairs, decided_queue
from predsurv.mapping.trial import try_labelled
from predsurv.net.clock import SystemClock
from predsurv.store.contradicted_pairs import write_contradicted

map_ = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True, help="Find the same market on different venues."
)

Top = Annotated[int, typer.Option("--top", min=1, metavar="N", help="How many to show.")]


_REVIEWED: Final[tuple[State, ...]] = ("suspended", "waiting", "contradicted")


def _is_open(pair: DecidedPair) -> bool:
    """Return whether a decision is left: not on a pair that has settled itself."""
    return pair.state != "contradicted" or pair.precedent


@map_.command("build")
def build(top: Top = 20, config: ConfigFile = None, format: OutputFormat = "table") -> None:
    """Compare the latest lists of Kalshi and Polymarket and write the queue of pairs worth a look."""
    loaded = load(config).config
    built = build_queue(loaded.data_dir, read_mappings(loaded.trading.mappings))
    decided = decided_queue(loaded.data_dir, loaded.trading.mappings)
    write_contradicted(contradicted_pairs(decided), loaded.data_dir)
    show(queue_table(decided, top), format)
    say(built_table(built))
    for line in (settled_line(built.settled), vetoed_line(built.vetoed)):
        if line:
            say(line)
    say(f"queue: {near(built.path)}; next: predsurv map review")


@map_.command("list")
def list_(
    top: Top = 50,
    all_: Annotated[bool, typer.Option("--all", help="Show pairs that were rejected, too.")] = False,
    prices: Annotated[bool, typer.Option("--prices", help="Compare their prices where both were recorded.")] = False,
    config: ConfigFile = None,
    format: OutputFormat = "table",
) -> None:
    """List approved pairs, those suspended or contradicted among them, and the queue, best first."""
    loaded = load(config).config
    decided = decided_queue(loaded.data_dir, loaded.trading.mappings)
    shown = [each for each in decided if all_ or each.state != "rejected"]
    moved = {
        pair_name(mapped(each.first), mapped(each.second)): each.prices
        for each in (review_pairs(loaded.data_dir, shown[:top]) if prices else ())
    }
    show(queue_table(shown, top, moved), format)


@map_.command("review")
def review(
    top: Top = 50,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who approves; default: your user name.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Decide on suspended pairs and those that wait, texts side by side; approvals go to the file of mappings."""
    require_terminal()
    loaded = load(config).config
    path = loaded.trading.mappings
    queue = decided_queue(loaded.data_dir, path)
    waiting = [each for state in _REVIEWED for each in queue if each.state == state and _is_open(each)][:top]
    pairs = review_pairs(loaded.data_dir, waiting)
    if not pairs:
        say("no pair waits for a decision; run predsurv map build after a scan")
        return
    person = by or getuser()
    session = ReviewSession(console(sys.stdout), read_key, DecisionFile(path, person, SystemClock()))
    counts = session.run(pairs)
    say(f"{counts.approved} approved, {counts.rejected} rejected, {counts.skipped} skipped: {near(path)}")


@map_.command("score")
def score(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV of labelled pairs; docs/mapping.md names its columns.")
    ],
    wrong: Annotated[int, typer.Option("--wrong", min=0, metavar="N", help="How many wrong pairs to show.")] = 20,
    format: OutputFormat = "table",
) -> None:
    """Measure the mapping against labelled pairs: what is accepted, and the order of the queue."""
    trial = try_labelled(file)
    if format == "json":
        print(quality_json(trial, wrong))
    else:
        show(quality_tables(trial, wrong), format)
