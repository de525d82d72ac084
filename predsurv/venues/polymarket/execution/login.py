"""Who trades: the key of the environment, its wallet, and the API key that the venue has for it.

An API key is derived before one is made, and is kept in memory only.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from predsurv.config import Config
from predsurv.core.errors import ConfigError, SafetyError, TransientError
from predsurv.net.http import Http, HttpReply
from predsurv.net.http_errors import http_date, summary
from predsurv.ports import Clock
from predsurv.venues.polymarket.orders.api_keys import CREATE_KEY, DERIVE_KEY, ApiKey, login_headers, read_api_key
from predsurv.venues.polymarket.orders.ethereum_key import PRIVATE_KEY, EthereumKey, checksummed, load_key
from predsurv.venues.polymarket.orders.signing import OrderSigner, wallet_of
from predsurv.venues.requests import VenueRequest

SKEW_MAX: Final = 2_000_000_000
"""Most that this machine's clock may differ from the venue's (ns)."""
_S: Final = 1_000_000_000
_HALF: Final = _S // 2


class PolymarketIdentity(NamedTuple):
    """The private key that signs, the wallet that it signs for, and the API key; ``skew``: our clock ahead, ns."""

    signer: OrderSigner
    api_key: ApiKey
    skew: int


def load_signer(config: Config, environ: Mapping[str, str] | None = None) -> tuple[EthereumKey, OrderSigner]:
    """Return the key in the environment and what signs with it for the wallet of the configuration.

    Raises ConfigError; nothing is sent.
    """
    key = load_key(environ)
    if key is None:
        raise ConfigError(f"no key to sign orders with: set {PRIVATE_KEY}_FILE to a file (mode 600) that holds it")
    places = config.venues.polymarket
    return key, OrderSigner(key, wallet_of(places.signature_type, places.funder, key))


def wallet_address(config: Config, environ: Mapping[str, str] | None = None) -> str:
    """Return the address that owns what is traded: ``funder``, else the account of the key in the environment.

    Raises ConfigError where there is neither.
    """
    return config.venues.polymarket.funder or load_signer(config, environ)[1].maker


async def log_in(config: Config, http: Http, clock: Clock) -> PolymarketIdentity:
    """Return who trades; raises ConfigError for a refused key, SafetyError for a wrong clock, TransientError."""
    key, signer = load_signer(config)
    base = config.venues.polymarket.clob_url.rstrip("/")
    skew = await clock_skew(base, http, clock)
    check_clock(skew)
    reply = await _ask(base, http, DERIVE_KEY, key, clock)
    if reply.status in (400, 404):  # there is none yet
        reply = await _ask(base, http, CREATE_KEY, key, clock)
    if reply.status in (401, 403):
        raise ConfigError(f"polymarket refuses the private key: {summary(reply.body)}; check {PRIVATE_KEY}")
    if not 200 <= reply.status < 300:
        raise TransientError(f"polymarket gave no API key: HTTP {reply.status}, {summary(reply.body)}; try later")
    return PolymarketIdentity(signer, read_api_key(reply.body, address=checksummed(key.address, key.keccak)), skew)


def check_clock(skew: int) -> None:
    """Raise SafetyError where this machine's clock is too far from the venue's: ``skew`` ns ahead of it."""
    if abs(skew) > SKEW_MAX:
        raise SafetyError(
            f"this machine's clock is {abs(skew) / _S:.1f} s {'ahead of' if skew > 0 else 'behind'} polymarket's: "
            "signed requests would be refused; set it by NTP and try again"
        )


async def clock_skew(base: str, http: Http, clock: Clock) -> int:
    """Return how far this clock is ahead of the venue's (ns), to about a second; raises as ``Http.ask``."""
    before = clock.now()
    reply = await http.ask("GET", f"{base}/time")
    middle = (before + clock.now()) // 2
    text = reply.body.strip().strip(b'"')
    if reply.status == 200 and text.isdigit() and len(text) <= 12:
        return middle - (int(text) * _S + _HALF)  # it states whole seconds, cut
    moment = http_date(reply.headers.get("Date"))
    if moment is None:
        raise TransientError(f"polymarket does not say what time it is: HTTP {reply.status}; try later")
    return middle - (moment + _HALF)


async def _ask(base: str, http: Http, request: VenueRequest, key: EthereumKey, clock: Clock) -> HttpReply:
    sign = lambda: login_headers(key, timestamp=clock.now() // _S)  # noqa: E731 - one line, used once
    return await http.ask(request.method, base + request.path, sign=sign)
