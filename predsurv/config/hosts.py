"""Checks of configured URLs: their form, and the hosts that belong to each venue.

A security rule: orders and credentials go to the hosts of these URLs.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

VENUE_HOSTS: Final = {
    "polymarket": frozenset(
        {
            "clob.polymarket.com",
            "clob-staging.polymarket.com",
            "data-api.polymarket.com",
            "gamma-api.polymarket.com",
            "ws-subscriptions-clob.polymarket.com",
        }
    ),
    "kalshi": frozenset(
        {
            "api.elections.kalshi.com",
            "demo-api.kalshi.co",
            "external-api-ws.demo.kalshi.co",
            "external-api-ws.kalshi.com",
            "external-api.demo.kalshi.co",
            "external-api.kalshi.com",
        }
    ),
}
"""The hosts that each venue documents for its APIs, by venue."""

_PLAIN: Final = {"https": "http", "wss": "ws"}
_TLS_PORT: Final = 443


def clean_url(text: str) -> str:
    """Return ``text`` without a trailing slash; raises ValueError when it is not a base URL.

    Whatever two parsers could read differently (user part, backslash, spaces, non-ASCII, query) is refused, so that
    the host checked here is the host that the client connects to.
    """
    if not text.isascii() or any(char in text for char in "\\ ?#@%"):
        raise ValueError("not a plain URL")
    parts = urlsplit(text)
    host = parts.hostname
    if not host or host.endswith(".") or not parts.scheme:
        raise ValueError("no scheme or host")
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError("not a port")
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is "localhost" or a loopback address; short forms such as ``127.1`` are not."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def url_refusal(venue: str, scheme: str, url: str, *, allow_custom: bool = False) -> str | None:
    """Return why ``url`` may not be used for ``venue``, None when it may.

    ``scheme`` is the encrypted one (``https`` or ``wss``); its plain form is allowed on loopback only.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        if parts.scheme in (scheme, _PLAIN[scheme]):
            return None
        return f'must start with "{_PLAIN[scheme]}://" or "{scheme}://"'
    if parts.scheme != scheme:
        return f'must start with "{scheme}://" (only this machine may be reached unencrypted)'
    if allow_custom or (host in VENUE_HOSTS.get(venue, ()) and parts.port in (None, _TLS_PORT)):
        return None
    return (
        f"{parts.netloc} is not a host of {venue}; if you trust it with your orders, "
        "set allow_custom_hosts = true at the top of the file"
    )
