"""A maker with stale quotes leaves a basket that pays, on either side, until it catches up."""

import pytest

from predsurv.core.ids import Side
from predsurv.core.market import FeeSchedule
from predsurv.core.num import MICROS
from predsurv.exchange.market_group import MarketGroup
from predsurv.exchange.mispricing import basket_edge, begin_mispricing, end_mispricing
from predsurv.exchange.tape import Tape
from predsurv.exchange.world import Kind, build_groups

FEE = FeeSchedule(model="polymarket", rate=50_000)


def group_of(kind: Kind, count: int) -> MarketGroup:
    spec = next(
        s for s in build_groups(7, 300) if s.kind == kind and len(s.fair_values) == count and s.mispricing is not None
    )
    group = MarketGroup(spec, Tape(0), 0, 1_000, lambda group, index: None)
    group.place_opening_quotes()
    return group


@pytest.mark.parametrize(("kind", "count", "side"), [("event", 4, "ask"), ("event", 3, "bid"), ("multi", 4, "ask")])
def test_a_mispricing_pays_after_fees_as_long_as_it_lasts(kind: Kind, count: int, side: Side) -> None:
    group = group_of(kind, count)
    before = basket_edge(group, FEE, side)
    assert before is not None
    assert before.edge < 0
    stale_book = begin_mispricing(group, FEE, side, 15_000)
    assert stale_book is not None
    for now in range(300):
        group.act(now)
        found = basket_edge(group, FEE, side)
        assert found is not None
        assert found.edge >= 15_000
        assert found.size >= 20 * MICROS
    end_mispricing(group, stale_book)
    after = basket_edge(group, FEE, side)
    assert after is not None
    assert after.edge < 0


def test_a_basket_with_an_empty_side_has_no_edge() -> None:
    group = group_of("event", 3)
    group.books[0].clear("test")
    assert basket_edge(group, FEE, "ask") is None


def test_an_impossible_edge_is_not_attempted() -> None:
    group = group_of("event", 3)
    assert begin_mispricing(group, FEE, "ask", MICROS) is None
    assert not group.is_mispriced
