"""From a command to the bytes of a signed Polymarket order with its headers, beside the venue's own Python client.

``python -m benchmarks.orders [--orders N]``. The client, py-clob-client-v2, is compared where it is installed; it is in
no lock. Both build the same order, in turns; measured are amounts, hash, signature, JSON and HMAC, not the socket.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks import figures, rounds
from benchmarks.figures import Comparison, Figure, Goal
from predsurv.config import Secret
from predsurv.core.ids import ClientOrderId, InstrumentId, InstrumentKey, MarketId, StrategyName, VenueName
from predsurv.core.num import Price, Size
from predsurv.core.orders import PlaceOrder
from predsurv.venues.polymarket.orders.api_keys import ApiKey
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey
from predsurv.venues.polymarket.orders.exchanges import STANDARD
from predsurv.venues.polymarket.orders.requests import place_order
from predsurv.venues.polymarket.orders.signing import MarketTerms, OrderSigner, SignedOrder, wallet_of

KEY = (
    "0x" + "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
)  # everybody's first example, never funded
INSTRUMENT = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
SECRET = "A" * 43 + "="
P99_US_MAX = 250
RATIO_MIN = 3
_CLIENT = "py-clob-client-v2"

Build = Callable[[int], object]


class Ours:
    """Everything that a broker keeps between orders, and one order after another."""

    def __init__(self) -> None:
        key = EthereumKey(Secret(KEY))
        self.signer = OrderSigner(key, wallet_of(0, "", key))
        self.api_key = ApiKey(Secret("key"), Secret(SECRET), Secret("pass"), address=self.signer.maker)
        self.terms = MarketTerms(Price(10_000), "v1", neg_risk=False)
        instrument = InstrumentKey(VenueName("polymarket"), MarketId("0xab"), InstrumentId(INSTRUMENT))
        self.command = PlaceOrder(
            ClientOrderId("c"), StrategyName("s"), instrument, "buy", Price(560_000), Size(21_040_000), "gtc"
        )

    def build(self, number: int) -> SignedOrder:
        """Return one order, after its bytes and headers were made."""
        now = time.time_ns()
        order = self.signer.order(self.command, self.terms, now=now, salt=number)
        if not isinstance(order, SignedOrder):
            raise TypeError(order)
        request = place_order(order, self.signer, self.api_key.owner)
        self.api_key.headers(request, timestamp=now // 1_000_000_000)
        return order


class Peer:
    """The same steps as the client takes them between ``create_order`` and its HTTP library, without its look-ups."""

    def __init__(self) -> None:
        types, builder = import_module("py_clob_client_v2.clob_types"), "py_clob_client_v2.order_builder.builder"
        self._signer = import_module("py_clob_client_v2.signer").Signer(KEY, 137)
        self._builder = import_module(builder).OrderBuilder(self._signer)
        self._args = types.OrderArgsV2(INSTRUMENT, 0.56, 21.04, "BUY")
        self._options = types.CreateOrderOptions("0.01", False)
        self._creds = types.ApiCreds("key", SECRET, "pass")
        self._request = types.RequestArgs
        self._json = import_module("py_clob_client_v2.order_utils.model.order_data_v2").order_to_json_v2
        self._headers = import_module("py_clob_client_v2.headers.headers").create_level_2_headers

    def build(self, _number: int) -> Any:
        """Return one order, after its bytes and headers were made."""
        order = self._builder.build_order(self._args, self._options, version=2)
        payload = self._json(order, "key", "GTC")
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        self._headers(self._signer, self._creds, self._request("POST", "/order", payload, body))
        return order


def agree(ours: Ours, theirs: Any) -> bool:
    """Return whether both sign the same amounts, and ours gives the peer's signature for the peer's salt and time."""
    mine = ours.build(1)
    amounts = (str(mine.fields.maker_amount), str(mine.fields.taker_amount))
    same = mine.fields._replace(salt=int(theirs.salt), timestamp=int(theirs.timestamp))
    signature = str(theirs.signature)
    return amounts == (str(theirs.makerAmount), str(theirs.takerAmount)) and (
        ours.signer.sign(STANDARD, same).signature.removeprefix("0x") == signature.removeprefix("0x")
    )


class Times:
    """Nanoseconds that each order took: by the clock, and of CPU, which a busy machine does not lengthen."""

    def __init__(self) -> None:
        self.clock: list[int] = []
        self.cpu: list[int] = []


def timed(build: Build, count: int, into: Times) -> None:
    """Append what each of ``count`` orders took."""
    for number in range(1, count + 1):
        cpu, clock = time.thread_time_ns(), time.perf_counter_ns()
        build(number)
        into.clock.append(time.perf_counter_ns() - clock)
        into.cpu.append(time.thread_time_ns() - cpu)


def measure(words: Sequence[str]) -> list[Comparison]:
    """Measure both; the comparison fails where they disagree about the order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders")
    parser.add_argument("--orders", type=int, default=2_000, help="orders a round and contender")
    count = parser.parse_args(words).orders
    rounds.pin()
    ours, contenders, agreed = Ours(), dict[str, Build](), True
    contenders["predsurv"] = ours.build
    if find_spec("py_clob_client_v2") is not None:
        peer = Peer()
        agreed = agree(ours, peer.build(0))
        contenders[_CLIENT] = peer.build
    taken = {name: Times() for name in contenders}
    for build in contenders.values():
        timed(build, 50, Times())
    cpu = rounds.interleave({name: partial(timed, contenders[name], count, taken[name]) for name in contenders})
    found = list[Figure]()
    for name, times in taken.items():
        goal = P99_US_MAX if name == "predsurv" else None
        found += figures.quantiles(f"{name}, CPU", times.cpu, goal)
        found += figures.quantiles(f"{name}, by the clock", times.clock)
    if _CLIENT in cpu:
        ratio = cpu[_CLIENT].median_s / cpu["predsurv"].median_s
        found.append(
            Figure(
                what=f"{_CLIENT}, a round",
                value=cpu[_CLIENT].median_s,
                unit="s of CPU",
                ratio=ratio,
                goal=Goal("≥", RATIO_MIN),
            )
        )
    return [
        Comparison(
            title=f"From a command to a signed Polymarket order ({count:,} orders a round)",
            method="one process on one core, in interleaved rounds; quantiles of all orders",
            rounds=rounds.ROUNDS,
            ratio="times ours",
            figures=tuple(found),
            left_out=() if _CLIENT in cpu else (f"{_CLIENT}, which is not installed: pip install {_CLIENT}",),
            failed="" if agreed else f"{_CLIENT} signs another order",
        )
    ]


if __name__ == "__main__":
    sys.exit(figures.main(measure))
