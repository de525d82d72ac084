"""What a scan counts adds up, in whatever order the markets come, and stays small."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.num import Money
from predsurv.scan import totals as tally
from predsurv.scan.totals import SOON, ScanCounter, ScanTotals
from tests.kit.market_samples import NOW, market


def test_totals() -> None:
    counted = ScanCounter(NOW)
    counted.add(replace(market(1), volume=Money(10), volume_24h=Money(3), liquidity=Money(2), close_time=NOW + 5))
    counted.add(replace(market(2), tradable=False, close_time=NOW + 5))
    counted.add(replace(market(3), volume=Money(1), close_time=NOW + SOON))
    assert counted.total == ScanTotals(
        markets=3, tradable=2, instruments=6, closing_soon=1, volume=11, volume_24h=3, liquidity=2
    )


@given(st.lists(st.sampled_from(["a", "b", None, "c"]), max_size=40))
def test_categories_add_up_to_the_total(names: list[str | None]) -> None:
    counted = ScanCounter(NOW)
    for number, name in enumerate(names):
        counted.add(market(number, name))
    parts = counted.by_category()
    assert sum(part.markets for part in parts.values()) == counted.total.markets == len(names)
    sizes = [part.markets for part in parts.values()]
    assert sizes == sorted(sizes, reverse=True)


def test_no_venue_can_make_it_grow_without_bound() -> None:
    counted = ScanCounter(NOW)
    for number in range(tally.CATEGORIES_MAX + 50):
        counted.add(market(number, f"category {number}"))
    assert len(counted.by_category()) == tally.CATEGORIES_MAX + 1
    assert counted.by_category()[tally.OTHER].markets == 50
