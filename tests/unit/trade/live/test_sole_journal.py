"""An account is in one journal at a time: nothing begins while another has it, or holds anything with it."""

from pathlib import Path

import pytest

from predsurv.config import Config, load
from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.core.num import MICROS, Money, Size
from predsurv.core.orders import Approved
from predsurv.core.reconciliation import PositionCorrected
from predsurv.engine.risk.gate import GateDecision
from predsurv.trade.journal import AccountCorrected, CommandSent, Entry, OrderJournal, RunStarted
from predsurv.trade.journal_lock import locked
from predsurv.trade.journal_path import journal_path
from predsurv.trade.live.account_names import live_mode
from predsurv.trade.live.sole_journal import sole_journal
from predsurv.venues.account_reports import NOBODY
from tests.kit.polymarket_orders import command

KALSHI, POLYMARKET = VenueName("kalshi"), VenueName("polymarket")
BOTH = (POLYMARKET, KALSHI)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(None, flags={"data_dir": str(tmp_path)}, environ={}, root=tmp_path).config


def path_of(config: Config, *venues: VenueName) -> Path:
    path = journal_path(config.data_dir, live_mode(config, *venues))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def written(config: Config, venues: tuple[VenueName, ...], *entries: Entry) -> None:
    journal = OrderJournal(path_of(config, *venues))
    cash = tuple((venue, Money(MICROS)) for venue in venues)
    for each in (RunStarted(1, "live", "r", (), cash), *entries):
        journal.append(each)
    journal.close()


def test_two_venues_hold_the_accounts_of_each(config: Config) -> None:
    with sole_journal(config, BOTH):
        for venue in BOTH:
            with pytest.raises(SafetyError, match="another trader"):
                OrderJournal(path_of(config, venue))
        with locked(path_of(config, *BOTH)):
            pass  # that is for who opens it
    OrderJournal(path_of(config, KALSHI)).close()


def test_one_of_two_venues_that_is_in_use_is_a_refusal_and_nothing_stays_locked(config: Config) -> None:
    with (
        locked(path_of(config, KALSHI)),
        pytest.raises(SafetyError, match="another trader"),
        sole_journal(config, BOTH),
    ):
        raise AssertionError("unreachable")
    with locked(path_of(config, POLYMARKET)):
        pass


def test_shares_in_another_journal_are_a_refusal_at_their_venue_alone(config: Config) -> None:
    key = command().key
    shares = AccountCorrected(PositionCorrected(key, 1, NOBODY, Size(MICROS), Money(1), "the venue says so"))
    written(config, BOTH, shares)
    with (
        pytest.raises(SafetyError, match="live-kalshi-and-polymarket, which has 0 open orders and 1 positions"),
        sole_journal(config, [POLYMARKET]),
    ):
        raise AssertionError("unreachable")
    with sole_journal(config, [KALSHI]):
        pass
    with sole_journal(config, BOTH):
        pass
    gone = AccountCorrected(PositionCorrected(key, 2, NOBODY, Size(0), Money(0), "the venue says so"))
    journal = OrderJournal(path_of(config, *BOTH))
    journal.append(gone)
    journal.close()
    with sole_journal(config, [POLYMARKET]):
        pass


def test_an_open_order_in_another_journal_is_a_refusal(config: Config) -> None:
    order = command(size=Size(MICROS))
    written(config, (POLYMARKET,), CommandSent(GateDecision(Approved(1, order), None)))
    with (
        pytest.raises(SafetyError, match="live-polymarket, which has 1 open orders and 0 positions"),
        sole_journal(config, BOTH),
    ):
        raise AssertionError("unreachable")
