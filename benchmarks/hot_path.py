"""``python -m benchmarks.hot_path [--frames N]``: Polymarket frames → books → rows, against bare decoding and a peer.

One process on one core; the frames are made up, the same for all, and first the final books are compared.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence

from benchmarks import figures, nautilus, rounds
from benchmarks.decode import Pipeline, Tops, bare, prepare
from benchmarks.figures import Comparison, Figure, Goal, rate
from benchmarks.frames import Load, generate
from benchmarks.seal import seal_records
from predsurv.core.events import BookDelta, BookSnapshot, Trade
from predsurv.core.level_changes import PackedRecord, each_record
from predsurv.venues.polymarket.fast_decoder import COMPILED, PYTHON, ChangeReaders

FRAMES = 300_000
PEER_FRAMES = 300_000
LIMIT_RATIOS = {"Python": 0.30, "compiled": 1.8}
PEER_RATIOS = {"Python": 6.0, "compiled": 35.0}
DELTA_BYTES = 12
METHOD = "CPU time of one process on one core, in interleaved rounds"


def measure(words: Sequence[str]) -> list[Comparison]:
    """Measure all three."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_path", description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    given = parser.parse_args(words)
    rounds.pin()
    load, expected = rounds.apart(prepare, given.frames)
    return [against_decoding(load, expected), against_peer(min(given.frames, PEER_FRAMES)), sealed_rows(load)]


def against_decoding(load: Load, expected: Tops) -> Comparison:
    """Measure decode → book → delta rows against bare decoding of the same frames."""
    ours = {name: Pipeline(load, readers=readers) for name, readers in _readers().items()}
    wrong = []
    for name, each in ours.items():
        each.run()
        wrong += _differing(f"predsurv, {name}", each.tops(), expected)
    taken = rounds.interleave({"limit": bare(load)} | {name: each.run for name, each in ours.items()})
    count, limit = len(load.frames), taken["limit"].median_s
    found = [rate("msgspec, decoding alone", count, limit, "frames/s", ratio=1.0)]
    found += _rates_of(ours, taken, count, limit, LIMIT_RATIOS)
    return Comparison(
        title=f"Polymarket frames: decode → book → delta rows ({count:,} frames, {len(expected):,} books)",
        method=METHOD,
        rounds=rounds.ROUNDS,
        ratio="of decoding alone",
        figures=tuple(found),
        failed="; ".join(wrong),
    )


def against_peer(frames: int) -> Comparison:
    """Measure frames → book against NautilusTrader's adapter, where it is installed."""
    title = "Polymarket frames → book (ours also keeps the delta rows)"
    try:
        version = nautilus.version()
    except ImportError as error:
        return Comparison(title=title, method=METHOD, left_out=(nautilus.why_missing(error),))
    load = rounds.apart(generate, frames)
    ours, theirs = {name: Pipeline(load, readers=readers) for name, readers in _readers().items()}, nautilus.Peer(load)
    theirs.run()
    wrong = []
    for name, each in ours.items():
        each.run()
        wrong += _differing(f"NautilusTrader {version} and predsurv, {name}", theirs.tops(), each.tops())
    taken = rounds.interleave({"theirs": theirs.run} | {name: each.run for name, each in ours.items()})
    count, limit = len(load.frames), taken["theirs"].median_s
    found = [rate(f"NautilusTrader {version}, its adapter", count, limit, "frames/s", ratio=1.0)]
    found += _rates_of(ours, taken, count, limit, PEER_RATIOS)
    return Comparison(
        title=title,
        method=METHOD,
        rounds=rounds.ROUNDS,
        ratio="times the peer",
        figures=tuple(found),
        failed="; ".join(wrong),
    )


def sealed_rows(load: Load) -> Comparison:
    """Measure what logging and sealing those rows costs, and the bytes that a row takes on disk."""
    kept: list[PackedRecord] = []
    Pipeline(load, kept.extend, read_frames=1).run()
    sealed = seal_records([event for event in each_record(kept) if isinstance(event, BookSnapshot | BookDelta | Trade)])
    found = [Figure(what="log → sealed Parquet", value=sealed.rows_per_s, unit="rows/s")]
    for dataset, size in sealed.bytes_per_row.items():
        goal = Goal("≤", DELTA_BYTES, "value") if dataset == "deltas" else None
        found.append(Figure(what=f"a row of {dataset}", value=size, unit="bytes", goal=goal))
    return Comparison(
        title=f"Rows of those frames: log → sealed Parquet ({sum(sealed.rows.values()):,} rows)",
        method="CPU time of one process on one core, once",
        figures=tuple(found),
    )


def _rates_of(
    ours: Iterable[str], taken: Mapping[str, rounds.Timing], count: int, limit: float, bounds: Mapping[str, float]
) -> list[Figure]:
    """Return the rates of our contenders, in multiples of what took ``limit`` seconds, which shall be ``bounds``."""
    times = {name: taken[name].median_s for name in ours}
    return [
        rate(f"predsurv, {name}", count, each, "frames/s", ratio=limit / each, goal=Goal("≥", bounds[name]))
        for name, each in times.items()
    ]


def _readers() -> dict[str, ChangeReaders]:
    return {"Python": PYTHON} | ({"compiled": COMPILED} if COMPILED is not None else {})


def _differing(who: str, tops: Tops, expected: Tops) -> list[str]:
    wrong = [asset for asset, best in expected.items() if tops.get(asset) != best]
    return [f"{who}: {len(wrong)} of {len(expected)} final books differ, e.g. {wrong[0]}"] if wrong else []


if __name__ == "__main__":
    sys.exit(figures.main(measure))
