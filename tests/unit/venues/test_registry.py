"""Which venues open, and under which names."""

import pytest

from predsurv.config import Config, KalshiConfig, MockConfig, PolymarketConfig, VenuesConfig
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.net.clock import ManualClock
from predsurv.venues.registry import VENUES, enabled_venues, open_venue


def config(*, mock: bool = False, polymarket: bool = True, kalshi: bool = False) -> Config:
    venues = VenuesConfig(polymarket=PolymarketConfig(enabled=polymarket), kalshi=KalshiConfig(enabled=kalshi))
    return Config(mock=MockConfig(enabled=mock), venues=venues)


def test_polymarket_opens_without_a_broker() -> None:
    venue = open_venue("polymarket", config(), ManualClock())
    assert venue.name == "polymarket"
    assert venue.traits.complementary_outcomes
    assert not venue.traits.trading
    with pytest.raises(SafetyError, match="--paper"):
        venue.broker()


@pytest.mark.parametrize("name", VENUES)
def test_mock_replaces_every_real_venue(name: str) -> None:
    assert open_venue(name, config(mock=True), ManualClock()).name == "mock"
    assert enabled_venues(config(mock=True)) == ("mock",)


def test_unknown_name_is_refused_safely() -> None:
    with pytest.raises(ConfigError, match="polymarket") as refused:
        open_venue("\x1b[31mx", config(), ManualClock())
    assert "\x1b" not in str(refused.value)


def test_kalshi_is_polled_without_a_key() -> None:
    venue = open_venue("kalshi", config(), ManualClock())
    assert venue.traits.polled
    assert not venue.traits.sequenced
    with pytest.raises(SafetyError, match="--paper"):
        venue.broker()


def test_kalshi_refuses_a_key_id_without_a_key_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREDSURV_KALSHI_KEY_ID", "a952bcbe-ec3b-4b5b-b8f9-11dae589608c")
    with pytest.raises(ConfigError, match="PREDSURV_KALSHI_PRIVATE_KEY_FILE is not"):
        open_venue("kalshi", config(), ManualClock())


def test_enabled_venues_are_those_of_the_configuration() -> None:
    assert enabled_venues(config(kalshi=True)) == ("polymarket", "kalshi")
    assert enabled_venues(config(polymarket=False)) == ()
