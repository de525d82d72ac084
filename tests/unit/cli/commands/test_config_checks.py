"""Doctor checks every name in the configuration as the commands do, and whether a venue as a whole trades."""

import json
from pathlib import Path

import pytest

from predsurv.cli.app import main
from predsurv.cli.commands import config_checks
from predsurv.cli.commands.config_checks import name_checks, phase_checks
from predsurv.config import Config, load
from predsurv.core.errors import TransientError
from predsurv.core.events import VenuePhase
from predsurv.core.ids import VenueName
from predsurv.ports import PlannedPause
from predsurv.store.universe_writer import UniverseWriter
from tests.kit.candidate_samples import VENUE, market
from tests.kit.recorder_samples import START, S

WRONG: dict[str, tuple[object, str, str]] = {
    "trading.strategies": (["arbitrag"], "trading.strategies", "did you mean arbitrage?"),
    "trading.venues": (["kalsi"], "trading.venues", "did you mean kalshi?"),
    "miner.weights": ({"tigthness": "0.5"}, "miner.weights", "did you mean tightness?"),
    "mock.faults": (["dorp@5s"], "mock.faults", "is not a fault"),
    "collector.shard": ("2/4", "collector.shard", "collector.id"),
    "collector.pinned": (["kalsi:X"], "collector.pinned", "did you mean kalshi?"),
}


def configured(data_dir: Path, **values: object) -> Config:
    return load(flags={"data_dir": str(data_dir), "mock.enabled": True, **values}, environ={}).config


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_name_fails_one_check_with_the_nearest_name(tmp_path: Path, key: str) -> None:
    value, check, hint = WRONG[key]
    found = {each.name: each for each in name_checks(configured(tmp_path, **{key: value}))}
    assert found[check].state == "fail"
    assert hint in found[check].found
    assert check in found[check].step or "scan" in found[check].step
    assert [each.name for each in found.values() if each.state == "fail"] == [check]


def test_a_mapping_that_nobody_approved_fails_its_check(tmp_path: Path) -> None:
    path = tmp_path / "mappings.toml"
    side = 'venue = "{}", market = "m", outcomes = ["y", "n"]'
    path.write_text(f"[[pairs]]\nfirst = {{{side.format('a')}}}\nsecond = {{{side.format('b')}}}\n")
    found = {each.name: each for each in name_checks(configured(tmp_path, **{"trading.mappings": str(path)}))}
    assert found["trading.mappings"].state == "fail"
    assert "nobody approved it" in found["trading.mappings"].found


def test_the_defaults_are_right(tmp_path: Path) -> None:
    assert {each.state for each in name_checks(configured(tmp_path))} == {"ok"}


def pin_state(data_dir: Path, *names: str) -> tuple[str, str]:
    found = {each.name: each for each in name_checks(configured(data_dir, **{"collector.pinned": list(names)}))}
    return found["collector.pinned"].state, found["collector.pinned"].found


def test_pinned_names_are_sought_in_the_universe(tmp_path: Path) -> None:
    assert pin_state(tmp_path, "mock:a")[0] == "warn"
    with UniverseWriter(tmp_path, VENUE, START) as writer:
        for name in ("KX-ONE", "KX-TWO"):
            writer.write(market(name))
        writer.commit()
    assert pin_state(tmp_path, "mock:KX-ONE", "mock:KX-TWO-1", "mock:later?")[0] == "ok"
    state, found = pin_state(tmp_path, "mock:KX-ONEE")
    assert state == "fail"
    assert "did you mean mock:KX-ONE?" in found
    assert '"mock:KX-ONEE?"' in found, "how to pin what is listed later"
    assert pin_state(tmp_path, "mock")[0] == "fail"
    assert "did you mean mock:KX-TWO?" in pin_state(tmp_path, "mock:kx-two")[1]


def test_collect_refuses_a_pin_that_names_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with UniverseWriter(tmp_path, VENUE, START) as writer:
        writer.write(market("KX-ONE"))
        writer.commit()
    path = tmp_path / "s.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n[collector]\npinned = ["mock:KX-OEN"]\n[metrics]\nport = 0\n')
    assert main(["collect", "--mock", "--config", str(path), "--duration", "1s"]) == 2
    assert "did you mean mock:KX-ONE?" in capsys.readouterr().err


class Exchange:
    """A venue that says ``phase``, or cannot be asked."""

    name = VenueName("kalshi")

    def __init__(self, phase: VenuePhase | None, pause: PlannedPause | None = None) -> None:
        self.phase, self.pause = phase, pause

    async def current_phase(self) -> VenuePhase:
        if self.phase is None:
            raise TransientError("no answer")
        return self.phase

    async def next_pause(self) -> PlannedPause | None:
        return self.pause

    async def aclose(self) -> None:
        pass


def phase(name: str, resumes: int | None = None) -> VenuePhase:
    return VenuePhase(VenueName("kalshi"), START, None, name, "{}", resumes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exchange", "state", "says"),
    [
        (Exchange(phase("open")), "ok", "trading is open"),
        (Exchange(phase("open"), PlannedPause(START, START + 7_200 * S)), "ok", "planned pause 2027-01-15"),
        (Exchange(phase("cancel_only", START + 60 * S)), "warn", "trading paused (cancel only), resumes 2027-01-15"),
        (Exchange(phase("closed")), "warn", "trading paused (closed)"),
        (Exchange(None), "warn", "not known: no answer"),
    ],
)
async def test_whether_a_venue_as_a_whole_trades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: Exchange, state: str, says: str
) -> None:
    monkeypatch.setattr(config_checks, "open_venue", lambda *_: exchange)
    (check,) = await phase_checks(configured(tmp_path))
    assert (check.name, check.state) == ("kalshi trading", state)
    assert says in check.found


def test_doctor_shows_these_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f'data_dir = "{tmp_path}"\n[trading]\nstrategies = ["simpel"]\n[metrics]\nport = 0\n')
    assert main(["doctor", "--mock", "--config", str(path), "--format", "json"]) == 1
    rows = {row["check"]: row for row in json.loads(capsys.readouterr().out)}
    assert "did you mean simple?" in rows["trading.strategies"]["found"]
    assert rows["collector.pinned"]["state"] == "ok"
