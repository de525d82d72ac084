"""Each check finds the trouble that it is there to find, and says what to do."""

import asyncio
import socket
from pathlib import Path

import pytest

from predsurv.cli.commands import checks
from predsurv.cli.commands.checks import HealthCheck
from predsurv.config import load
from predsurv.core import native


def test_an_old_python_fails() -> None:
    assert checks.python_check((3, 10, 1)).state == "fail"
    assert checks.python_check((3, 12, 0)).state == "ok"


def test_the_declared_packages_are_there() -> None:
    found = list(checks.package_checks())
    assert len(found) >= 9
    assert checks.worst(found) == "ok"


@pytest.mark.parametrize(("name", "least", "state"), [("rich", "9999", "fail"), ("no-such-package", "1", "fail")])
def test_a_missing_or_old_package_fails(name: str, least: str, state: str) -> None:
    assert checks._package(name, least).state == state


def test_a_missing_extension_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "speedups", object())
    assert checks.speedups_check().state == "ok"
    monkeypatch.setattr(native, "speedups", None)
    steps = []
    for refused in (False, True):
        monkeypatch.setattr(native, "PURE_PYTHON", refused)
        steps.append(checks.speedups_check())
    assert [each.state for each in steps] == ["warn", "warn"]
    assert ["PREDSURV_PURE_PYTHON" in each.step for each in steps] == [False, True]


def test_a_data_folder_need_not_exist_yet(tmp_path: Path) -> None:
    assert next(check.state for check in checks.data_checks(tmp_path / "a" / "b")) == "ok"
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("free", "state"), [(1, "fail"), (10**9, "warn"), (10**12, "ok")])
def test_room_on_the_disk(free: int, state: str) -> None:
    assert checks._space(free).state == state


def test_a_port_in_use_is_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert checks.port_check("127.0.0.1", port).state == "warn"
    assert checks.port_check("127.0.0.1", 0).state == "ok"


def test_a_key_file_that_others_can_read_fails_and_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("0xcanary")
    path.chmod(0o644)
    found = list(checks.secret_checks({"PREDSURV_POLYMARKET_PRIVATE_KEY_FILE": str(path)}))
    assert checks.worst(found) == "fail"
    assert "canary" not in repr(found)


def test_the_mock_venue_needs_no_address() -> None:
    assert checks.venue_urls(load(flags={"mock.enabled": True}).config) == {}
    assert "polymarket clob" in checks.venue_urls(load().config)


async def test_an_address_that_answers_and_one_that_does_not() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert (await checks.reach_checks({"up": f"http://127.0.0.1:{port}"}))[0].state == "ok"
    (down,) = await checks.reach_checks({"down": f"http://127.0.0.1:{port}"})
    assert (down.state, down.step != "") == ("fail", True)


async def test_an_address_that_never_answers_does_not_hang() -> None:
    enough, gone = asyncio.Event(), asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await enough.wait()
        writer.close()
        gone.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (check,) = await checks.reach_checks({"mute": f"https://127.0.0.1:{port}"}, seconds=0.2)
    enough.set()
    await gone.wait()
    server.close()
    await server.wait_closed()
    assert (check.state, "did not answer" in check.found) == ("fail", True)


def test_the_worst_state_counts() -> None:
    ok, warn, fail = HealthCheck("a", "ok", ""), HealthCheck("b", "warn", ""), HealthCheck("c", "fail", "")
    assert [checks.worst(group) for group in ([ok], [ok, warn], [warn, fail, ok])] == ["ok", "warn", "fail"]
