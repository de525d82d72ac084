"""Sessions and gateways of both venues over scripted answers."""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from predsurv.config import Secret
from predsurv.venues.kalshi.auth import RequestSigner
from predsurv.venues.kalshi.execution.account_reader import KalshiAccountReader
from predsurv.venues.kalshi.execution.gateway import KalshiGateway
from predsurv.venues.kalshi.execution.session import KalshiSession
from predsurv.venues.polymarket.account.decoder import AccountDecoder
from predsurv.venues.polymarket.execution.account_reader import ClobAccountReader, ClobUserChannel
from predsurv.venues.polymarket.execution.gateway import PolymarketGateway
from predsurv.venues.polymarket.execution.login import PolymarketIdentity
from predsurv.venues.polymarket.execution.session import ClobSession
from predsurv.venues.polymarket.orders.api_keys import ApiKey
from tests.kit.fake_kalshi import KEY_ID
from tests.kit.polymarket_orders import ADDRESS, signer
from tests.kit.scripted_http import Answer, ScriptedHttp

KALSHI_URL = "https://kalshi.test/trade-api/v2"
KALSHI_WS = "wss://kalshi.test/trade-api/ws/v2"
CLOB_URL = "https://clob.test"
CLOB_WS = "wss://clob.test/ws/user"


class KalshiAccount(NamedTuple):
    """One account at a scripted Kalshi."""

    server: ScriptedHttp
    session: KalshiSession
    reader: KalshiAccountReader
    gateway: KalshiGateway


class ClobAccount(NamedTuple):
    """One account at a scripted Polymarket."""

    server: ScriptedHttp
    session: ClobSession
    reader: ClobAccountReader
    gateway: PolymarketGateway


def kalshi_account(*answers: Answer) -> KalshiAccount:
    """An account whose requests are answered with ``answers``, the last one for ever."""
    server = ScriptedHttp(*answers)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    session = KalshiSession(
        KALSHI_URL, server.http, RequestSigner(Secret(KEY_ID), Secret(pem), server.clock), server.clock
    )
    reader = KalshiAccountReader(session, KALSHI_WS, server.clock)
    return KalshiAccount(server, session, reader, KalshiGateway(session, reader, server.clock))


def clob_account(*answers: Answer) -> ClobAccount:
    """An account whose requests are answered with ``answers``, the last one for ever."""
    server = ScriptedHttp(*answers)
    key = ApiKey(Secret("0191-key"), Secret("c2VjcmV0LXNlY3JldA=="), Secret("pass-phrase"), address=ADDRESS)
    session, decoder = ClobSession(CLOB_URL, server.http, key, server.clock), AccountDecoder(key.owner, ADDRESS)
    reader = ClobAccountReader(
        session, decoder, lambda: ClobUserChannel(CLOB_WS, key, decoder), server.clock, signature_type=0
    )
    identity = PolymarketIdentity(signer(), key, 0)
    return ClobAccount(server, session, reader, PolymarketGateway(identity, session, reader, server.clock, lambda: 0.5))
