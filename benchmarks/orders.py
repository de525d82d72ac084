"""From a command to the bytes of a signed Polymarket order with its headers, beside the venue's own Python client.

``python -m benchmarks.orders [--orders N]``. The client, py-clob-client-v2, is compared where it is installed; it is in
no lock. Both build the same order, in turns; measured are amounts, hash, signature, JSON and HMAC, not the socket.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks import rounds
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
_US = 1_000

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


def quantile(taken: list[int], part: int) -> int:
    """Return the ``part``-th hundredth of what was taken, in µs."""
    return sorted(taken)[len(taken) * part // 100] // _US


def main() -> int:
    """Measure; return 1 where the contenders disagree about the order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders")
    parser.add_argument("--orders", type=int, default=2_000, help="orders a round and contender")
    count = parser.parse_args().orders
    rounds.pin()
    ours, contenders = Ours(), dict[str, Build]()
    contenders["predsurv"] = ours.build
    if find_spec("py_clob_client_v2") is not None:
        peer = Peer()
        if not agree(ours, peer.build(0)):
            print("py-clob-client-v2 signs another order")
            return 1
        contenders["py-clob-client-v2"] = peer.build
    taken = {name: Times() for name in contenders}
    for build in contenders.values():
        timed(build, 50, Times())
    cpu = rounds.interleave({name: partial(timed, contenders[name], count, taken[name]) for name in contenders})
    for name, times in taken.items():
        shown = [f"{quantile(each, 50)} µs median, {quantile(each, 99)} µs p99" for each in (times.clock, times.cpu)]
        print(f"{name}, {len(times.cpu):,} orders: by the clock {shown[0]}; of CPU {shown[1]}")
    print(f"goal: p99 ≤ {P99_US_MAX} µs")
    if len(taken) == 1:
        print("py-clob-client-v2 is not installed; pip install py-clob-client-v2 to compare")
        return 0
    ratio = cpu["py-clob-client-v2"].median_s / cpu["predsurv"].median_s
    print(f"py-clob-client-v2 takes {ratio:.1f} times as long (goal: ≥ {RATIO_MIN}); both sign the same order")
    return 0


if __name__ == "__main__":
    sys.exit(main())
