"""Every bound and timeout of a streaming feed, in one struct."""

from typing import Final

from msgspec import Struct

_MS: Final = 1_000_000
_S: Final = 1_000 * _MS


class StreamPolicy(Struct, frozen=True, kw_only=True):
    """Bounds and timeouts of a streaming feed; times in ns.

    ``tick``: how often each connection checks its time rules. ``book_timeout``: an instrument
    without a book this long after its request is requested again; the timeout doubles each time,
    up to ``book_timeout_max``, because settled instruments never answer. ``silence``: a connection
    without data this long is probed with a request for one book; an answer doubles the silence
    allowed next, up to ``silence_max``. ``stable``: a connection that lived this long and delivered
    data counts as a success. ``request_interval``: shortest time between two requests for the same
    broken book. ``outage_attempts``: failed attempts after which an outage is declared.

    ``lifetime``: a connection this old is replaced without a gap; 0 for never. ``overlap``: how
    long both connections are read at least, so that the old one has delivered everything that the
    new one's books contain. ``takeover_timeout``: longest wait for the books of the new one.
    ``catch_up_timeout``: longest wait for the new one to reach the last event of the old one.
    """

    tick: int = 500 * _MS
    keepalive: int = 10 * _S
    book_timeout: int = 10 * _S
    book_timeout_max: int = 320 * _S
    silence: int = 15 * _S
    silence_max: int = 120 * _S
    stable: int = 10 * _S
    request_interval: int = _S
    waiting_frames_max: int = 50_000
    waiting_bytes_max: int = 64 * 2**20
    turn_frames_max: int = 4_096
    backoff_base: int = _S
    backoff_cap: int = 30 * _S
    outage_attempts: int = 10
    handshake_interval: int = 250 * _MS
    retries_per_minute: int = 5
    retries_at_once: int = 4
    lifetime: int = 0
    overlap: int = 2 * _S
    takeover_timeout: int = 30 * _S
    catch_up_timeout: int = 5 * _S
