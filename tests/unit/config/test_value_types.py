"""Every key accepts the values of its type and nothing else; data goes to folders and buckets only."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from predsurv.config import load
from predsurv.config.schema import KEYS
from predsurv.config.value_types import Name, PlainType
from predsurv.config.writing import to_toml
from predsurv.core.errors import ConfigError


@pytest.mark.parametrize("name", KEYS)
def test_every_default_is_a_value_of_its_type(name: str) -> None:
    key = KEYS[name]
    assert key.value_type.parse(key.value_type.render(key.value)) == key.value
    assert key.value_type.expected


@pytest.mark.parametrize("raw", [None, 1.5, float("nan"), object(), b"x", -(10**40), "\x1b[2J", "\n"])
def test_a_value_of_no_type_is_refused_by_every_key(raw: object) -> None:
    for key in KEYS.values():
        with pytest.raises(ValueError, match=r"."):
            key.value_type.parse(raw)


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20))
def test_any_text_is_a_value_or_raises_a_value_error(name: str, text: str) -> None:
    kind = KEYS[name].value_type
    try:
        value = kind.from_text(text)
    except ValueError:
        return
    assert kind.parse(kind.render(value)) == value


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("007", 7), ("-0", 0), ("100000", 100_000)])
def test_a_whole_number_is_read_from_text(text: str, value: int) -> None:
    assert PlainType(Annotated[int, Meta(ge=0, le=100_000)]).from_text(text) == value


@pytest.mark.parametrize(
    "text", ["", " 7", "7 ", "+7", "7.0", "1e3", "1_000", "0x7", "\u0667", "true", "100001", "9" * 19]
)
def test_any_other_text_is_no_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PlainType(Annotated[int, Meta(ge=0, le=100_000)]).from_text(text)


@pytest.mark.parametrize(("text", "value"), [("true", True), (" Yes ", True), ("1", True), ("NO", False), ("0", False)])
def test_a_flag_is_read_from_text(text: str, value: bool) -> None:
    assert PlainType(bool).from_text(text) is value


@pytest.mark.parametrize("raw", [0, 1, "true", None, 1.0])
def test_a_flag_in_a_file_is_true_or_false_only(raw: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        PlainType(bool).parse(raw)


def test_what_is_expected_of_plain_values_says_bounds_and_options() -> None:
    assert PlainType(bool).expected == "true or false"
    assert PlainType(Annotated[int, Meta(ge=1, le=4)]).expected == "a whole number from 1 to 4"
    assert PlainType(Literal["a", "b"]).expected == 'one of "a", "b"'
    assert PlainType(Name).expected == "1 to 32 characters out of a-z, 0-9, '_' and '-'"


@pytest.mark.parametrize("url", ["s3://bucket", "s3://my-bucket.eu/a/b=c_d", "s3://bucket/prefix/"])
def test_with_a_bucket_the_work_is_done_in_the_local_folder(url: str) -> None:
    config = load(flags={"data_dir": url, "local_dir": "here"}, environ={}).config
    assert config.bucket == url.rstrip("/")
    assert config.data_dir == Path("here")


@pytest.mark.parametrize("folder", ["data", "/srv/x", "C:/data", "s3", "./s3:"])
def test_a_folder_is_no_bucket(folder: str) -> None:
    config = load(flags={"data_dir": folder, "local_dir": "here"}, environ={}).config
    assert (config.bucket, config.data_dir) == ("", Path(folder))


@pytest.mark.parametrize(
    "url",
    ["gs://bucket/x", "https://host/x", "s3://", "s3://b", "s3://Bucket", "s3://me:CANARY@bucket/x", "s3:/bucket/x",
     "s3://bucket/../x", "s3://bucket//x", "s3://bucket/x?y", "s3://bucket/a b", "file:///x"],
)  # fmt: skip
def test_any_other_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(
        ConfigError, match='expected a path to a folder, or a bucket such as "s3://bucket/prefix"'
    ) as caught:
        load(flags={"data_dir": url}, environ={})
    assert "CANARY" not in str(caught.value)


def test_a_bucket_is_written_back_as_it_was_given(tmp_path: Path) -> None:
    config = load(flags={"data_dir": "s3://bucket/x", "object_store.region": "eu-central-1"}, environ={}).config
    path = tmp_path / "x.toml"
    path.write_text(to_toml(config))
    assert load(path, environ={}).config == config


@pytest.mark.parametrize("url", ["", "https://minio.example:9000", "http://127.0.0.1:9000", "http://localhost:1"])
def test_an_endpoint_is_encrypted_or_this_machine(url: str) -> None:
    assert load(flags={"object_store.endpoint": url}, environ={}).config.object_store.endpoint == url


@pytest.mark.parametrize("url", ["http://minio.example", "ftp://127.0.0.1", "https://me:CANARY@x.example", "minio"])
def test_any_other_endpoint_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"object_store\.endpoint: expected") as caught:
        load(flags={"object_store.endpoint": url}, environ={})
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("key", ["access_key", "access_key_id", "secret_access_key", "session_token"])
def test_credentials_in_the_file_are_refused_with_the_right_place(tmp_path: Path, key: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f'[object_store]\n{key} = "CANARY"\n')
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY") as caught:
        load(path, environ={})
    assert "CANARY" not in str(caught.value)


def test_a_region_is_a_name() -> None:
    with pytest.raises(ConfigError, match=r"object_store\.region"):
        load(flags={"object_store.region": "eu central"}, environ={})
