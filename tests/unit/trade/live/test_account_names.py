"""Names of accounts: one for each set of venues, whatever their order."""

from pathlib import Path

from predsurv.config import Config, load
from predsurv.core.ids import VenueName
from predsurv.trade.live.account_names import is_live, is_shadow, live_journals, live_mode, shadow_mode

KALSHI, POLYMARKET = VenueName("kalshi"), VenueName("polymarket")
HERE = {"venues.kalshi.rest_url": "http://127.0.0.1:1/trade-api/v2"}


def configured(folder: Path, **flags: object) -> Config:
    return load(None, flags={"data_dir": str(folder), **flags}, environ={}, root=folder).config


def test_a_name_says_with_which_accounts(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert live_mode(config, KALSHI) == "live-kalshi"
    assert (
        live_mode(config, POLYMARKET, KALSHI) == live_mode(config, KALSHI, POLYMARKET) == "live-kalshi-and-polymarket"
    )
    simulated = configured(tmp_path, **HERE)
    assert live_mode(simulated, KALSHI, POLYMARKET) == "live-kalshi-local-and-polymarket"
    assert shadow_mode(simulated, KALSHI) == "shadow-kalshi-local"
    assert is_live("live-kalshi")
    assert not is_live("shadow-kalshi")
    assert is_shadow("shadow-kalshi")


def test_journals_of_an_account_are_its_own_and_those_with_others(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert list(live_journals(config, KALSHI)) == []
    folder = config.data_dir / "state" / "trading"
    folder.mkdir(parents=True)
    for name in ("live-kalshi-and-polymarket", "live-kalshi", "live-kalshi-local", "live-polymarket", "paper"):
        (folder / f"{name}.db").touch()
    assert [path.stem for path in live_journals(config, KALSHI)] == ["live-kalshi", "live-kalshi-and-polymarket"]
    simulated = configured(tmp_path, **HERE)
    assert [path.stem for path in live_journals(simulated, KALSHI)] == ["live-kalshi-local"]
