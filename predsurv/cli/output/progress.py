"""Progress lines on stderr: redrawn in place on a terminal, absent elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from predsurv.cli.output.render import console
from predsurv.core.text import sanitise

Update = Callable[[tuple[str, str]], None]
"""Takes (what the line is about, the line)."""

REFRESHES_PER_SECOND: Final = 8


@contextmanager
def progress_line() -> Iterator[Update]:
    """Show one line per subject on stderr while the block runs; nothing when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # Only a terminal needs these, which take a tenth of the time of a small table to import.
    from rich.console import Group
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    lines: dict[str, str] = {}
    with Live(console=console(sys.stderr), transient=True, refresh_per_second=REFRESHES_PER_SECOND) as live:

        def update(told: tuple[str, str]) -> None:
            subject, line = told
            lines[subject] = sanitise(line)
            live.update(Group(*(Spinner("dots", Text(text)) for text in lines.values())))

        yield update
