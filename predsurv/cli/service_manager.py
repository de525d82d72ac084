"""Tell the service manager that started us (systemd, ``Type=notify``) how we are: datagrams to the socket it names."""

import os
import socket
from collections.abc import MutableMapping
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
    """Where there is none, nothing is sent. What the manager's socket does not take at once is sent by a later call."""

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
        news = ready and not self._ready
        beat = self._watchdog > 0 and health.alive and now >= self._watchdog_due
        status = news or now >= self._status_due
        if news:
            told.append("READY=1")
        if beat:
            told.append("WATCHDOG=1")
        if status:
            told.append(f"STATUS={sanitise(health.summary, 400)}")
            if not (ready or self._ready):
                told.append(f"EXTEND_TIMEOUT_USEC={EXTENSION // _US}")
        if told and self._send(told):
            self._ready = self._ready or ready
            self._watchdog_due = now + self._watchdog if beat else self._watchdog_due
            self._status_due = now + STATUS_INTERVAL if status else self._status_due

    def stopping(self, status: str) -> None:
        """Say that the run ends."""
        if not self._stopping:
            self._stopping = self._send(["STOPPING=1", f"STATUS={sanitise(status, 400)}"])

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, told: list[str]) -> bool:
        """Return whether ``told`` needs not be sent again: it was taken, or there is nobody."""
        if self._socket is not None:
            try:
                self._socket.sendto("\n".join(told).encode(errors="replace"), self._address)
            except BlockingIOError:  # its queue is full: a READY=1 that is lost would end the start
                return False
            except OSError:  # it has gone
                pass
        return True
