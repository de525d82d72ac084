"""Tell the service manager that started us (systemd, ``Type=notify``) how we are: datagrams to the socket it names."""

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

from predsurv.core.text import sanitise
from predsurv.ports import Clock
from predsurv.telemetry.health import Health

STATUS_INTERVAL: Final = 10_000_000_000
"""How often (ns) the status line is sent."""

EXTENSION: Final = 60_000_000_000
"""How much longer (ns) a start may take, asked for anew with every status line until then."""

_US: Final = 1_000


class ServiceManager:
    """Where there is none, nothing is sent. A message that the manager's socket does not take at once is dropped."""

    def __init__(self, environ: MutableMapping[str, str], clock: Clock) -> None:
        """Take what the manager asked for out of ``environ``: it was not asked of the processes that we start."""
        address = environ.pop("NOTIFY_SOCKET", "")
        interval, owner = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        ours = owner in ("", str(os.getpid())) and interval.isdigit()
        self._clock = clock
        self._socket: socket.socket | None = None
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = int(interval) * _US // 3 if ours else 0  # early enough for two to be late
        self._watchdog_due = self._status_due = 0
        self._ready = self._stopping = self._ok = False
        if address.startswith(("@", "/")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    def pulse(self, health: Health) -> None:
        """Say what is due; to be called several times a second.

        The watchdog hears of us only while the run is alive; the status line is renewed when it turns well or unwell.
        """
        now, told = self._clock.monotonic(), list[str]()
        ready = health.phase == "running"
        if health.ok != self._ok:
            self._ok = health.ok
            self._status_due = now
        if ready and not self._ready:
            self._ready = True
            self._status_due = now
            told.append("READY=1")
        if self._watchdog and health.alive and now >= self._watchdog_due:
            self._watchdog_due = now + self._watchdog
            told.append("WATCHDOG=1")
        if now >= self._status_due:
            self._status_due = now + STATUS_INTERVAL
            told.append(f"STATUS={sanitise(health.summary, 400)}")
            if not self._ready:
                told.append(f"EXTEND_TIMEOUT_USEC={EXTENSION // _US}")
        if told:
            self._send(told)

    def stopping(self, status: str) -> None:
        """Say that the run ends."""
        if not self._stopping:
            self._stopping = True
            self._send(["STOPPING=1", f"STATUS={sanitise(status, 400)}"])

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, told: list[str]) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it has gone, or does not read
                self._socket.sendto("\n".join(told).encode(errors="replace"), self._address)
