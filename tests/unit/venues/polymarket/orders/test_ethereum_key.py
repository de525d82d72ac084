"""A key is read from where it is safe, refused in one line when it is none, and never shown."""

import pickle
import sys
from pathlib import Path

import pytest

from predsurv.config import Secret
from predsurv.core.errors import ConfigError, exit_code_of
from predsurv.venues.polymarket.orders.ethereum_key import EthereumKey, checksummed, load_key, parse_address
from tests.kit.polymarket_orders import ADDRESS, PRIVATE_KEY, key
from tests.kit.shown import everything_shown, whole_traceback

ORDER_OF_THE_CURVE = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"


def test_the_address_of_a_key() -> None:
    for text in (PRIVATE_KEY, f"0x{PRIVATE_KEY}", PRIVATE_KEY.upper()):
        mine = EthereumKey(Secret(text))
        assert checksummed(mine.address, mine.keccak) == ADDRESS


@pytest.mark.parametrize(
    "address",
    [  # from EIP-55
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    ],
)
def test_checksums_of_addresses(address: str) -> None:
    assert checksummed(parse_address(address, "x"), key().keccak) == address


def test_signatures_are_deterministic_with_a_small_s() -> None:
    for number in range(40):
        digest = key().keccak(bytes((number,)))
        signature = key().sign(digest)
        assert signature == key().sign(digest)
        assert len(signature) == 65
        assert signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64]) <= int(ORDER_OF_THE_CURVE, 16) // 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "64 hexadecimal digits"),
        ("zz" * 32, "64 hexadecimal digits"),
        (PRIVATE_KEY[:-1], "64 hexadecimal digits"),
        (PRIVATE_KEY + "\nabcdef", "64 hexadecimal digits"),
        ("0" * 64, "no key of this curve"),
        (ORDER_OF_THE_CURVE, "no key of this curve"),
    ],
)
def test_what_is_no_key_is_told_in_one_line_without_showing_it(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        EthereumKey(Secret(text))
    shown = whole_traceback(refused.value)
    assert "\n" not in str(refused.value)
    assert not text or text[:8] not in shown
    assert exit_code_of(refused.value) == 2


@pytest.mark.parametrize("library", ["coincurve", "Crypto.Hash"])
def test_without_the_extra_one_line_says_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=r"pip install 'predsurv\[live\]'") as refused:
        key()
    assert exit_code_of(refused.value) == 2


def test_a_key_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    mine = key()
    shown = everything_shown(caplog, mine).lower()
    for form in (PRIVATE_KEY, repr(bytes.fromhex(PRIVATE_KEY)), str(int(PRIVATE_KEY, 16))):
        assert not any(form[at : at + 8].lower() in shown for at in range(0, len(form) - 8, 4))
    with pytest.raises(TypeError):
        pickle.dumps(mine)


def test_loading_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"0x{PRIVATE_KEY}\n")
    file.chmod(0o600)
    assert load_key({}) is None
    found = load_key({"PREDSURV_POLYMARKET_PRIVATE_KEY_FILE": str(file)})
    assert found is not None
    assert found.address == key().address
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key({"PREDSURV_POLYMARKET_PRIVATE_KEY_FILE": str(file)})
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(ConfigError, match="symbolic link"):
        load_key({"PREDSURV_POLYMARKET_PRIVATE_KEY_FILE": str(tmp_path / "link")})
