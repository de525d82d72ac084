"""Every key accepts the values of its type and nothing else; data goes to folders and buckets only."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.config import load
from predsurv.config.schema import KEYS
from predsurv.config.writing import to_toml
from predsurv.core.errors import ConfigError


@pytest.mark.parametrize("name", KEYS)
def test_every_default_is_a_value_of_its_kind(name: str) -> None:
    key = KEYS[name]
    assert key.value_type.parse(key.value_type.render(key.value)) == key.value
    assert key.value_type.expected


@pytest.mark.parametrize("raw", [None, 1.5, float("nan"), object(), b"x", -(10**40), "\x1b[2J", "\n"])
def test_a_value_of_no_kind_is_refused_by_every_key(raw: object) -> None:
    for key in KEYS.values():
        with pytest.raises(ValueError, match=r"."):
            key.value_type.parse(raw)


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20))
def test_any_text_is_a_value_or_a_value_error(name: str, text: str) -> None:
    kind = KEYS[name].value_type
    try:
        value = kind.from_text(text)
    except ValueError:
        return
    assert kind.parse(kind.render(value)) == value


@pytest.mark.parametrize("url", ["s3://bucket", "s3://my-bucket.eu/a/b=c_d", "s3://bucket/prefix/"])
def test_a_bucket_leaves_the_work_to_a_folder_here(url: str) -> None:
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
