"""Orders and credentials go to the venue or to this machine, whatever the URL looks like."""

from pathlib import Path

import pytest

from predsurv.config import Config, load
from predsurv.config.hosts import clean_url, is_loopback, url_refusal
from predsurv.config.schema import KEYS
from predsurv.config.value_types import UrlType
from predsurv.core.errors import ConfigError

REFUSED = [
    "https://evil.com",
    "https://clob.polymarket.com.evil.com",
    "https://evil.com/clob.polymarket.com",
    "https://clob.polymarket.com@evil.com",
    "https://user:pass@clob.polymarket.com",
    "https://clob.polymarket.com:8443",
    "https://clob.polymarket.com:0",
    "https://clob.polymarket.com:",
    "https://clob.polymarket.com:99999",
    "https://clob.polymarket.com.",
    "https://xclob.polymarket.com",
    "https://external-api.kalshi.com",
    "http://clob.polymarket.com",
    "wss://clob.polymarket.com",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "//clob.polymarket.com",
    "clob.polymarket.com",
    "https://",
    "",
    "https://clob.polymarket.com\\@evil.com",
    "https://clob.polymarket.com?x=1",
    "https://clob.polymarket.com#x",
    "https://clob.polymarket.com /",
    "https://clob.polymarket.com%2eevil.com",
    "https://clοb.polymarket.com",  # the o is Greek
    "http://127.1",
    "http://0x7f000001",
    "http://2130706433",
    "http://0.0.0.0",
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:169.254.169.254]",
    "http://localhost.evil.com",
    "http://127.0.0.1.evil.com",
    "http://[::1",
    "http://10.0.0.1",
]


def environ(url: str, custom: str = "false") -> dict[str, str]:
    return {"PREDSURV_VENUES__POLYMARKET__CLOB_URL": url, "PREDSURV_ALLOW_CUSTOM_HOSTS": custom}


@pytest.mark.parametrize("url", REFUSED)
def test_urls_of_other_hosts_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"venues\.polymarket\.clob_url: "):
        load(environ=environ(url), root=tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "https://clob.polymarket.com",
        "https://clob.polymarket.com:443",
        "https://CLOB.polymarket.com",
        "https://clob-staging.polymarket.com/",
        "http://127.0.0.1:8080",
        "http://127.8.8.8",
        "http://localhost:8080/base",
        "https://localhost",
        "http://[::1]:1",
    ],
)
def test_urls_of_the_venue_and_of_this_machine_are_allowed(url: str, tmp_path: Path) -> None:
    config = load(environ=environ(url), root=tmp_path).config
    assert config.venues.polymarket.clob_url == url.rstrip("/")


def test_a_custom_host_needs_consent_and_encryption(tmp_path: Path) -> None:
    url = "https://proxy.example:8443/clob"
    with pytest.raises(ConfigError, match="set allow_custom_hosts = true"):
        load(environ=environ(url), root=tmp_path)
    assert load(environ=environ(url, "true"), root=tmp_path).config.venues.polymarket.clob_url == url
    with pytest.raises(ConfigError, match="unencrypted"):
        load(environ=environ("http://proxy.example", "true"), root=tmp_path)


def test_every_default_url_is_on_its_venues_own_host() -> None:
    urls = [key for key in KEYS.values() if isinstance(key.value_type, UrlType)]
    assert len(urls) == 7
    for key in urls:
        assert isinstance(key.value_type, UrlType)
        assert url_refusal(key.value_type.venue, key.value_type.scheme, key.value) is None
        assert clean_url(key.value) == key.value
    assert Config().allow_custom_hosts is False


def test_only_unambiguous_addresses_are_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("")
    assert not is_loopback("127.1")
