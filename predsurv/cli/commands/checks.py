"""The checks of ``predsurv doctor``: each returns what it found and the next step."""

import asyncio
import os
import re
import shutil
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from predsurv.config import Config, read_secret
from predsurv.config.secrets import SECRETS
from predsurv.core import native
from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.net.clock import SystemClock
from predsurv.venues.kalshi.auth import KEY_ID, PRIVATE_KEY, load_signer

PYTHON_LEAST: Final = (3, 11)
FREE_BYTES_LEAST: Final = 500_000_000
FREE_BYTES_WISE: Final = 20_000_000_000
REACH_SECONDS: Final = 3.0

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<least>[0-9.]+)\Z")
_STEP_REACH: Final = "check the network and any firewall; 'predsurv demo' needs neither"
_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}


_KALSHI_UNSET: Final = "not set; Kalshi's books and trades are polled instead of streamed"
_UNSET: Final = {KEY_ID: _KALSHI_UNSET, PRIVATE_KEY: _KALSHI_UNSET}


class HealthCheck(NamedTuple):
    """Result of one check; ``step`` is the next step when ``state`` is not ok."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    step: str = ""


def python_check(running: tuple[int, ...] = sys.version_info[:3]) -> HealthCheck:
    """Check the interpreter's version."""
    text = ".".join(str(part) for part in running)
    if running[:2] >= PYTHON_LEAST:
        return HealthCheck("python", "ok", text)
    return HealthCheck("python", "fail", text, "install Python 3.11 or newer")


def package_checks() -> Iterator[HealthCheck]:
    """Check every package this program declares against the version it needs."""
    try:
        declared = requires("predsurv") or []
    except PackageNotFoundError:
        yield HealthCheck("packages", "warn", "predsurv itself is not installed", "run 'make setup' in its folder")
        return
    for requirement in declared:
        match = _REQUIREMENT.match(requirement)
        if match is not None:
            yield _package(match["name"], match["least"])


def speedups_check() -> HealthCheck:
    """Check whether the compiled implementations of the hottest modules are there and of these sources."""
    if native.speedups is not None:
        return HealthCheck("compiled parts", "ok", "in use")
    step = "install a C compiler and Python's headers, then install again"
    return HealthCheck(
        "compiled parts",
        "warn",
        "none: Python does their work, slower",
        "unset PREDSURV_PURE_PYTHON" if native.PURE_PYTHON else step,
    )


def data_checks(folder: Path) -> Iterator[HealthCheck]:
    """Check that the data folder can be written and has room."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    try:
        with tempfile.TemporaryFile(dir=there):
            yield HealthCheck("data folder", "ok", f"{folder} can be written")
    except OSError as error:
        step = "make it writable, or set data_dir to another folder"
        yield HealthCheck("data folder", "fail", f"{folder}: {error.strerror}", step)
    yield _space(shutil.disk_usage(there).free)


def port_check(host: str, port: int) -> HealthCheck:
    """Check that /metrics can be served."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            step = "another program listens there; set metrics.port to another one, or 0 for any"
            return HealthCheck("metrics port", "warn", f"{host}:{port}: {error.strerror}", step)
    return HealthCheck("metrics port", "ok", f"{host}:{port} is free")


def secret_checks(environ: dict[str, str] | None = None) -> Iterator[HealthCheck]:
    """Check the secrets that are set and the permissions of their files; never shows a secret."""
    env = dict(os.environ) if environ is None else environ
    for name in SECRETS:
        try:
            found = "set" if read_secret(name, env) else _UNSET.get(name, "not set; only needed to trade live")
            yield HealthCheck(name, "ok", found)
        except ConfigError as error:
            yield HealthCheck(name, "fail", str(error), "correct that before trading")


def kalshi_check(environ: dict[str, str] | None = None) -> HealthCheck:
    """Check that the Kalshi key can sign; without a key, say that books are polled."""
    try:
        signer = load_signer(SystemClock(), environ)
    except ConfigError as error:
        return HealthCheck("kalshi feed", "fail", str(error), "correct that, or unset both to go without a key")
    if signer is None:
        return HealthCheck(
            "kalshi feed", "ok", "polled, trades included; an API key adds every change of a book, numbered"
        )
    return HealthCheck("kalshi feed", "ok", "streamed with the API key")


def venue_urls(config: Config) -> dict[str, str]:
    """Return the configured venue URLs by key; empty with the mock venue."""
    if config.mock.enabled:
        return {}
    urls: dict[str, str] = {}
    for venue in ("polymarket", "kalshi"):
        section = getattr(config.venues, venue)
        if section.enabled:
            urls |= {
                f"{venue} {name.removesuffix('_url')}": getattr(section, name)
                for name in section.__struct_fields__
                if name.endswith("_url")
            }
    return urls


async def reach_checks(urls: dict[str, str], seconds: float = REACH_SECONDS) -> list[HealthCheck]:
    """Check that each address accepts a connection; sends nothing but the handshake."""
    return list(await asyncio.gather(*(_reach(name, url, seconds) for name, url in urls.items())))


async def _reach(name: str, url: str, seconds: float) -> HealthCheck:
    parts = urlsplit(url)
    tls = ssl.create_default_context() if parts.scheme in ("https", "wss") else None
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(
                parts.hostname,
                parts.port or _PORTS[parts.scheme],
                ssl=tls,
                server_hostname=parts.hostname if tls else None,
            )
            writer.close()
            await writer.wait_closed()
    except TimeoutError:
        return HealthCheck(name, "fail", f"{parts.netloc} did not answer within {seconds:g} s", _STEP_REACH)
    except OSError as error:
        reason = sanitise(error.strerror or str(error), 120)
        return HealthCheck(name, "fail", f"{parts.netloc}: {reason}", _STEP_REACH)
    return HealthCheck(name, "ok", f"{parts.netloc} answers")


def _package(name: str, least: str) -> HealthCheck:
    try:
        have = version(name)
    except PackageNotFoundError:
        return HealthCheck(name, "fail", "not installed", "run 'make setup'")
    if _parts(have) < _parts(least):
        return HealthCheck(name, "fail", f"{have}, needs {least}", "run 'make setup'")
    return HealthCheck(name, "ok", have)


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]+", text)[:3])


def _space(free: int) -> HealthCheck:
    text = f"{free / 1e9:,.1f} GB free"
    if free < FREE_BYTES_LEAST:
        return HealthCheck("disk space", "fail", text, "free some, or set data_dir to a larger disk")
    if free < FREE_BYTES_WISE:
        return HealthCheck("disk space", "warn", text, "a day of 2,000 busy order books takes several GB")
    return HealthCheck("disk space", "ok", text)


def worst(checks: Iterable[HealthCheck]) -> Literal["ok", "warn", "fail"]:
    """Return the worst state among ``checks``."""
    states = {check.state for check in checks}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
