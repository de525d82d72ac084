"""All for which live trading refuses to begin: exit 2 or 5, one line that names the cause, and nothing is sent."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from predsurv.cli.app import main
from predsurv.config import load
from predsurv.core.ids import VenueName
from predsurv.core.num import Money, Size
from predsurv.core.reconciliation import PositionCorrected
from predsurv.net.clock import SystemClock
from predsurv.store.files import PRIVATE_DIR, make_dirs
from predsurv.store.universe_writer import UniverseWriter
from predsurv.trade.halt_flag import halt_flag
from predsurv.trade.journal import AccountCorrected, OrderJournal, RunStarted
from predsurv.trade.journal_path import journal_path
from predsurv.trade.live.account_names import live_mode
from predsurv.venues.account_reports import NOBODY
from tests.kit.served_fakes import BackgroundLoop, background_loop
from tests.kit.trading_samples import market
from tests.kit.watched_venues import WatchedVenue, watched

CONFIGURATION, SAFETY = 2, 5
VENUES: Final = ("polymarket", "kalshi")
KEYS: Final = {
    "polymarket": "PREDSURV_POLYMARKET_PRIVATE_KEY",
    "kalshi": "PREDSURV_KALSHI_PRIVATE_KEY",
}


@pytest.fixture(scope="module")
def loop() -> Iterator[BackgroundLoop]:
    with background_loop() as made:
        yield made


@pytest.fixture(scope="module")
def venues(loop: BackgroundLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, WatchedVenue]]:
    """Both venues, served."""

    async def start(name: str, folder: Path) -> WatchedVenue:
        made = watched(name, folder, markets=5, rate=5)
        await made.start()
        return made

    made = {name: loop.call(start(name, tmp_path_factory.mktemp(name))) for name in VENUES}
    yield made
    for each in made.values():
        loop.call(each.aclose())


class Scene:
    """What a refusal is set up with: the environment, the data folder, and the venue."""

    def __init__(self, venue: WatchedVenue, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.venue, self.folder, self.patch = venue, folder, patch
        for name, value in venue.environ.items():
            patch.setenv(name, value)
        patch.setenv("PREDSURV_TRADING__MODE", "live")
        patch.setenv("PREDSURV_LIVE_CONFIRM", venue.name)
        patch.setenv("PREDSURV_METRICS__PORT", "0")

    @property
    def key(self) -> str:
        """The variable of the key."""
        return KEYS[self.venue.name]

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def key_file(self, text: str, mode: int = 0o600) -> None:
        """Have the key in a file with this text."""
        path = self.folder / "key"
        path.write_text(text)
        path.chmod(mode)
        self.patch.delenv(self.key, raising=False)
        self.patch.setenv(f"{self.key}_FILE", str(path))

    def no_key(self) -> None:
        """Have no key at all."""
        for name in (self.key, f"{self.key}_FILE", "PREDSURV_KALSHI_KEY_ID"):
            self.patch.delenv(name, raising=False)


class Refusal(NamedTuple):
    """A way to have live trading refused: what makes it, what is said, and with which exit code."""

    name: str
    arrange: Callable[[Scene], object]
    said: str
    code: int
    words: tuple[str, ...] = ()
    only: str = ""


def wrong_clock(scene: Scene) -> None:
    """Let this machine's clock be ten seconds ahead."""

    class Ahead(SystemClock):
        def now(self) -> int:
            return super().now() + 10_000_000_000

    scene.patch.setattr("predsurv.cli.commands.live.SystemClock", Ahead)


def other_key(scene: Scene) -> None:
    """Have a key that is well formed, and not the account's."""
    from predsurv.simulate.kalshi.throwaway_key import ThrowawayKey

    path = scene.folder / "other.pem"
    ThrowawayKey("ed25519").write(path)
    scene.patch.setenv(f"{scene.key}_FILE", str(path))


def in_use(scene: Scene) -> None:
    """Let another trader have the account's journal open."""
    config = load(None, flags={"data_dir": str(scene.data)}, environ=os.environ, root=scene.folder).config
    with UniverseWriter(scene.data, scene.venue.name, SystemClock().now()) as writer:
        writer.write(market("m", venue=scene.venue.name))
        writer.commit()
    path = journal_path(scene.data, live_mode(config, VenueName(scene.venue.name)))
    make_dirs(path.parent, PRIVATE_DIR)
    scene.patch.setattr("tests.integration.test_live_refusals._OPEN", OrderJournal(path))


def shares_elsewhere(scene: Scene) -> None:
    """Have a share at the venue, bought by a run that traded on the other one, too."""
    config = load(None, flags={"data_dir": str(scene.data)}, environ=os.environ, root=scene.folder).config
    venue = VenueName(scene.venue.name)
    with UniverseWriter(scene.data, venue, SystemClock().now()) as writer:
        writer.write(market("m", venue=venue))
        writer.commit()
    path = journal_path(scene.data, live_mode(config, VenueName("kalshi"), VenueName("polymarket")))
    make_dirs(path.parent, PRIVATE_DIR)
    journal, key = OrderJournal(path), market("m", venue=venue).key(0)
    journal.append(RunStarted(1, path.stem, "r", (), ((venue, Money(1)),)))
    journal.append(AccountCorrected(PositionCorrected(key, 2, NOBODY, Size(1), Money(1), "the venue says so")))
    journal.close()


_OPEN: OrderJournal | None = None

REFUSALS: Final = (
    Refusal("no --live", lambda _: None, "--live is missing", SAFETY, ("trade",)),
    Refusal(
        "paper mode", lambda s: s.patch.setenv("PREDSURV_TRADING__MODE", "paper"), 'trading.mode is "paper"', SAFETY
    ),
    Refusal(
        "nobody to ask",
        lambda s: s.patch.delenv("PREDSURV_LIVE_CONFIRM"),
        "set PREDSURV_LIVE_CONFIRM=",
        SAFETY,
    ),
    Refusal(
        "confirmed for another venue",
        lambda s: s.patch.setenv("PREDSURV_LIVE_CONFIRM", "elsewhere"),
        "PREDSURV_LIVE_CONFIRM is 'elsewhere'",
        SAFETY,
    ),
    Refusal("halted", lambda s: halt_flag(s.data).set(1, "too wild"), "halted: too wild; 'predsurv resume'", SAFETY),
    Refusal("no key", Scene.no_key, "no key to sign orders with", CONFIGURATION),
    Refusal("key others can read", lambda s: s.key_file("x" * 64, 0o644), "chmod 600", CONFIGURATION),
    Refusal("key that is none", lambda s: s.key_file("not a key\n"), "", CONFIGURATION),
    Refusal("another account's key", other_key, "refuses the key", CONFIGURATION, only="kalshi"),
    Refusal(
        "wallet without funder",
        lambda s: s.patch.setenv("PREDSURV_VENUES__POLYMARKET__SIGNATURE_TYPE", "2"),
        "funder",
        CONFIGURATION,
        only="polymarket",
    ),
    Refusal("clock", wrong_clock, "clock is", SAFETY),
    Refusal("account in use", in_use, "another trader is using", SAFETY),
    Refusal(
        "with --paper",
        lambda _: None,
        "--paper and --live exclude each other",
        CONFIGURATION,
        ("trade", "--live", "--paper"),
    ),
    Refusal("with --mock", lambda _: None, "mock", CONFIGURATION, ("trade", "--live", "--mock")),
    Refusal("no execution", lambda _: None, "mock", CONFIGURATION, ("trade", "--live", "--venue", "mock")),
    Refusal("no venue", lambda _: None, "which venue?", CONFIGURATION, ("trade", "--live")),
    Refusal(
        "two venues and one confirmed",
        lambda _: None,
        "and not 'polymarket,kalshi'",
        SAFETY,
        ("trade", "--live", "--venue", "polymarket", "--venue", "kalshi"),
    ),
    Refusal("shares in another journal", shares_elsewhere, "0 open orders and 1 positions there", SAFETY),
    Refusal(
        "replay",
        lambda _: None,
        "it goes with --paper",
        CONFIGURATION,
        ("trade", "--live", "--replay", "mock:2026-01-31"),
    ),
)


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.name)
def test_a_refusal_is_one_line_and_sends_nothing(
    refusal: Refusal,
    name: str,
    venues: Mapping[str, WatchedVenue],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if refusal.only not in ("", name):
        pytest.skip("of the other venue")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    scene = Scene(venues[name], tmp_path, monkeypatch)
    refusal.arrange(scene)
    words = refusal.words or ("trade", "--live", "--venue", name)
    assert main([*words, "--strategy", "simple", "--duration", "1s"]) == refusal.code
    out, err = capsys.readouterr()
    assert refusal.said in err
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert not venues[name].witness.sent("place")
    if _OPEN is not None:
        _OPEN.close()
