"""What our orders change for others may be told late: small worlds beside an exchange in which our orders rest."""

from typing import Any

from msgspec.structs import replace

from predsurv.core.events import Gap, Trade
from tests.kit.price_time_exchange import BookSide
from tests.kit.trading_samples import MS, YES
from tests.kit.twin_exchanges import OwnOrder, TwinExchanges


class Story:
    """Twin exchanges told step by step; what others do is told at once, its trades when asked for."""

    def __init__(self, *levels: tuple[BookSide, int, int]) -> None:
        self.twins = TwinExchanges()
        self.twins.open_with(*levels)
        self._untold: list[Trade] = []

    def own(self, name: str, side: BookSide, price: int, size: int, **changes: Any) -> None:
        self.twins.now += MS
        self.twins.send(OwnOrder(name, side, price, size, **changes))

    def cancel(self, name: str) -> None:
        self.twins.now += MS
        self.twins.cancel(name)

    def others(self, side: BookSide, price: int, size: int, *, rests: bool = True) -> None:
        self.twins.now += MS
        self._untold += self.twins.prints(self.twins.others(side, price, size, rests=rests))
        self.twins.tell_changes()

    def takes(self, side: BookSide, price: int, size: int) -> None:
        self.others(side, price, size, rests=False)

    def cancel_others(self, side: BookSide, price: int) -> None:
        """Everybody else cancels what public data shows at a price."""
        self.twins.now += MS
        for name in self.twins.public.names():
            order = self.twins.public.resting(name)
            if order is not None and (order.side, order.price) == (side, price):
                self.twins.cancel_others(name)
        self.twins.tell_changes()

    def in_gap(self, side: BookSide, price: int, size: int) -> None:
        """Somebody takes while nothing is told."""
        self.twins.now += MS
        self.twins.tell(Gap(YES, self.twins.now, "disconnect", 1))
        self.twins.others(side, price, size, rests=False)
        self.twins.tell(self.twins.snapshot())

    def tell_trades(self, *, sideless: bool = False) -> None:
        self.twins.now += MS
        for each in self._untold:
            self.twins.tell(replace(each, taker_side=None) if sideless else each)
        self._untold.clear()

    def filled(self) -> dict[str, tuple[int, int]]:
        """What each order was filled, by the model and in truth; never more, or earlier, than in truth."""
        self.tell_trades()
        differences = self.twins.differences()
        assert [each for each in differences if each.surplus > 0] == [], "\n".join(self.twins.log)
        return {each.name: (each.model, each.truth) for each in differences}


def test_an_opposite_level_first_meets_what_an_order_that_left_displaced_by_a_trade_not_told_yet() -> None:
    story = Story(("bid", 48, 13), ("ask", 53, 20))
    story.own("better", "bid", 51, 13)
    story.own("behind", "bid", 48, 13)
    story.takes("ask", 44, 13)  # in public from those at 48, really from ours at 51
    story.cancel("better")
    story.others("ask", 47, 13)  # in public it finds nobody, really those at 48
    assert story.filled() == {"better": (0, 13), "behind": (0, 0)}


def test_an_order_that_left_displaced_others_also_while_no_other_order_of_ours_rests() -> None:
    story = Story(("bid", 49, 5), ("bid", 48, 5))
    story.own("first", "bid", 50, 13)
    story.takes("ask", 49, 5)
    story.cancel("first")
    story.tell_trades()
    story.own("second", "bid", 49, 5)  # behind those that the first one displaced
    story.takes("ask", 44, 5)
    assert story.filled() == {"first": (0, 5), "second": (0, 0)}


def test_a_post_only_order_may_meet_a_buyer_who_took_what_had_met_ours_before_that_is_told() -> None:
    story = Story(("bid", 48, 4), ("ask", 52, 20))
    story.own("first", "bid", 49, 20)
    story.others("ask", 47, 10)  # 6 of it rest in public; really all of it met ours
    story.tell_trades()
    story.cancel("first")
    story.others("bid", 50, 3)  # in public it met 3 of those 6; really it rests
    story.own("refused", "ask", 49, 20, post_only=True)
    story.takes("bid", 53, 9)
    assert story.filled() == {"first": (10, 10), "refused": (0, 0)}


def test_a_post_only_order_may_meet_what_an_order_that_left_displaced_by_a_trade_not_told_yet() -> None:
    story = Story(("bid", 48, 4), ("ask", 51, 5), ("ask", 53, 20))
    story.own("first", "ask", 50, 5)
    story.takes("bid", 51, 5)  # in public from those at 51, which are still there
    story.cancel("first")
    story.own("refused", "bid", 51, 5, post_only=True)
    story.takes("ask", 48, 4)
    assert story.filled() == {"first": (0, 5), "refused": (0, 0)}


def test_a_fok_order_killed_for_what_was_consumed_may_have_been_filled() -> None:
    story = Story(("bid", 46, 7), ("ask", 51, 13))
    story.own("rests", "bid", 49, 5)
    story.takes("ask", 47, 39)  # in public it finds nobody
    story.others("ask", 47, 10)
    story.own("killed", "bid", 49, 10, tif="fok")  # half of those at 47 seem to have met the one that rests
    story.others("ask", 49, 5)
    story.own("takes", "bid", 50, 10)
    assert story.filled() == {"rests": (5, 5), "killed": (0, 10), "takes": (5, 5)}


def test_a_fok_order_may_be_filled_by_what_ours_displaced() -> None:
    story = Story(("ask", 51, 5), ("ask", 52, 5))
    story.own("rests", "ask", 50, 5)
    story.takes("bid", 51, 5)
    story.tell_trades()
    story.own("killed", "bid", 52, 10, tif="fok")  # those at 51 are really there
    story.own("takes", "bid", 52, 5)
    assert story.filled() == {"rests": (5, 5), "killed": (0, 10), "takes": (0, 0)}


def test_a_level_that_would_have_met_displaced_orders_is_not_there_for_who_takes_it() -> None:
    story = Story(("bid", 46, 1), ("ask", 51, 8), ("ask", 53, 20))
    story.own("first", "ask", 50, 13)
    story.takes("bid", 56, 8)
    story.tell_trades()
    story.cancel("first")
    story.others("bid", 51, 3)  # rests in public; really it met those at 51
    story.others("ask", 47, 3)  # in public it met them; really it rests
    story.own("refused", "bid", 50, 5, post_only=True)
    story.others("bid", 49, 10)
    story.takes("ask", 49, 10)
    assert story.filled() == {"first": (8, 8), "refused": (0, 0)}


def test_what_met_ours_is_not_counted_again_for_what_ours_displaced() -> None:
    story = Story(("bid", 50, 10), ("ask", 53, 30))
    story.own("best", "bid", 52, 13)
    story.own("next", "bid", 51, 7)
    story.others("bid", 51, 2)
    story.own("last", "bid", 50, 2)
    story.others("ask", 51, 13)  # in public 2 of it met those at 51; really all of it met ours at 52
    story.tell_trades()
    story.others("bid", 52, 1)  # in public it met one of those at 51; really it rests
    story.tell_trades()
    story.takes("ask", 44, 10)  # 1 at 52, 7 of ours and 2 at 51
    assert story.filled() == {"best": (13, 13), "next": (7, 7), "last": (0, 0)}


def test_a_trade_without_its_side_displaces_what_it_may_have_met() -> None:
    story = Story(("bid", 46, 5), ("ask", 51, 13), ("ask", 53, 20))
    story.own("better", "ask", 50, 8)
    story.takes("bid", 51, 13)
    story.cancel("better")
    story.tell_trades(sideless=True)
    story.own("behind", "ask", 51, 13)
    story.takes("bid", 53, 4)
    assert story.filled() == {"better": (0, 8), "behind": (0, 0)}


def test_what_is_consumed_of_a_level_may_have_been_traded_away_bit_by_bit() -> None:
    story = Story(("bid", 46, 5), ("ask", 51, 13), ("ask", 52, 10))
    story.own("all", "bid", 51, 13)
    story.takes("bid", 52, 8)  # in public at 51, really at 52
    story.cancel_others("ask", 51)
    story.own("takes", "bid", 52, 5, tif="ioc")
    assert story.filled() == {"all": (13, 13), "takes": (0, 2)}


def test_a_trade_without_its_side_may_have_met_what_seemed_to_be_filled_after_it() -> None:
    story = Story(("bid", 49, 6), ("bid", 48, 5), ("ask", 53, 20))
    story.own("better", "bid", 50, 5)
    story.takes("ask", 49, 5)  # in public from those at 49
    story.others("ask", 50, 5)
    story.tell_trades(sideless=True)
    story.own("behind", "bid", 49, 13)
    story.takes("ask", 48, 1)
    assert story.filled() == {"better": (5, 5), "behind": (0, 0)}


def test_trades_of_a_gap_that_nobody_told_may_have_met_ours() -> None:
    story = Story(("bid", 46, 5), ("ask", 51, 10), ("ask", 52, 10))
    story.own("better", "ask", 50, 13)
    story.own("behind", "ask", 51, 8)
    story.in_gap("bid", 51, 10)  # in public from those at 51, who are still there
    story.others("bid", 50, 13)
    story.takes("bid", 52, 8)
    assert story.filled() == {"better": (13, 13), "behind": (0, 0)}


def test_who_met_in_a_gap_what_we_had_consumed_may_have_taken_what_is_shown_after_it() -> None:
    story = Story(("bid", 46, 5), ("ask", 51, 10), ("ask", 52, 10), ("ask", 53, 8))
    story.own("first", "bid", 51, 10)
    story.in_gap("bid", 53, 20)  # in public at 51 and 52, really at 52 and 53
    story.own("second", "bid", 53, 5, tif="ioc")
    assert story.filled() == {"first": (10, 10), "second": (0, 0)}
