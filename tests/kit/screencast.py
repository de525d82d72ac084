"""The terminal recording in the README: real commands in a real terminal, as an asciinema cast, drawn as an SVG.

``python -m tests.kit.screencast`` records anew and draws; with ``--draw`` it draws what was recorded. Commands run on
the made-up venue in a folder of their own.
"""

import argparse
import fcntl
import json
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

IMAGES: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
CAST: Final = IMAGES / "predsurv.cast"
SVG: Final = IMAGES / "predsurv.svg"

COLUMNS: Final = 92
ROWS: Final = 26
COMMANDS: Final = (
    "predsurv collect --duration 8s",
    "predsurv mine mock today --top 6",
    "predsurv book {market} --levels 5",
    "predsurv trade --paper --duration 12s --format csv > trades.csv",
    "predsurv runs list",
)
_CONFIG: Final = """\
[mock]
enabled = true
[collector]
max_instruments = 200
instruments_per_connection = 50
rotation_period = "5s"
[storage]
seal_interval = "2s"
[metrics]
port = 0
"""
_FRAME_SECONDS_MIN: Final = 0.4
_PAUSE_SECONDS: Final = 3.0
_PAUSE_SECONDS_MAX: Final = 1.2
_CELL: Final = (8.4, 18)
_ROWS_FIRST: Final = 12
_COLOURS: Final = ("#5c6370", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7dae0")
_TEXT: Final = "#d7dae0"
_FONTS: Final = "ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_DIM: Final = "#8a919c"
_ESCAPE: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Moment(NamedTuple):
    """What the terminal got, ``at`` seconds after the beginning."""

    at: float
    text: str


class Cell(NamedTuple):
    """A character on the screen, in the style of an SVG."""

    character: str
    style: str


class Screen:
    """As much of a terminal as our programs use: text, colours, and lines that are drawn over."""

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._lines: list[list[Cell]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def write(self, text: str) -> None:
        position = 0
        for found in _ESCAPE.finditer(text):
            self._put(text[position : found.start()])
            self._control(found[1] or "", found[2] or "")
            position = found.end()
        self._put(text[position:])

    def shown(self) -> tuple[tuple[Cell, ...], ...]:
        """Return the rows, each as long as its text."""
        return tuple(tuple(line) for line in self._lines[-self._rows :])

    def _put(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self._row += 1
                while len(self._lines) <= self._row:
                    self._lines.append([])
            elif character == "\r":
                self._column = 0
            elif character.isprintable():
                self._set(character)

    def _set(self, character: str) -> None:
        if self._column == self._columns:
            self._put("\r\n")
        line = self._lines[self._row]
        line += [Cell(" ", "")] * (self._column + 1 - len(line))
        line[self._column] = Cell(character, self._style)
        self._column += 1

    def _control(self, numbers: str, letter: str) -> None:
        count = int(numbers) if numbers.isdigit() else 1
        if letter == "A":
            self._row = max(0, self._row - count)
        elif letter == "K":
            self._lines[self._row] = self._lines[self._row][: 0 if numbers == "2" else self._column]
        elif letter == "J":
            del self._lines[self._row + 1 :]
            self._lines[self._row] = self._lines[self._row][: self._column]
        elif letter == "m":
            self._style = style_of(numbers, self._style)


def style_of(numbers: str, before: str) -> str:
    """Return the style after a selection of graphic rendition."""
    style = before
    for number in (int(each or 0) for each in (numbers or "0").split(";")):
        if number == 0:
            style = ""
        elif number == 1:
            style += "font-weight:bold;"
        elif number == 2:
            style += f"fill:{_DIM};"
        elif 30 <= number <= 37 or 90 <= number <= 97:
            style += f"fill:{_COLOURS[number % 10]};"
    return style


def record(folder: Path) -> Iterator[Moment]:
    """Yield what the terminal gets while the commands run in ``folder``."""
    (folder / "config").mkdir()
    (folder / "config" / "surveillance.toml").write_text(_CONFIG)
    began, cut = time.monotonic(), 0.0  # long pauses are cut
    last = 0.0
    for command in COMMANDS:
        line = command.format(market=_busiest(folder)) if "{" in command else command
        yield Moment(last, f"\x1b[32m$\x1b[0m \x1b[1m{line}\x1b[0m\r\n")
        for text in _run(line, folder):
            at = time.monotonic() - began - cut
            if at - last > _PAUSE_SECONDS_MAX:
                cut += at - last - _PAUSE_SECONDS_MAX
                at = last + _PAUSE_SECONDS_MAX
            last = max(last, at)
            yield Moment(last, text)
        yield Moment(last, "\r\n")
        last += _PAUSE_SECONDS
        cut -= _PAUSE_SECONDS


def _busiest(folder: Path) -> str:
    mined = [sys.executable, "-m", "predsurv", "mine", "mock", "today", "--top", "1", "--format", "json"]
    (row, *_) = json.loads(subprocess.run(mined, cwd=folder, check=True, capture_output=True).stdout)
    return str(row["market_id"])


def _run(line: str, folder: Path) -> Iterator[str]:
    program = f"{shlex.quote(sys.executable)} -m predsurv"
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS), LINES=str(ROWS))
        os.execvp("sh", ["sh", "-c", line.replace("predsurv", program, 1)])  # noqa: S606
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        while True:
            select.select([terminal], [], [])
            yield os.read(terminal, 1 << 16).decode("utf-8", "replace")
    except OSError:  # its end
        os.close(terminal)
        _, status = os.waitpid(process, 0)
        if status:
            raise SystemExit(f"failed: {line}") from None


def write_cast(moments: Sequence[Moment], path: Path) -> None:
    """Write an asciinema cast of version 2."""
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "predsurv", "env": {"TERM": "xterm-256color"}}
    lines = [json.dumps(head), *(json.dumps([round(each.at, 3), "o", each.text]) for each in moments)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_cast(path: Path) -> list[Moment]:
    """Return what a cast holds."""
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    return [Moment(at, text) for at, _, text in map(json.loads, lines)]


def frames(moments: Sequence[Moment]) -> list[tuple[float, tuple[tuple[Cell, ...], ...]]]:
    """Return the different screens, each with the second from which on it is shown."""
    screen = Screen(COLUMNS, ROWS)
    found: list[tuple[float, tuple[tuple[Cell, ...], ...]]] = []
    for moment, following in zip(moments, [*moments[1:], Moment(moments[-1].at + _PAUSE_SECONDS, "")], strict=True):
        screen.write(moment.text)
        due = not found or moment.at - found[-1][0] >= _FRAME_SECONDS_MIN
        if (due or following.at - moment.at >= _FRAME_SECONDS_MIN) and (not found or screen.shown() != found[-1][1]):
            found.append((moment.at, screen.shown()))
    return found


def draw(moments: Sequence[Moment]) -> str:
    """Return the SVG: a strip of screens that a style sheet moves through a window, each row drawn once."""
    screens = frames(moments)
    end = screens[-1][0] + _PAUSE_SECONDS
    begin = next(
        (at for at, rows in screens if len(rows) >= _ROWS_FIRST), 0.0
    )  # who does not see it move sees something
    wide, high = COLUMNS * _CELL[0] + 24, ROWS * _CELL[1] + 24
    rows: dict[tuple[Cell, ...], int] = {}
    strip = []
    for number, (_, shown) in enumerate(screens):
        uses = [
            f'<use href="#r{rows.setdefault(row, len(rows))}" y="{at * _CELL[1]}"/>'
            for at, row in enumerate(shown)
            if any(cell.character != " " for cell in row)
        ]
        strip.append(f'<g transform="translate({number * wide:.0f} 0)">{"".join(uses)}</g>')
    keys = [f"{at / end * 100:.2f}%{{transform:translateX({-n * wide:.0f}px)}}" for n, (at, _) in enumerate(screens)]
    keys.append(f"100%{{transform:translateX({-(len(screens) - 1) * wide:.0f}px)}}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" role="img">'
        "<title>predsurv in a terminal: collect, mine, book, trade, runs</title>"
        f"<style>text{{font:14px {_FONTS};fill:{_TEXT};white-space:pre}}"
        f"#strip{{animation:roll {end:.1f}s steps(1,end) -{begin:.1f}s infinite}}"
        f"@keyframes roll{{{''.join(keys)}}}</style>"
        f"<defs>{''.join(_row(number, row) for row, number in rows.items())}</defs>"
        f'<rect width="100%" height="100%" rx="8" fill="#20242b"/>'
        f'<svg x="12" y="12" width="{wide - 24:.0f}" height="{high - 24:.0f}"><g id="strip">{"".join(strip)}</g></svg>'
        "</svg>\n"
    )


def _row(number: int, cells: Sequence[Cell]) -> str:
    parts, at = [], 0
    while at < len(cells):
        end = at
        while end < len(cells) and cells[end].style == cells[at].style:
            end += 1
        text = "".join(cell.character for cell in cells[at:end])
        if text.strip():
            style = f' style="{cells[at].style}"' if cells[at].style else ""
            length = f' textLength="{len(text) * _CELL[0]:.1f}" lengthAdjust="spacingAndGlyphs"'
            parts.append(f'<text x="{at * _CELL[0]:.1f}" y="14"{length}{style}>{escape(text)}</text>')
        at = end
    return f'<g id="r{number}">{"".join(parts)}</g>'


def main(words: Sequence[str]) -> None:
    """Record, unless told not to, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="draw what was recorded before")
    IMAGES.mkdir(exist_ok=True)
    if not parser.parse_args(words).draw:
        with tempfile.TemporaryDirectory() as folder:
            write_cast(list(record(Path(folder))), CAST)
    SVG.write_text(draw(read_cast(CAST)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
