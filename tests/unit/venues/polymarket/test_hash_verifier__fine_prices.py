"""Books whose last trade price has a form that nobody documents: clean ones raise no alarm, lost changes are found."""

from collections.abc import Callable

import pytest

from predsurv.venues.polymarket import hash_budget, wire
from predsurv.venues.polymarket.hash_states import VerificationState
from predsurv.venues.polymarket.shared_state import PolymarketSharedState
from tests.kit.oracle_polymarket import TEXT_FORMS, TICK_SIZES, Venue
from tests.kit.verified_stream import VerifiedStream

NAME = "100000"
FINE_TICK_SIZES = ("0.0025", "0.0001")


def strange(price: str) -> str:
    """Write a price as nobody expects it."""
    return f"{price} USD"


def talk(connection: VerifiedStream, steps: int) -> None:
    """Let books change and trade, trades be announced late or never, and bursts come in two reads."""
    venue, rng = connection.venue, connection.venue.rng
    names = list(venue.tokens)
    for _ in range(steps):
        name = rng.choice(names)
        if rng.random() < 0.2:
            frames = venue.trade(name, venue.draw_price(name))
            frames = frames[:1] if rng.random() < 0.2 else frames
        else:
            frames = venue.burst(name, rng.randrange(1, 4))
        cut = rng.randrange(len(frames)) if rng.random() < 0.3 else 0
        for part in (frames[:cut], frames[cut:]):
            connection.receive(part, rng.randrange(1, 30))
    connection.wait(1_000)


def lose_a_change(connection: VerifiedStream, name: str = NAME) -> None:
    """Change the book twice, and let only the second burst arrive."""
    while connection.equal(name):
        connection.venue.burst(name)
        connection.receive(connection.venue.burst(name))


@pytest.mark.parametrize("form", TEXT_FORMS.values(), ids=TEXT_FORMS)
@pytest.mark.parametrize("tick_size", TICK_SIZES)
def test_trades_raise_no_alarm_and_a_lost_change_is_found(tick_size: str, form: Callable[[str], str]) -> None:
    connection = VerifiedStream(Venue(3, form=form, tick_sizes=(tick_size,)))
    talk(connection, 300)
    assert connection.gaps == []
    assert connection.counts.unverifiable == 0
    assert all(book.state is VerificationState.PROVEN for book in connection.codec.verifier.books.values())
    lose_a_change(connection)
    (gap,) = connection.wait(3_000)
    assert (gap.key.instrument_id, gap.reason) == (NAME, "hash_mismatch")


@pytest.mark.parametrize("tick_size", FINE_TICK_SIZES)
def test_a_form_that_is_never_found_raises_no_gap(tick_size: str) -> None:
    connection = VerifiedStream(Venue(3, form=strange, tick_sizes=(tick_size,)))
    for _ in range(5):
        talk(connection, 60)
        connection.wait(5_000)
    assert connection.gaps == []
    assert connection.counts.unverifiable > 0
    assert all(connection.equal(name) for name in connection.venue.tokens)


def test_a_coarse_price_in_an_unknown_form_is_reported_as_before() -> None:
    connection = VerifiedStream(Venue(1, form=strange))
    connection.receive(connection.venue.burst(NAME))
    connection.receive(connection.venue.trade(NAME, "0.42")[:1])
    connection.receive(connection.venue.burst(NAME))
    assert [gap.reason for gap in connection.wait(3_000)] == ["hash_mismatch"]


def test_a_coarse_book_that_trades_at_a_fine_price_raises_no_gap() -> None:
    connection = VerifiedStream(Venue(1, form=strange))
    connection.receive(connection.venue.burst(NAME))
    connection.receive(connection.venue.trade(NAME, "0.4225"))
    connection.receive(connection.venue.burst(NAME))
    assert connection.wait(5_000) == []
    assert connection.counts.unverifiable == 1


@pytest.mark.parametrize("tick_size", FINE_TICK_SIZES)
def test_before_a_form_is_proved_best_prices_show_a_wrong_book(tick_size: str) -> None:
    venue = Venue(1, form=strange, tick_sizes=(tick_size,))
    connection = VerifiedStream(venue)
    for _ in range(5):
        connection.receive(venue.burst(NAME))
    token = venue.tokens[NAME]
    token.sides["BUY"][token.middle] = "7"  # lost on the way
    assert connection.receive(venue.burst(NAME)) == []
    assert connection.wait(3_000) == []
    assert connection.receive(venue.burst(NAME)) == []
    assert [gap.reason for gap in connection.wait(3_000)] == ["hash_mismatch"]
    assert connection.codec.verifier.suspects.need_quotes


@pytest.mark.parametrize("form", ["cut to three decimals", "four decimals"])
@pytest.mark.parametrize("tick_size", FINE_TICK_SIZES)
def test_a_proved_form_is_known_to_all_connections_of_a_feed(tick_size: str, form: str) -> None:
    shared = PolymarketSharedState()
    quiet = VerifiedStream(Venue(1, seed=2, tick_sizes=(tick_size,)), shared)
    quiet.receive(quiet.venue.burst("200000"))
    busy = VerifiedStream(Venue(1, form=TEXT_FORMS[form], tick_sizes=(tick_size,)), shared)
    busy.receive(busy.venue.trade(NAME, "0.4975"))
    assert tick_size in shared.last_trade_texts.settled
    lose_a_change(quiet, "200000")
    assert [gap.reason for gap in quiet.wait(3_000)] == ["hash_mismatch"]


def test_a_form_proved_with_one_tick_size_says_nothing_of_another() -> None:
    venue = Venue(2, form=TEXT_FORMS["four decimals"], tick_sizes=FINE_TICK_SIZES)
    connection = VerifiedStream(venue)
    first, second = venue.tokens
    connection.receive(venue.trade(first, "0.4975"))
    connection.receive(venue.burst(second))
    lose_a_change(connection, second)
    assert connection.wait(5_000) == []
    assert connection.codec.verifier.books[second].state is VerificationState.UNVERIFIABLE


@pytest.mark.parametrize(("text", "proves"), [("0.4975", True), ("0.498", True), ("0.490", False), ("", False)])
def test_an_opening_book_may_prove_the_form(text: str, proves: bool) -> None:
    connection = VerifiedStream(Venue(1, tick_sizes=("0.0025",), last_trade_price=text))
    assert ("0.0025" in connection.shared.last_trade_texts.settled) == proves
    assert connection.counts.matched == 1


def test_an_opening_book_may_state_its_last_trade_in_another_form_than_it_hashes() -> None:
    venue = Venue(1, tick_sizes=("0.0001",), last_trade_price="0.498")
    opening = venue.books(venue.tokens).replace(b'"last_trade_price":"0.498"', b'"last_trade_price":"0.4975"')
    connection = VerifiedStream(venue)
    connection.receive([opening])
    assert connection.counts.matched == 2
    assert "0.0001" in connection.shared.last_trade_texts.settled


def test_an_announcement_that_comes_twice_or_late_changes_nothing() -> None:
    venue = Venue(1, form=TEXT_FORMS["shortest"], tick_sizes=("0.0025",))
    connection = VerifiedStream(venue)
    book, first = venue.trade(NAME, "0.4975")
    connection.receive([book, first])
    later, _ = venue.trade(NAME, "0.51")
    connection.receive([later])
    connection.wait(1_000)
    matched = connection.counts.matched
    connection.receive([first])  # again, as duplicates come
    connection.receive(venue.burst(NAME))
    assert connection.counts.matched == matched + 1
    assert connection.counts.mismatched == 1


@pytest.mark.parametrize("form", TEXT_FORMS.values(), ids=TEXT_FORMS)
def test_a_trade_told_on_the_other_token_needs_no_search(form: Callable[[str], str]) -> None:
    venue = Venue(1, form=form, tick_sizes=("0.0001",))
    connection = VerifiedStream(venue)
    book, _ = venue.trade(NAME, "0.4976")
    connection.receive([book])
    connection.codec.verifier.enqueue(wire.MirrorTrade(NAME, "0.4976"))
    connection.receive(venue.burst(NAME))
    assert (connection.counts.matched, connection.counts.searched) == (2, 0)
    assert "0.0001" in connection.shared.last_trade_texts.settled


def test_a_trade_told_on_the_other_token_need_not_be_this_one_s_last() -> None:
    venue = Venue(1, form=TEXT_FORMS["four decimals"], tick_sizes=("0.0001",), last_trade_price="0.4976")
    connection = VerifiedStream(venue)
    for price in ("0.4977", "0.5", "0.4978"):
        connection.codec.verifier.enqueue(wire.MirrorTrade(NAME, price))
        connection.receive(venue.burst(NAME))
    assert (connection.counts.matched, connection.counts.mismatched) == (4, 0)


def test_a_tick_size_that_gets_coarser_leaves_fine_prices_behind() -> None:
    venue = Venue(1, form=TEXT_FORMS["four decimals"], tick_sizes=("0.0025",))
    connection = VerifiedStream(venue)
    connection.receive(venue.burst(NAME))
    connection.receive([venue.tick_size_change(NAME, "0.001")])
    connection.receive(venue.trade(NAME, "0.4975")[:1])  # an order that was there before
    connection.receive(venue.burst(NAME))
    assert connection.wait(3_000) == []
    assert connection.counts.searched == 1


@pytest.mark.parametrize("proved", [True, False])
def test_searches_stay_within_their_time_and_starve_nothing(proved: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[int] = []
    spend = hash_budget.HashBudget.spend_tries

    def watch(budget: hash_budget.HashBudget, count: int) -> None:
        assert count <= budget.tries
        spend(budget, count)
        spent[-1] += count

    monkeypatch.setattr(hash_budget.HashBudget, "spend_tries", watch)
    venue = Venue(45, form=TEXT_FORMS["four decimals"], tick_sizes=("0.0001",))
    connection = VerifiedStream(venue)
    busy, names = list(venue.tokens)[:5], list(venue.tokens)[5:]
    for name in venue.tokens:
        connection.receive(venue.trade(name, "0.4975") if proved else venue.burst(name))
    for name in names:
        lose_a_change(connection, name)
    for _ in range(3_000):
        spent.append(0)
        connection.receive(venue.burst(venue.rng.choice(busy)), 10)
    assert max(spent) * hash_budget.TRY_COST <= hash_budget.SEARCH_MAX
    elapsed = 3_000 * 10 * 1_000_000
    assert sum(spent) * hash_budget.TRY_COST <= elapsed // hash_budget.BUDGET_SHARE + hash_budget.BUDGET_MAX
    assert connection.counts.overloads == connection.counts.postponed == 0
    wrong = {gap.key.instrument_id for gap in connection.gaps}
    assert wrong == (set(names) if proved else set())
    assert connection.counts.unverifiable == (0 if proved else 40)
