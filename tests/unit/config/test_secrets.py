"""Secrets come from the environment or from a private file, and cannot be shown by accident."""

import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from predsurv.config.schema import KEYS
from predsurv.config.secrets import SECRET_BYTES_MAX, Secret, looks_secret, read_secret
from predsurv.core.errors import ConfigError

NAME = "PREDSURV_POLYMARKET_PRIVATE_KEY"
CANARY = "0xCANARYCANARY"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{CANARY}\n")
    path.chmod(0o600)
    return path


def test_a_secret_is_read_from_the_environment() -> None:
    secret = read_secret(NAME, {NAME: f" {CANARY}\n"})
    assert secret is not None
    assert secret.reveal() == CANARY


def test_a_secret_that_is_not_set_is_none() -> None:
    assert read_secret(NAME, {}) is None
    assert read_secret(NAME, {NAME: ""}) is None


def test_a_secret_is_read_from_a_private_file(key_file: Path) -> None:
    secret = read_secret(NAME, {f"{NAME}_FILE": str(key_file)})
    assert secret is not None
    assert secret.reveal() == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_file_that_others_can_open_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        read_secret(NAME, {f"{NAME}_FILE": str(key_file)})
    assert "CANARY" not in str(caught.value)


def test_a_symbolic_link_as_key_file_is_refused(key_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file)
    with pytest.raises(ConfigError, match="symbolic link"):
        read_secret(NAME, {f"{NAME}_FILE": str(link)})


def test_a_missing_key_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(NAME, {f"{NAME}_FILE": str(tmp_path / "none")})
    with pytest.raises(ConfigError, match="not a regular file"):
        read_secret(NAME, {f"{NAME}_FILE": str(tmp_path)})


@pytest.mark.parametrize("body", [b"", b" \n", b"x" * (SECRET_BYTES_MAX + 1), b"\xff\xfe"])
def test_an_unfit_key_file_is_refused(key_file: Path, body: bytes) -> None:
    key_file.write_bytes(body)
    with pytest.raises(ConfigError, match=f"{NAME}_FILE: the key file is"):
        read_secret(NAME, {f"{NAME}_FILE": str(key_file)})


def test_a_secret_from_two_sources_is_refused(key_file: Path) -> None:
    with pytest.raises(ConfigError, match="unset one of them"):
        read_secret(NAME, {NAME: CANARY, f"{NAME}_FILE": str(key_file)})


def test_a_secret_is_not_shown_pickled_or_copied() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{[secret]}"]
    spells: list[Callable[[Secret], object]] = [pickle.dumps, copy.copy, msgspec.json.encode]
    for spell in spells:
        with pytest.raises(TypeError) as caught:
            spell(secret)
        shown.append("".join(traceback.format_exception(caught.value)))
    assert not any("CANARY" in text for text in shown)


@pytest.mark.parametrize("key", ["private_key", "privateKey", "API_KEY", "passphrase", "auth_token", "seed_phrase"])
def test_names_of_secrets_are_known(key: str) -> None:
    assert looks_secret(key)


def test_no_key_of_ours_looks_like_a_secret() -> None:
    assert not [key for key in KEYS if looks_secret(key)]
