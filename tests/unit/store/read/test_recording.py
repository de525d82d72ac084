"""A backtest knows of each market what was stated by then, and says what it had to do without."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from predsurv.core.errors import ConfigError, IntegrityError
from predsurv.core.events import BookDelta, BookSnapshot, Gap, MarketChange, MarketResolved, VenuePhase
from predsurv.core.ids import EventId, InstrumentKey
from predsurv.core.market import FeeSchedule, Market
from predsurv.core.num import MICROS, Price
from predsurv.core.records import Record
from predsurv.engine.interest import EVERYTHING
from predsurv.store.layout import NS_DAY, Layout, data_files, date_of
from predsurv.store.listing_history import merge_lines
from predsurv.store.universe import to_line
from tests.kit.backtests import (
    MIDNIGHT,
    WAYS,
    RecordedVenue,
    backtest,
    books,
    covered,
    hours,
    listed_on,
)
from tests.kit.recordings import record, write_universe
from tests.kit.trading_samples import S, V, levels, market

FEES = [FeeSchedule("polymarket", rate) for rate in (30_000, 50_000, 70_000)]
ONE, TWO = market("one"), market("two")


def at(ts: int, listed: Market = ONE, **values: object) -> Market:
    return replace(listed, fetched_at=ts, **values)


def session(key: InstrumentKey, day: int, hour: float = 2, ask: int = 60, count: int = 3) -> list[Record]:
    """What is recorded of ``key`` from an hour on: a few books and their coverage."""
    start = hours(hour, day)
    return [*books(key, start, ask, count), covered(key, start, start + 60 * S)]


def recorded(data_dir: Path, *records: Record, collector: str = "c0") -> None:
    record(data_dir, MIDNIGHT, records, collector=collector)


def fee_of(rate: int, price: int = 600_000) -> int:
    """The fee of ten shares."""
    return 10 * rate * price // MICROS * (MICROS - price) // MICROS


def fees(data_dir: Path, first: int = 0, days: int = 1) -> list[int]:
    return [fee for _, _, _, fee in backtest(data_dir, first, days).fills()]


def test_each_day_is_charged_its_own_fee(tmp_path: Path) -> None:
    for day, fee in enumerate(FEES[:2]):
        listed_on(tmp_path, day, at(hours(1, day), fee=fee))
        recorded(tmp_path, *session(ONE.key(0), day))
    first, second, both = fees(tmp_path, 0), fees(tmp_path, 1), fees(tmp_path, 0, 2)
    assert first == [fee_of(30_000)] * 3
    assert second == [fee_of(50_000)] * 3
    assert both == first + second


def test_a_day_on_which_nothing_was_recorded_does_not_decide_the_next_days_fee(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1), fee=FEES[0]))
    listed_on(tmp_path, 1, at(hours(1, 1), fee=FEES[1]))
    recorded(tmp_path, *session(ONE.key(0), 1))
    run = backtest(tmp_path, 0, 2)
    assert [fee for _, _, _, fee in run.fills()] == fees(tmp_path, 1) == [fee_of(50_000)] * 3
    assert run.session.recording is not None
    assert run.session.recording.not_recorded == (date_of(MIDNIGHT),)
    assert f"not recorded: {date_of(MIDNIGHT)}" in run.session.recording.notes()


def test_each_day_has_its_own_grid(tmp_path: Path) -> None:
    fine = BookSnapshot(ONE.key(0), 0, None, 1, None, levels((55, 100)), ((Price(605_000), levels((1, 100))[0][1]),))
    for day, tick in enumerate((10_000, 1_000)):
        listed_on(tmp_path, day, at(hours(1, day), tick_size=Price(tick)))
        start = hours(2, day)
        recorded(tmp_path, replace(fine, ts_recv=start), covered(ONE.key(0), start, start + S))
    run = backtest(tmp_path, 0, 2)
    assert [price for _, _, price, _ in run.fills()] == [605_000]
    assert run.fills() == backtest(tmp_path, 1).fills()
    assert backtest(tmp_path, 0).seen.refused == ["off_grid"]


def test_a_rescan_within_the_day_changes_the_fee_from_its_time_on(tmp_path: Path) -> None:
    line = merge_lines(to_line(at(hours(1), fee=FEES[0])), to_line(at(hours(6), fee=FEES[2])))
    write_universe(tmp_path, V, date_of(MIDNIGHT), [line])
    recorded(tmp_path, *session(ONE.key(0), 0, 2, count=2), *session(ONE.key(0), 0, 8, count=2))
    assert fees(tmp_path) == [fee_of(30_000)] * 2 + [fee_of(70_000)] * 2


def test_what_was_recorded_the_day_before_holds_where_the_list_has_not_changed(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1), fee=FEES[0]))
    listed_on(tmp_path, 1, at(hours(1, 1), fee=FEES[0]))
    news = MarketChange(V, ONE.market_id, None, hours(20), None, "fee", "{}", fee=FEES[1])
    recorded(tmp_path, *session(ONE.key(0), 0), news, *session(ONE.key(0), 1))
    assert fees(tmp_path, 0, 2) == [fee_of(30_000)] * 3 + [fee_of(50_000)] * 3
    assert fees(tmp_path, 1) == [fee_of(50_000)] * 3


def test_a_fee_announced_the_day_before_is_charged_from_its_time_on(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1), fee=FEES[0]))
    news = MarketChange(V, ONE.market_id, None, hours(3), None, "fee", "{}", fee=FEES[1], effective=hours(3, 1))
    recorded(tmp_path, *session(ONE.key(0), 0), news)
    recorded(tmp_path, *session(ONE.key(0), 1, 2, count=1), *session(ONE.key(0), 1, 4, count=1))
    assert fees(tmp_path, 0, 2) == [fee_of(30_000)] * 4 + [fee_of(50_000)]
    assert fees(tmp_path, 1) == [fee_of(30_000), fee_of(50_000)]


_DAYS = st.lists(
    st.tuples(
        st.sampled_from(FEES),
        st.sampled_from([1_000, 10_000, 20_000]),
        st.sampled_from([None, 1_000, 10_000]),  # a tick change recorded during the day
        st.lists(st.integers(20, 90), min_size=0, max_size=3),
    ),
    min_size=2,
    max_size=3,
)


@settings(
    max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)  # shrinking takes minutes
@given(_DAYS)
def test_a_run_over_days_is_the_runs_of_each_day(
    days: list[tuple[FeeSchedule, int, int | None, list[int]]],
) -> None:
    with TemporaryDirectory() as folder:
        data_dir = Path(folder)
        for day, (fee, tick, changed, asks) in enumerate(days):
            listed_on(data_dir, day, at(hours(1, day), fee=fee, tick_size=Price(tick)))
            rows: list[Record] = [covered(ONE.key(0), hours(2, day), hours(9, day))]
            for n, ask in enumerate(asks):
                rows += books(ONE.key(0), hours(2 + 2 * n, day), ask)
            if changed is not None:
                change = MarketChange(V, ONE.market_id, None, hours(5, day), None, "tick_size", "{}")
                rows.append(replace(change, tick_size=Price(changed)))
            recorded(data_dir, *rows)
        single = [backtest(data_dir, day) for day in range(len(days))]
        whole = backtest(data_dir, 0, len(days))
        assert whole.fills() == [fill for each in single for fill in each.fills()]
        assert whole.seen.refused == [reason for each in single for reason in each.seen.refused]


def created(ts: int, born: Market, **values: object) -> MarketChange:
    return MarketChange(V, born.market_id, None, ts, None, "created", "{}", at(ts, born, **values))


def test_a_market_that_lived_between_two_scans_takes_part(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    born = market("born", fee=FEES[2])
    paid = MarketResolved(V, born.market_id, hours(4), None, ((born.key(0).instrument_id, Price(MICROS)),))
    recorded(tmp_path, *session(ONE.key(0), 0), created(hours(3), born), *session(born.key(0), 0, 3.5, count=1), paid)
    listed_on(tmp_path, 1, at(hours(1, 1)))
    run = backtest(tmp_path, 0, 2)
    assert run.fills()[-1][1:] == ("born-yes", 600_000, fee_of(70_000))
    known = run.session.engine.cache.market(V, born.market_id)
    assert known is not None
    assert (known.question, known.status) == ("Will born?", "resolved")
    assert run.session.recording is not None
    assert run.session.recording.notes() == (f"not recorded: {date_of(MIDNIGHT + NS_DAY)}",)
    held = [position.key.market_id for position in run.session.engine.account.portfolio.positions.totals()]
    assert held == ["one"], "what it held of the other was paid"


def test_a_market_is_not_known_before_it_was_born(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    sister = market("sister", event_id=ONE.event_id)
    rows = [*session(ONE.key(0), 0), created(hours(3), sister), *session(sister.key(0), 0, 3.5)]
    recorded(tmp_path, *rows)
    known: list[int] = []

    class Counting:
        name, signals, interest = "counting", frozenset({"x"}), EVERYTHING

        def on_event(self, event: object, view: object) -> tuple[()]:
            if isinstance(event, BookSnapshot):
                known.append(len(view.siblings(V, ONE.event_id)))  # type: ignore[attr-defined]
            return ()

    backtest(tmp_path, strategy=Counting())
    assert known == [1, 1, 1, 2, 2, 2] * WAYS


def test_a_recorded_instrument_of_which_nothing_was_stated_is_counted_and_not_traded(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    recorded(tmp_path, *session(ONE.key(0), 0), *session(TWO.key(0), 0))
    run = backtest(tmp_path)
    assert {instrument for _, instrument, _, _ in run.fills()} == {"one-yes"}
    assert run.session.recording is not None
    assert run.session.recording.notes() == ("1 of 2 recorded instruments has no listing: they are not traded",)
    shutil.rmtree(tmp_path / "metadata")
    with pytest.raises(ConfigError, match=r"of the 2 instruments recorded .* none has a listing; run 'predsurv scan"):
        backtest(tmp_path)


def test_a_market_listed_only_on_a_later_day_is_traded_on_what_is_assumed(tmp_path: Path) -> None:
    recorded(tmp_path, *session(ONE.key(0), 0))
    listed_on(tmp_path, 1, at(hours(1, 1), fee=FEES[1]))
    run = backtest(tmp_path)
    assert [fee for _, _, _, fee in run.fills()] == [fee_of(50_000)] * 3
    summary = run.session.recording
    assert summary is not None
    assert (summary.listed.unlisted, summary.assumed) == (0, 1)
    assert "1 of 1 instruments were recorded before their first listing" in summary.notes()[0]


def test_books_before_the_first_listing_of_the_day_are_traded_on_what_it_says(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(6), fee=FEES[1]), at(hours(1), TWO))
    tick = MarketChange(V, ONE.market_id, None, hours(1.5), None, "tick_size", "{}", tick_size=Price(1_000))
    rows = [tick, *session(ONE.key(0), 0, 2), *session(ONE.key(0), 0, 7), *session(TWO.key(0), 0)]
    recorded(tmp_path, *rows)
    run = backtest(tmp_path)
    assert [fee for _, name, _, fee in run.fills() if name == "one-yes"] == [fee_of(50_000)] * 6
    assert run.session.recording is not None
    assert run.session.recording.assumed == 1
    known = run.session.engine.cache.market(V, ONE.market_id)
    assert known is not None
    assert (known.tick_size, known.assumed) == (10_000, ()), "what the list said last"


def test_markets_that_were_not_recorded_keep_a_set_of_outcomes_from_looking_complete(tmp_path: Path) -> None:
    event = EventId("race")
    race = [market(name, event_id=event, mutually_exclusive=True, exhaustive=True) for name in ("a", "b", "c")]
    for day, listing in ((0, 1.0), (1, 6.0)):  # on the second day the recording began before the list was read
        shutil.rmtree(tmp_path / "metadata", ignore_errors=True)
        listed_on(tmp_path, day, *(at(hours(listing, day), each) for each in race))
        recorded(tmp_path, *session(race[0].key(0), day), *session(race[1].key(0), day))
        run = backtest(tmp_path, day)
        assert len(run.session.engine.cache.siblings(V, event)) == 3
        seen: list[int] = []

        class Counting:
            name, signals, interest = "counting", frozenset({"x"}), EVERYTHING

            def on_event(self, event: object, view: object, seen: list[int] = seen) -> tuple[()]:
                if isinstance(event, BookSnapshot):
                    seen.append(len(view.siblings(V, EventId("race"))))  # type: ignore[attr-defined]
                return ()

        backtest(tmp_path, day, strategy=Counting())
        assert seen == [3] * 6 * WAYS


def missing_delta(data_dir: Path, number: int) -> None:
    data_files(Layout(data_dir), "deltas")[number].unlink()


def test_a_file_that_is_gone_is_a_gap_until_the_next_whole_book(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)), at(hours(1), TWO))
    key, other = ONE.key(0), TWO.key(0)
    begun = [*books(key, hours(2)), covered(key, hours(2), hours(3))]
    lost = [*books(key, hours(2.2), 70), covered(key, hours(2.2), hours(2.3))]
    change = BookDelta(key, hours(2.5), None, 1, None, "ask", Price(550_000), levels((1, 50))[0][1])
    after = [change, *books(key, hours(3)), covered(key, hours(3), hours(4))]
    record(tmp_path, MIDNIGHT, begun, lost, after)
    record(tmp_path, MIDNIGHT, [*books(other, hours(2.1)), covered(other, hours(2), hours(4))], collector="c1")
    [path] = [each for each in data_files(Layout(tmp_path), "deltas") if "c0-000000000002" in each.name]
    path.unlink()
    run = backtest(tmp_path)
    gaps = [each for each in run.seen.events if isinstance(each, Gap)]
    assert gaps == [Gap(key, hours(2.2), "file_missing", 0)], "the other collector's instrument is not concerned"
    summary = run.session.recording
    assert summary is not None
    assert [each.lo for each in summary.missing] == [hours(2.2)]
    assert summary.notes() == ("a file is gone, whose time counts as a gap: see 'predsurv verify'",)
    assert [ts < hours(2.2) for ts, name, _, _ in run.fills() if name == "one-yes"] == [True, False]
    assert run.session.engine.cache.trusted_book(key) is not None, "the next whole book ended it"


def test_of_an_instrument_that_two_recorded_only_the_one_counts_that_observed_more(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    key = ONE.key(0)
    recorded(tmp_path, *books(key, hours(2), 60), covered(key, hours(2), hours(2.5)))
    recorded(tmp_path, *books(key, hours(2), 55), covered(key, hours(2), hours(3)), collector="c1")
    run = backtest(tmp_path)
    assert {price for _, _, price, _ in run.fills()} == {550_000}
    summary = run.session.recording
    assert summary is not None
    assert summary.repeated == 1
    [note] = summary.notes()
    assert note.startswith("1 of 1 recorded instruments were recorded by several collectors")


def test_where_the_rows_of_another_collector_begin_to_count_its_first_book_is_waited_for(tmp_path: Path) -> None:
    key = ONE.key(0)
    for day, longest in enumerate(("c0", "c1")):
        listed_on(tmp_path, day, at(hours(1, day)))
        for collector, ask in (("c0", 60), ("c1", 55)):
            until = hours(3 if collector == longest else 2.5, day)
            recorded(tmp_path, *books(key, hours(2, day), ask), covered(key, hours(2, day), until), collector=collector)
    run = backtest(tmp_path, 0, 2)
    assert [price for _, _, price, _ in run.fills()] == [600_000, 550_000]
    assert [each for each in run.seen.events if isinstance(each, Gap)] == [Gap(key, hours(0, 1), "subscribing", 0)]


def test_a_book_does_not_outlive_the_recording_of_its_instrument(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)), at(hours(1), TWO))
    recorded(tmp_path, *books(ONE.key(0), hours(2)), covered(ONE.key(0), hours(2), hours(3)))
    recorded(tmp_path, *books(TWO.key(0), hours(9)), covered(TWO.key(0), hours(9), hours(10)))
    run = backtest(tmp_path)
    assert [each for each in run.seen.events if isinstance(each, Gap)] == [Gap(ONE.key(0), hours(3), "rotated_out", 0)]
    assert run.session.engine.cache.trusted_book(ONE.key(0)) is None, "it was rotated out for good"
    assert run.session.engine.cache.trusted_book(TWO.key(0)) is not None, "it was recorded to the end"


def test_where_the_collector_that_counts_ends_first_the_book_is_not_known_any_more(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    key = ONE.key(0)
    recorded(tmp_path, *books(key, hours(2)), covered(key, hours(2), hours(10)))
    recorded(tmp_path, *books(key, hours(11), 50), covered(key, hours(11), hours(17)), collector="c1")
    run = backtest(tmp_path)
    assert [each for each in run.seen.events if isinstance(each, Gap)] == [Gap(key, hours(10), "rotated_out", 0)]
    assert run.session.engine.cache.trusted_book(key) is None


def test_without_its_coverage_file_all_that_a_collector_recorded_then_is_a_gap(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)), at(hours(1), TWO))
    record(tmp_path, MIDNIGHT, session(ONE.key(0), 0), session(TWO.key(0), 0), session(ONE.key(0), 0, 5))
    data_files(Layout(tmp_path), "coverage")[1].unlink()
    run = backtest(tmp_path)
    assert [each.key for each in run.seen.events if isinstance(each, Gap)] == [ONE.key(0)]
    assert {name for _, name, _, _ in run.fills()} == {"one-yes"}


def test_without_coverage_a_backtest_refuses(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    recorded(tmp_path, *books(ONE.key(0), hours(2)))
    with pytest.raises(IntegrityError, match=r"mock: no coverage of 2027-01-15 to 2027-01-15 in .*verify") as caught:
        backtest(tmp_path)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


def test_a_day_without_coverage_is_left_out_and_the_books_of_the_day_before_do_not_outlive_it(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    for day in range(3):
        recorded(tmp_path, *session(ONE.key(0), day))
    shutil.rmtree(tmp_path / "state" / "manifest")
    shutil.rmtree(Layout(tmp_path).data_dir / "coverage" / "venue=mock" / f"date={date_of(MIDNIGHT + NS_DAY)}")
    run = backtest(tmp_path, 0, 3)
    assert run.fills() == backtest(tmp_path, 0).fills() + backtest(tmp_path, 2).fills()
    assert Gap(ONE.key(0), MIDNIGHT + NS_DAY, "file_missing", 0) in run.seen.events
    assert run.session.recording is not None
    assert run.session.recording.not_recorded == (date_of(MIDNIGHT + NS_DAY),)


def test_a_pause_of_the_venue_that_began_before_the_recording_is_known(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    recorded(tmp_path, VenuePhase(V, hours(1.5), None, "closed", "{}"), *session(ONE.key(0), 0))
    assert backtest(tmp_path).session.engine.cache.phase(V) == "closed"


def test_outcomes_with_books_of_their_own_are_read_as_far_as_the_venue_has_them(tmp_path: Path) -> None:
    listed_on(tmp_path, 0, at(hours(1)))
    recorded(tmp_path, *session(ONE.key(0), 0), *session(ONE.key(1), 0, 3))
    names: Mapping[bool, set[str]] = {
        mirrored: {name for _, name, _, _ in backtest(tmp_path, venue=RecordedVenue(mirrored=mirrored)).fills()}
        for mirrored in (True, False)
    }
    assert names == {True: {"one-yes"}, False: {"one-yes", "one-no"}}
