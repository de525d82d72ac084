"""Loading: precedence, origins, the file that is found, and every message a user can meet."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.config import Config, as_rows, load
from predsurv.config.loading import ENV_NAMES
from predsurv.config.schema import KEYS, RESERVED, SECTIONS
from predsurv.core.errors import ConfigError

CONFIG = Path(__file__).parents[3] / "config"
S = 1_000_000_000


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "x.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return path

    return write


def message(
    path: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> str:
    """Return the error line, its folder cut off; every one must fit on one line."""
    with pytest.raises(ConfigError) as caught:
        load(path, flags=flags, environ=environ or {}, root=root)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == 2
    return text.replace(f"{path.parent}/", "") if path else text


def test_without_a_file_everything_is_default(tmp_path: Path) -> None:
    loaded = load(root=tmp_path, environ={})
    assert loaded.config == Config()
    assert loaded.path is None
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(KEYS)


def test_the_shipped_file_documents_every_key_at_its_default() -> None:
    text = (CONFIG / "surveillance.toml").read_text()
    loaded = load(CONFIG / "surveillance.toml", environ={})
    assert loaded.config == Config()
    assert {key for key, origin in loaded.origins.items() if origin == "default"} == set()
    lines = text.splitlines()
    settings = [number for number, line in enumerate(lines) if re.match(r"[a-z_0-9]+ = |\[strategies\]", line)]
    assert len(settings) == len(KEYS)
    undocumented = [lines[number] for number in settings if not lines[number - 1].startswith("#")]
    assert undocumented == []


def test_the_shipped_file_says_the_default_it_sets() -> None:
    text = (CONFIG / "surveillance.toml").read_text()
    for comment, value in re.findall(
        r'Default: ("[^"]*"|[0-9]+|true|false|\[.*?\]|\{\})[^\n]*\n[a-z_0-9]+ = (.*)', text
    ):
        assert comment == value


def test_the_mock_file_suits_a_short_demonstration() -> None:
    config = load(CONFIG / "mock.toml", environ={}).config
    assert config.mock.enabled
    assert config.data_dir == Path("data/mock")
    assert config.storage.seal_interval == 5 * S
    assert config.collector.rotation_period == 10 * S
    assert config.collector.max_instruments < config.mock.markets


def test_flag_beats_environment_beats_file_beats_default(write: Write) -> None:
    path = write("[metrics]\nport = 1\n[mock]\nseed = 1\nmarkets = 1\n")
    environ = {"PREDSURV_METRICS__PORT": "2", "PREDSURV_MOCK__SEED": "2", "PREDSURV_DATA_DIR": "there"}
    loaded = load(path, flags={"metrics.port": 3, "mock.rate": None}, environ=environ)
    config = loaded.config
    assert (config.metrics.port, config.mock.seed, config.mock.markets) == (3, 2, 1)
    assert config.data_dir == Path("there")
    assert loaded.origins["metrics.port"] == "flag"
    assert loaded.origins["mock.seed"] == "env"
    assert loaded.origins["mock.markets"] == "file"
    assert loaded.origins["mock.rate"] == "default"
    assert loaded.path == path


def test_every_key_has_an_environment_variable() -> None:
    assert ENV_NAMES["PREDSURV_VENUES__POLYMARKET__GAMMA_URL"] == "venues.polymarket.gamma_url"
    assert len(ENV_NAMES) == len(KEYS)


def test_environment_text_is_read_by_the_type_of_its_key() -> None:
    environ = {
        "PREDSURV_MOCK__ENABLED": "Yes",
        "PREDSURV_COLLECTOR__PINNED": "a, b,",
        "PREDSURV_COLLECTOR__SHARD": "2/4",
        "PREDSURV_MINER__WEIGHTS": "spread=0.5, depth=-1",
        "PREDSURV_TRADING__STARTING_CASH": "12.5",
        "PREDSURV_STORAGE__SEAL_BYTES": "1MiB",
        "PREDSURV_LIVE_CONFIRM": "polymarket",
    }
    config = load(environ=environ, root=Path("/nowhere")).config
    assert config.mock.enabled is True
    assert config.collector.pinned == ("a", "b")
    assert (config.collector.shard.index, config.collector.shard.count) == (2, 4)
    assert config.miner.weights == {"spread": 500_000, "depth": -1_000_000}
    assert config.trading.starting_cash == 12_500_000
    assert config.storage.seal_bytes == 2**20


def test_a_file_is_looked_up_as_given_then_in_config(write: Write, tmp_path: Path) -> None:
    write("[mock]\nseed = 1\n", "config/a.toml")
    assert load("a.toml", root=tmp_path, environ={}).config.mock.seed == 1
    write("[mock]\nseed = 2\n", "a.toml")
    assert load("a.toml", root=tmp_path, environ={}).config.mock.seed == 2
    write("[mock]\nseed = 3\n", "config/surveillance.toml")
    assert load(root=tmp_path, environ={}).config.mock.seed == 3


def test_a_missing_file_is_named_with_the_next_step(tmp_path: Path) -> None:
    text = message(root=tmp_path, path=None, flags={"nope": 1})
    assert "nope" in text
    with pytest.raises(ConfigError, match=r"nope\.toml here or in config/; check the name or run 'predsurv init'"):
        load("nope.toml", root=tmp_path, environ={})


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (
            '[collector]\nrotatoin_period = "1s"',
            "collector.rotatoin_period: unknown key; did you mean collector.rotation_period?",
        ),
        ('[colector]\nid = "a"', "colector: unknown key; did you mean collector?"),
        ("[venues.polymarkt]", "venues.polymarkt: unknown key; did you mean venues.polymarket?"),
        ("[polymarket]", "polymarket: unknown key; did you mean venues.polymarket?"),
        ('rotation_period = "1s"', "rotation_period: unknown key; did you mean collector.rotation_period?"),
        (
            '[venues.kalshi]\ngamma_url = ""',
            "venues.kalshi.gamma_url: unknown key; did you mean venues.polymarket.gamma_url?",
        ),
        ("zzzzzz = 1", "zzzzzz: unknown key; see config/surveillance.toml for every key"),
        ("collector = 3", "collector: expected a section, written as [collector]"),
        ("[mock]\nmarkets = true", "mock.markets: expected a whole number from 1 to 100000; got true"),
        ('[mock]\nmarkets = "3"', 'mock.markets: expected a whole number from 1 to 100000; got "3"'),
        ("[mock]\nmarkets = 0", "mock.markets: expected a whole number from 1 to 100000; got 0"),
        ("[mock]\nenabled = 1", "mock.enabled: expected true or false; got 1"),
        ("[mock]\nfaults = 'x'", "mock.faults: expected a list of texts"),
        ("[mock]\nfaults = ['']", "mock.faults: expected a list of texts"),
        ("[collector]\nrotation_period = 5", "collector.rotation_period: expected a duration from 1s to 1d"),
        ("[collector]\nrotation_period = '5 minutes'", 'got "5 minutes"'),
        ("[collector]\nexplore_share = 0.3", 'expected a decimal from 0 to 1 in quotes, such as "0.5"'),
        ("[collector]\nexplore_share = '1.1'", "expected a decimal from 0 to 1"),
        ("[collector]\nid = '../x'", "collector.id: expected 1 to 32 characters"),
        ("[collector]\nshard = '5/4'", "collector.shard: expected a shard"),
        ("[storage]\nseal_bytes = '1XB'", "storage.seal_bytes: expected a size from 1KiB to 1GiB"),
        (
            "[storage]\nheartbeat_interval='1s'\nsnapshot_interval='2s'",
            "storage.heartbeat_interval: must not be shorter",
        ),
        ("[trading]\nmode = 'LIVE'", 'trading.mode: expected one of "paper", "live"; got "LIVE"'),
        ("[miner]\nweights = {spread = 0.5}", "miner.weights: expected a table of decimals"),
        ("data_dir = ''", "data_dir: expected a path to a folder"),
        ('data_dir = "a\\u0000b"', "data_dir: expected a path to a folder"),
        ("[metrics]\nhost = 'a b'", "metrics.host: expected a host name or address"),
        ("[collector", "not valid TOML: Expected ']'"),
        ("a = '\udcff'", "not valid TOML: "),
        ("a = " + "[" * 5_000, "not valid TOML: "),
        ("#" + "x" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_a_wrong_file_is_explained(write: Write, toml: str, expected: str) -> None:
    text = message(write(toml))
    assert text.startswith("x.toml: ")
    assert expected in text


@pytest.mark.parametrize(
    "key", ["collector.placs", "risk.x", "mock.zzz", "trading.duration", "miner.mines", "scanner.id_"]
)
def test_what_is_near_nothing_is_given_no_section_and_nothing_far_fetched(key: str) -> None:
    text = message(root=Path("/nowhere"), flags={key: 1})
    assert text == f"command line: {key}: unknown key; see config/surveillance.toml for every key"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("colector.idd", "collector.id"),
        ("venue.kalshi.rest_urls", "venues.kalshi.rest_url"),
        ("storage.level", "storage.top_levels"),
        ("storage.heartbeat", "storage.heartbeat_interval"),
        ("risk.max_position", "risk.max_position_notional"),
        ("collector.colector", None),
        ("collector.collector", None),
        ("trading.rotation_period", "collector.rotation_period"),
    ],
)
def test_a_slip_is_answered_with_a_key_that_is_there(key: str, meant: str | None) -> None:
    text = message(root=Path("/nowhere"), flags={key: 1})
    assert (f"did you mean {meant}?" in text) if meant else ("did you mean" not in text)


@given(st.sampled_from(sorted(SECTIONS)), st.text("abcdefghij_.", min_size=1, max_size=12))
def test_no_hint_is_the_section_that_the_key_stands_in(section: str, name: str) -> None:
    key = f"{section}.{name}"
    if key not in KEYS:
        assert f"did you mean {section}?" not in message(root=Path("/nowhere"), flags={key: 1})


@pytest.mark.parametrize("key", ["private_key", "api_key", "apikey", "secret", "passphrase", "key_id", "password"])
def test_a_secret_in_the_file_is_refused_without_showing_it(write: Write, key: str) -> None:
    text = message(write(f'[venues.polymarket]\n{key} = "0xCANARY"'))
    assert "CANARY" not in text
    assert "PREDSURV_POLYMARKET_PRIVATE_KEY" in text
    assert "_FILE" in text


@pytest.mark.parametrize("key", ["funder", "clob_url"])
def test_a_secret_pasted_into_another_key_is_not_echoed(write: Write, key: str) -> None:
    assert "c0ffee" not in message(write(f'[venues.polymarket]\n{key} = "{"c0ffee" * 11}"'))


def test_hostile_keys_and_values_cannot_reach_the_terminal(write: Write) -> None:
    text = message(write('"\\u001b]0;x\\u0007" = 1'))
    assert "\x1b" not in text
    text = message(write('[collector]\nid = "\\u001b[2J"'))
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"PREDSURV_COLLECTOR__IDS": "x"},
            "environment variable PREDSURV_COLLECTOR__IDS: collector.ids: unknown key; did you mean collector.id?",
        ),
        ({"PREDSURV_COLLECTOR_ID": "x"}, "use PREDSURV_COLLECTOR__ID"),
        ({"PREDSURV_METRICS__PORT": "http"}, 'metrics.port: expected a whole number from 0 to 65535; got "http"'),
        ({"PREDSURV_MOCK__ENABLED": "maybe"}, "mock.enabled: expected true or false"),
        ({"PREDSURV_VENUES__POLYMARKET__PRIVATE_KEY": "CANARY"}, "a secret never goes into"),
    ],
)
def test_a_wrong_environment_is_explained(environ: dict[str, str], expected: str) -> None:
    text = message(environ=environ, root=Path("/nowhere"))
    assert expected in text
    assert "CANARY" not in text


def test_a_wrong_flag_is_explained() -> None:
    text = message(root=Path("/nowhere"), flags={"metrics.prt": 1})
    assert text == "command line: metrics.prt: unknown key; did you mean metrics.port?"


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file"):
        load(tmp_path, environ={})


def test_a_tilde_in_a_folder_is_expanded_to_the_home_folder(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(write('data_dir = "~/d"'), environ={}).config.data_dir == tmp_path / "d"


def test_config_show_says_the_origin_of_each_value(write: Write) -> None:
    path = write("[miner]\nweights = {spread = '0.5'}\n[mock]\nfaults = ['a', 'b']")
    environ = {"PREDSURV_METRICS__PORT": "1"}
    rows = {row.key: (row.value, row.origin) for row in as_rows(load(path, environ=environ))}
    assert list(rows) == list(KEYS)
    assert rows["metrics.port"] == ("1", "env PREDSURV_METRICS__PORT")
    assert rows["miner.weights"] == ("spread=0.5", f"file {path}")
    assert rows["mock.faults"] == ("a, b", f"file {path}")
    assert rows["mock.enabled"] == ("false", "default")
    assert rows["storage.heartbeat_interval"] == ("1m", "default")


def test_the_shipped_file_says_which_keys_have_no_effect_yet() -> None:
    text = (CONFIG / "surveillance.toml").read_text()
    reserved = re.findall(r"Reserved[^\n]*\n(?:#[^\n]*\n)*([a-z_]+) = ", text)
    assert sorted(reserved) == sorted(key.rpartition(".")[2] for key in RESERVED)


def test_sections_are_those_of_the_design() -> None:
    assert {
        "venues", "venues.polymarket", "venues.kalshi", "mock", "scanner", "collector",
        "storage", "object_store", "miner", "metrics", "trading", "risk",
    } == SECTIONS  # fmt: skip
