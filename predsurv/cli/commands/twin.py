"""The paper twin at the end of a live run: a process of its own, without the keys, that may take so long."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Final

from predsurv.cli.output.columns import dollars
from predsurv.core.errors import IntegrityError
from predsurv.trade.runs.folder import RunFolder

WITHIN: Final = 60
"""Seconds that the end of a live run waits for its twin."""
_KEYS: Final = ("PRIVATE_KEY", "KEY_ID", "PASSPHRASE", "SECRET")


async def twin_line(folder: RunFolder) -> str:
    """Run the twin of a live run that has ended, and return what came of it in one line."""
    later = f"'predsurv runs twin {folder.run}' makes it"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "predsurv", "runs", "twin", folder.run, "--format", "json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**without_keys(os.environ), "PREDSURV_DATA_DIR": str(folder.path.parent.parent)},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(WITHIN):
            code = await process.wait()
    except TimeoutError:
        return f"paper twin: not made within {WITHIN} s; {later}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    twin = folder.twin()
    try:
        result = None if code or twin is None else twin.results()
    except IntegrityError as error:
        return f"paper twin: {error}"
    if result is None:
        return f"paper twin: not made; {later}, or says why not"
    return f"paper twin: it made {dollars(result.total.profit)}; 'predsurv runs show' compares the two"


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what signs orders: paper never reads a key."""
    return {name: value for name, value in environ.items() if not any(word in name for word in _KEYS)}
