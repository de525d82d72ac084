"""One journal at a time for an account at a venue: what another one holds there, this one would not know of."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from predsurv.config import Config
from predsurv.core.errors import SafetyError
from predsurv.core.ids import VenueName
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.trade.journal import OrderJournal, restore
from predsurv.trade.journal_lock import locked
from predsurv.trade.journal_path import journal_path
from predsurv.trade.live.account_names import live_journals, live_mode


@contextmanager
def sole_journal(config: Config, venues: Sequence[VenueName]) -> Iterator[None]:
    """Let no other journal trade with the accounts at ``venues`` meanwhile.

    Raises SafetyError where another one is in use, or still has open orders or shares at one of them.
    """
    own = journal_path(config.data_dir, live_mode(config, *venues))
    make_dirs(own.parent, PRIVATE_DIR)
    with ExitStack() as stack:
        for venue in venues:
            alone = journal_path(config.data_dir, live_mode(config, venue))
            if alone != own:  # that one is locked where it is opened
                stack.enter_context(locked(alone))
        for venue in venues:
            for path in live_journals(config, venue):
                if path != own:
                    _check_empty(path, venue)
        yield


def _check_empty(path: Path, venue: VenueName) -> None:
    journal = OrderJournal(path, readonly=True)
    try:
        account = restore(journal.entries()).account
    finally:
        journal.close()
    orders = sum(each.key.venue == venue for each in account.orders.live())
    held = sum(each.key.venue == venue and each.size > 0 for each in account.portfolio.positions.totals())
    if orders or held:
        raise SafetyError(
            f"the account at {venue} is traded by {path.stem}, which has {orders} open orders and {held} positions "
            "there that this run would not know of: trade with the same venues as then until it has none"
        )
