"""No key, secret or passphrase of live trading leaves the process: not in output, logs, files, metrics or tracebacks.

The keys of the simulated venues are the canaries. Every command that has them runs with ``--debug`` while each step in
turn fails, and while the venue answers with everything it should not.
"""

import io
import signal
import subprocess
import sys
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from predsurv.cli.app import main
from predsurv.simulate.polymarket.trading.credentials import ApiKeyRegistry, IssuedKey
from predsurv.simulate.server import ServerResponse
from tests.kit.live_trader import live_config, scan
from tests.kit.patience import PATIENCE_S
from tests.kit.patient_clocks import tolerate_wrong_clocks
from tests.kit.served_fakes import BackgroundLoop, background_loop
from tests.kit.watched_venues import WatchedVenue, watched

VENUES: Final = ("polymarket", "kalshi")
PREFIX: Final = 10
"""So many characters of a secret are too many."""
COMMANDS: Final = (
    ("keys", "check"),
    ("orders",),
    ("orders", "cancel", "--all"),
    ("trade", "--live", "--strategy", "simple", "--duration", "500ms", "--log-file", "run.log"),
    ("trade", "--live", "--shadow", "--strategy", "simple", "--duration", "500ms"),
)
QUIET: Final = (
    ("doctor",),
    ("config", "show"),
    ("portfolio", "--format", "json"),
    ("runs", "list"),
    ("status",),
    ("halt",),
    ("resume",),
)
FAILING: Final = (
    "predsurv.net.http.Http.ask",
    "predsurv.net.http.Http.get",
    "predsurv.net.http.Http.exchange",
    "predsurv.net.ws.connect",
    "predsurv.trade.journal.OrderJournal.flush",
    "predsurv.trade.live.reconciler.Reconciler.compare",
    "predsurv.trade.runs.keeper.RunKeeper.finish",
    "predsurv.venues.execution.holds.LifeSign.beat",
)
FAILING_AT: Final = {
    "polymarket": (
        "predsurv.venues.polymarket.orders.api_keys.ApiKey.headers",
        "predsurv.venues.polymarket.orders.api_keys.ApiKey.subscription",
        "predsurv.venues.polymarket.orders.ethereum_key.EthereumKey.__init__",
        "predsurv.venues.polymarket.orders.ethereum_key.EthereumKey.sign",
        "predsurv.venues.polymarket.execution.login.read_api_key",
        "predsurv.venues.polymarket.execution.login.login_headers",
    ),
    "kalshi": (
        "predsurv.venues.kalshi.auth.RequestSigner.__init__",
        "predsurv.venues.kalshi.auth.RequestSigner.headers",
        "predsurv.venues.kalshi.execution.session.read_limits",
    ),
}
BODIES: Final = (
    (401, b'{"error":"Unauthorized"}'),
    (403, b"<html>blocked</html>"),
    (500, b"\xff\xfe"),
    (200, b'{"balance": [1, {"secret": '),
)


@pytest.fixture(scope="module")
def loop() -> Iterator[BackgroundLoop]:
    with background_loop() as made:
        yield made


@pytest.fixture(scope="module", params=VENUES)
def venue(
    request: pytest.FixtureRequest, loop: BackgroundLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WatchedVenue]:
    """A venue, served."""

    async def start() -> WatchedVenue:
        made = watched(request.param, tmp_path_factory.mktemp(request.param), markets=40, rate=20)
        await made.start()
        return made

    made = loop.call(start())
    yield made
    loop.call(made.aclose())


class Canaries:
    """The secrets of a venue in every form in which they could be told, and what was told."""

    def __init__(self, venue: WatchedVenue, folder: Path) -> None:
        self._folder = folder
        self._forms: dict[str, set[bytes]] = {}
        environ = venue.environ
        if venue.name == "polymarket":
            text = environ["PREDSURV_POLYMARKET_PRIVATE_KEY"].removeprefix("0x")
            self.add("private key", text, bytes.fromhex(text))
            self._forms["private key"].add(str(int(text, 16)).encode())
        else:
            lines = Path(environ["PREDSURV_KALSHI_PRIVATE_KEY_FILE"]).read_text().split("-----")[2].split()
            for line in lines:
                self.add("private key", line, b"")
            self.add("key id", environ["PREDSURV_KALSHI_KEY_ID"], b"")

    def add(self, name: str, text: str, raw: bytes) -> None:
        """Look out for a secret: as it is, in hexadecimal, in base64, and by its beginning."""
        forms = {text, text.lower(), text.upper(), text[:PREFIX], text[-PREFIX:], b64encode(text.encode()).decode()}
        if raw:
            forms |= {raw.hex(), b64encode(raw).decode()[:-2], raw.hex()[:PREFIX]}
        self._forms.setdefault(name, set()).update(each.encode() for each in forms if len(each) >= PREFIX)

    def issued(self, key: IssuedKey) -> None:
        """Look out for an API key of Polymarket."""
        self.add("api key", key.key, b"")
        self.add("secret", key.secret, urlsafe_b64decode(key.secret))
        self.add("passphrase", key.passphrase, b"")

    def names(self) -> set[str]:
        """Return what is looked out for; raises AssertionError where it would not be found."""
        for name, forms in self._forms.items():
            assert all(f"{name} in the output" in self.hits(b"x" + form + b"x") for form in forms)
        return {*self._forms}

    def hits(self, *told: str | bytes) -> list[str]:
        """Return which secrets are in what was told, or in any file."""
        texts = [each.encode(errors="surrogateescape") if isinstance(each, str) else each for each in told]
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        found = []
        for name, forms in self._forms.items():
            found += [f"{name} in the output" for text in texts if any(form in text for form in forms)]
            found += [f"{name} in {path.name}" for path in files if any(form in path.read_bytes() for form in forms)]
        return found


def watching(
    issue: Callable[[ApiKeyRegistry, Any], IssuedKey | None], canaries: Canaries
) -> Callable[[ApiKeyRegistry, Any], IssuedKey | None]:
    """Return what issues API keys and has them looked out for."""

    def issued(self: ApiKeyRegistry, login: Any) -> IssuedKey | None:
        key = issue(self, login)
        if key is not None:
            canaries.issued(key)
        return key

    return issued


@pytest.fixture
def canaries(
    venue: WatchedVenue, loop: BackgroundLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Canaries]:
    """Everything set up for commands in ``tmp_path``, the list of markets included."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    made = Canaries(venue, tmp_path)
    for how in ("create", "derive"):
        monkeypatch.setattr(ApiKeyRegistry, how, watching(getattr(ApiKeyRegistry, how), made))
    for name, value in venue.environ.items():
        monkeypatch.setenv(name, value)
    for name, value in (("TRADING__MODE", "live"), ("LIVE_CONFIRM", venue.name), ("METRICS__PORT", "0")):
        monkeypatch.setenv(f"PREDSURV_{name}", value)
    (other,) = {*VENUES} - {venue.name}
    monkeypatch.setenv(f"PREDSURV_VENUES__{other.upper()}__ENABLED", "false")
    loop.call(scan(live_config(tmp_path / "data", venue.environ), venue.name))
    tolerate_wrong_clocks(monkeypatch)
    yield made
    venue.witness.on_answer = lambda _, answer: answer


def run(words: tuple[str, ...], venue: WatchedVenue) -> int:
    named = ("--venue", venue.name) if words[0] in ("keys", "orders", "trade") else ()
    return main(["--debug", *words, *named])


def forced(*_: object, **__: object) -> None:
    raise RuntimeError("forced")


def test_commands_that_have_keys_tell_nothing_of_them(
    canaries: Canaries, venue: WatchedVenue, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registries: list[CollectorRegistry] = []

    class Kept(CollectorRegistry):
        def __init__(self) -> None:
            super().__init__()
            registries.append(self)

    monkeypatch.setattr("predsurv.cli.commands.live.CollectorRegistry", Kept)
    codes = {words: run(words, venue) for words in (*COMMANDS, *QUIET)}
    assert [codes[words] for words in COMMANDS] == [0] * len(COMMANDS), "they did what they are for"
    assert registries
    known = {"polymarket": {"private key", "api key", "secret", "passphrase"}, "kalshi": {"private key", "key id"}}
    assert canaries.names() == known[venue.name]
    metrics = b"".join(generate_latest(each) for each in registries)
    assert canaries.hits(*capfd.readouterr(), metrics) == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_traceback_of_any_step_tells_nothing_of_them(
    words: tuple[str, ...],
    canaries: Canaries,
    venue: WatchedVenue,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = ""
    for place in (*FAILING, *FAILING_AT[venue.name]):
        with monkeypatch.context() as patch:
            patch.setattr(place, forced)
            run(words, venue)
        told += "".join(capfd.readouterr())
    assert "RuntimeError: forced" in told
    assert canaries.hits(told) == []


@pytest.mark.parametrize(("status", "body"), BODIES)
def test_an_answer_that_nobody_expects_tells_nothing_of_them(
    status: int, body: bytes, canaries: Canaries, venue: WatchedVenue, capfd: pytest.CaptureFixture[str]
) -> None:
    venue.witness.on_answer = lambda _, answer: ServerResponse(status, body)
    for words in (*COMMANDS[:-1], ("doctor",)):
        run(words, venue)
    told = capfd.readouterr()
    assert "error" in told.err
    assert canaries.hits(*told) == []


def test_a_process_with_keys_leaves_no_core_dump(canaries: Canaries, venue: WatchedVenue, tmp_path: Path) -> None:
    words = ("trade", "--live", "--strategy", "simple")
    command = [sys.executable, "-m", "predsurv", *words, "--venue", venue.name]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as trader:
        assert trader.stderr is not None
        said = ""
        for line in trader.stderr:
            said += line
            if "trading simple on" in line:
                break
        limits = Path(f"/proc/{trader.pid}/limits").read_text()
        trader.send_signal(signal.SIGINT)
        out, err = trader.communicate(timeout=PATIENCE_S)
    (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]
    assert canaries.hits(said, out, err) == []
