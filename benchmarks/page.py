"""``python -m benchmarks.page [FILE]``: docs/performance.md from the figures of a run.

With FILE, which ``make bench`` wrote, its figures become those of docs/performance.json first; with ``--print`` their
page is only printed. ``--check`` writes nothing and ends with 1 when the page is not what the figures give.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import session
from benchmarks.figures import Comparison, goal_text, number
from benchmarks.session import Measured, Session

DOCS = Path(__file__).parent.parent / "docs"
FIGURES, PAGE = DOCS / "performance.json", DOCS / "performance.md"

_HEAD = """# Figures of one run

This page is made by `python -m benchmarks.page` from [performance.json](performance.json), which one run of
`make bench` wrote; do not edit it. Ratios were measured within that run, contenders in turns. What was measured at
other times, longer and against earlier builds, is in [what is proved](proofs.md).

`make bench` measures what ends within 15 minutes, `make bench ARGS=all` everything; with
`make bench ARGS='quick --peers FOLDER'` engines of others run beside, in the versions that `benchmarks/peer_engines.py`
pins, which also says how FOLDER is made.
"""


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--print", dest="shown", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.shown:
        print(page(session.read(given.file or FIGURES)), end="")
        return 0
    if given.file is not None:
        session.write(session.read(given.file), FIGURES)
    text = page(session.read(FIGURES))
    if given.check:
        return int(not PAGE.exists() or PAGE.read_text() != text)
    PAGE.write_text(text)
    return 0


def page(found: Session) -> str:
    """Return the page of a run."""
    return "\n".join([_HEAD, *_machine(found), *(line for each in found.benchmarks for line in _benchmark(each))])


def _machine(found: Session) -> Iterator[str]:
    machine = found.machine
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    begun, ended = (", ".join(f"{each:.1f}" for each in load) for load in (found.load_begun, found.load_ended))
    yield "| what | measured on |"
    yield "|---|---|"
    yield f"| time (UTC) | {found.begun} to {found.ended} |"
    yield f"| commit | {found.commit}{' (a + says that files differed from it)' if '+' in found.commit else ''} |"
    yield f"| machine | {machine.cpu}, {machine.cores} cores, {machine.memory_mb:,} MB |"
    yield f"| system | {machine.os} |"
    yield f"| Python | {machine.python} |"
    yield f"| libraries | {libraries} |"
    yield f"| load at the beginning (1, 5, 15 minutes) | {begun} |"
    yield f"| load at the end | {ended} |"
    yield ""
    yield f"A load above {machine.cores} says that other programs took part of the machine; figures are worse for it."
    yield ""


def _benchmark(found: Measured) -> Iterator[str]:
    if not found.comparisons:
        yield f"## Not measured: `{found.command}`"
        yield ""
        yield f"{_sentence(found.left_out)}"
        yield ""
    for each in found.comparisons:
        yield from _comparison(found.command, each)


def _comparison(command: str, found: Comparison) -> Iterator[str]:
    yield f"## {found.title}"
    yield ""
    rounds = f"; medians of {found.rounds} rounds" if found.rounds > 1 else ""
    yield f"`{command}`: {found.method}{rounds}."
    yield ""
    if found.figures:
        yield f"| contender | figure | unit | {found.ratio or 'ratio'} | goal |"
        yield "|---|---:|---|---:|---|"
        for each in found.figures:
            yield f"| {each.what} | {number(each.value)} | {each.unit} | {number(each.ratio)} | {goal_text(each)} |"
        yield ""
    for line in found.left_out:
        yield f"Left out: {line}."
        yield ""
    if found.failed:
        yield f"**Failed:** {found.failed}."
        yield ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


if __name__ == "__main__":
    sys.exit(main())
