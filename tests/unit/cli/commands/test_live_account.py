"""Which venue's live account is meant: the one that is named, or the only one that was traded with."""

from pathlib import Path

import pytest

from predsurv.cli.commands.live_account import venue_of_account
from predsurv.config import load
from predsurv.core.errors import ConfigError
from predsurv.trade.journal_path import journal_path
from tests.kit.live_orders import configured


def traded(folder: Path, *modes: str) -> None:
    for mode in modes:
        path = journal_path(folder, mode)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_venue_is_named_and_takes_real_orders(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert venue_of_account(config, "kalshi") == "kalshi"
    with pytest.raises(ConfigError, match=r"^mock takes no real orders; polymarket and kalshi do$"):
        venue_of_account(config, "mock")
    with pytest.raises(ConfigError, match="did you mean kalshi"):
        venue_of_account(config, "kalsi")


def test_unnamed_it_is_the_only_one_with_a_journal(tmp_path: Path) -> None:
    config = configured(tmp_path)
    with pytest.raises(ConfigError, match=r"^which venue\? name it with --venue: polymarket, kalshi$"):
        venue_of_account(config, None)
    traded(tmp_path, "live-kalshi", "paper", "live-polymarket-local")  # the last one: not where this one leads
    assert venue_of_account(config, None) == "kalshi"
    traded(tmp_path, "live-polymarket")
    with pytest.raises(ConfigError, match="which venue"):
        venue_of_account(config, None)


def test_where_one_venue_executes_it_is_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predsurv.cli.commands.live_account.EXECUTING", ("polymarket",))
    assert venue_of_account(load(None, flags={"data_dir": str(tmp_path)}, environ={}).config, None) == "polymarket"
