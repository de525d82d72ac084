"""What has to be switched on before anything real is sent; each refusal says which switch is missing, in one line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from predsurv.config import Config
from predsurv.core.errors import ConfigError, SafetyError
from predsurv.core.text import sanitise
from predsurv.trade.halt_flag import HaltRecord
from predsurv.venues.registry import EXECUTING

CONFIRM: Final = "PREDSURV_LIVE_CONFIRM"

Ask = Callable[[str], str | None]
"""Asks a person and returns the answer, None where there is nobody to ask."""


def check_mode(config: Config, *, live: bool, paper: bool) -> None:
    """Raise SafetyError where the configuration and the flags do not say the same about real orders."""
    if config.trading.mode == "live" and not live and not paper:
        raise SafetyError(
            'trading.mode is "live" and --live is missing: give --live to trade with real money, or --paper not to'
        )
    if live and config.trading.mode != "live":
        raise SafetyError(
            'trading.mode is "paper": real orders need trading.mode = "live" in the configuration; nothing was sent'
        )


def live_venues(config: Config, names: Sequence[str], *, named: bool) -> Sequence[str]:
    """Return the venues to trade on; raises ConfigError unless each takes real orders.

    ``named``: somebody named them. Several are traded on only then, and not because they are there.
    """
    if config.mock.enabled:
        raise ConfigError("--live: the mock venue takes no real orders; leave --mock out, or use --paper")
    chosen = list(dict.fromkeys(names))
    if not chosen or (len(chosen) > 1 and not named):
        raise ConfigError(f"--live: which venue? Name it, or each of several, with --venue: {', '.join(EXECUTING)}")
    for name in chosen:
        if name not in EXECUTING:
            raise ConfigError(f"--live: no real orders on {sanitise(name, 40)!r}; {' and '.join(EXECUTING)} take them")
    return chosen


def check_halt(halt: HaltRecord | None) -> None:
    """Raise SafetyError while trading is halted: a run would begin, and do nothing."""
    if halt is not None and halt.trading == "halted":
        raise SafetyError(f"trading is halted: {halt.reason}; 'predsurv resume' allows it again")


def confirm(venues: Sequence[str], environ: Mapping[str, str], ask: Ask) -> None:
    """Raise SafetyError unless the name of each venue is typed, or all stand in PREDSURV_LIVE_CONFIRM."""
    given, wanted = environ.get(CONFIRM, ""), ",".join(venues)
    if given:
        if sorted(each.strip() for each in given.split(",")) != sorted(venues):
            raise SafetyError(f"{CONFIRM} is {sanitise(given, 40)!r} and not {wanted!r}; nothing was sent")
        return
    for venue in venues:
        _confirm_typed(venue, wanted, ask)


def _confirm_typed(venue: str, wanted: str, ask: Ask) -> None:
    typed = ask(f"Orders with real money will be sent to {venue}. Type its name to go on: ")
    if typed is None:
        raise SafetyError(
            f"nobody is there to confirm: set {CONFIRM}={wanted} to trade with real money; nothing was sent"
        )
    if typed.strip() != venue:
        raise SafetyError(f"not confirmed: {venue!r} was not typed; nothing was sent")
