"""Commands in a process of their own in which some modules cannot be imported."""

import subprocess
import sys
from collections.abc import Sequence

PARSER = ("pydantic", "typer._adapters")
"""What takes typer half of the time of a small command, for values about which there is nothing to decide."""
FRAMES = ("polars", "duckdb", "pandas")
RUNNING = ("websockets", "httpx", "predsurv.trade.assembly", "predsurv.trade.run_opening", "predsurv.trade.replay_run")
"""What is needed to trade and to replay, and takes twice as long to import as what was traded to show."""


def run_without(modules: Sequence[str], *arguments: str) -> str:
    """Run a command that has to end well, and return what it printed.

    Raises AssertionError with what it said, such as the first of ``modules`` that it imports.
    """
    probe = (
        f"import sys; sys.modules.update(dict.fromkeys({tuple(modules)!r}))\n"
        "from predsurv.cli.app import main\n"
        f"sys.exit(main({[*arguments]!r}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
