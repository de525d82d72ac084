"""The routes of order groups."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from predsurv.simulate.kalshi.rest_api import RestResponse
from predsurv.simulate.kalshi.trading.account_rows import group_row
from predsurv.simulate.kalshi.trading.groups import KalshiOrderGroup
from predsurv.simulate.kalshi.trading.order_desk import KalshiDesk, trigger_group
from predsurv.simulate.kalshi.trading.order_reader import read_count, read_object
from predsurv.simulate.kalshi.trading.order_routes import error_response, ok
from predsurv.simulate.kalshi.trading.orders import OrderError
from predsurv.simulate.kalshi.trading_state import SHARDS

GROUPS_MAX: Final = 1_000
_NOT_FOUND: Final = OrderError(404, "not_found", "order group not found")


class GroupRoutes:
    """Makes and changes the order groups of ``desk``."""

    def __init__(self, desk: KalshiDesk) -> None:
        self._desk = desk
        self._changes: Mapping[str, Callable[[KalshiOrderGroup, bytes], RestResponse]] = {
            "reset": self._reset,
            "trigger": self._trigger,
            "limit": self._limit,
        }

    def create(self, body: bytes) -> RestResponse:
        """Make a group with a limit of contracts."""
        given = read_object(body)
        limit, shard = _limit_of(given), 0 if isinstance(given, OrderError) else given.get("exchange_index", 0)
        if limit is None or len(self._desk.groups) >= GROUPS_MAX:
            return error_response(OrderError(400, "invalid_parameters", "contracts_limit_fp"))
        if shard not in range(len(SHARDS)):
            return error_response(OrderError(400, "invalid_parameters", "exchange_index"))
        group = KalshiOrderGroup(self._desk.new_id(), limit, shard)
        self._desk.groups[group.group_id] = group
        self._desk.on_group(group, "created")
        return ok({"order_group_id": group.group_id, "subaccount": 0, "exchange_index": shard}, 201)

    def list(self) -> RestResponse:
        """Return every group."""
        return ok({"order_groups": [group_row(group) for group in self._desk.groups.values()]})

    def one(self, group_id: str) -> RestResponse:
        """Return a group with its live orders."""
        group = self._desk.groups.get(group_id)
        if group is None:
            return error_response(_NOT_FOUND)
        orders = [order.order_id for order in self._desk.account.live() if order.request.group == group_id]
        return ok({name: value for name, value in group_row(group).items() if name != "id"} | {"orders": orders})

    def delete(self, group_id: str, shard: str = "") -> RestResponse:
        """Cancel a group's orders and end it; it is looked for on the first shard unless another is named."""
        group = self._on(shard, group_id)
        if group is None:
            return error_response(_NOT_FOUND)
        del self._desk.groups[group_id]
        for order in self._desk.account.live():
            if order.request.group == group_id:
                self._desk.withdraw(order, "")
        self._desk.on_group(group, "deleted")
        return ok({})

    def change(self, group_id: str, what: str, body: bytes, shard: str = "") -> RestResponse:
        """Reset or trigger a group, or give it another limit; it is looked for as by ``delete``."""
        group, change = self._on(shard, group_id), self._changes.get(what)
        return error_response(_NOT_FOUND) if group is None or change is None else change(group, body)

    def _on(self, shard: str, group_id: str) -> KalshiOrderGroup | None:
        group = self._desk.groups.get(group_id)
        return group if group is not None and str(group.shard) == (shard or "0") else None

    def _reset(self, group: KalshiOrderGroup, _: bytes) -> RestResponse:
        group.reset()
        self._desk.on_group(group, "reset")
        return ok({})

    def _trigger(self, group: KalshiOrderGroup, _: bytes) -> RestResponse:
        trigger_group(self._desk, group)
        return ok({})

    def _limit(self, group: KalshiOrderGroup, body: bytes) -> RestResponse:
        limit = _limit_of(read_object(body))
        if limit is None:
            return error_response(OrderError(400, "invalid_parameters", "contracts_limit_fp"))
        group.limit = limit
        self._desk.on_group(group, "limit_updated")
        return ok({})


def _limit_of(given: dict[str, Any] | OrderError) -> int | None:
    """Return hundredths of contracts, None where the body names no limit."""
    if isinstance(given, OrderError):
        return None
    whole = given.get("contracts_limit")
    if isinstance(whole, int) and whole > 0:
        return whole * 100
    return read_count(given.get("contracts_limit_fp"))
