"""One record is one harmless line, without secrets, in both formats."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.telemetry.logs import LINE_CHARS_MAX, JsonFormatter, TextFormatter, send_to, set_up
from predsurv.telemetry.redaction import Redactor

HOSTILE = "Will \x1b]0;x\x07 it\nrain?\u202e\r"
LOG = logging.getLogger("predsurv.collect")


def fail(text: str) -> None:
    raise ValueError(text)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def people() -> Iterator[io.StringIO]:
    stream = Terminal()
    undo = set_up(stream=stream, secrets=["CANARYCANARY"])
    yield stream
    undo()


@pytest.fixture
def machine() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    undo = set_up(stream=stream, secrets=["CANARYCANARY"])
    yield stream
    undo()


def test_a_text_line_has_time_level_logger_message_and_fields(people: io.StringIO) -> None:
    LOG.warning("connection lost", extra={"venue": "kalshi", "epoch": 3})
    time, rest = people.getvalue().split(" ", 1)
    assert len(time) == 8
    assert rest == "WARNING collect: connection lost venue=kalshi epoch=3\n"


def test_a_json_line_has_the_same_fields(machine: io.StringIO) -> None:
    LOG.info("sealed %d rows", 5, extra={"dataset": "trades", "level": "forged", "ratio": float("nan")})
    entry = json.loads(machine.getvalue())
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info",
        "logger": "predsurv.collect",
        "message": "sealed 5 rows",
        "dataset": "trades",
        "ratio": "nan",
    }


@pytest.mark.parametrize("form", ["people", "machine"])
def test_hostile_text_stays_one_harmless_line(form: str, request: pytest.FixtureRequest) -> None:
    stream = request.getfixturevalue(form)
    LOG.error("market %s", HOSTILE, extra={"title": HOSTILE, HOSTILE: 1})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not set(text) & set("\x1b\x07\r\u202e")


@pytest.mark.parametrize("form", ["people", "machine"])
def test_secrets_are_redacted_in_every_field(form: str, request: pytest.FixtureRequest) -> None:
    stream = request.getfixturevalue(form)
    try:
        fail("bad CANARYCANARY")
    except ValueError:
        LOG.exception("with CANARYCANARY and %s", "CANARYCA", extra={"key": "CANARYCANARY"})
    assert "CANARY" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
    assert "ValueError: bad ***" in stream.getvalue()


def test_a_traceback_is_shown_only_when_asked_for() -> None:
    stream = io.StringIO()
    undo = set_up(stream=stream, json_lines=False, traceback=True, secrets=["CANARYCANARY"])
    try:
        fail("x\x1bCANARYCANARY")
    except ValueError:
        LOG.exception("failed")
    finally:
        undo()
    text = stream.getvalue()
    assert "Traceback (most recent call last)" in text
    assert "CANARY" not in text
    assert "\x1b" not in text
    assert all(line.startswith("    ") for line in text.splitlines()[1:])


def test_a_traceback_in_json_is_one_line() -> None:
    stream = io.StringIO()
    undo = set_up(stream=stream, traceback=True)
    try:
        fail("x")
    except ValueError:
        LOG.exception("failed")
    finally:
        undo()
    assert json.loads(stream.getvalue())["traceback"][0] == "Traceback (most recent call last):"


def test_libraries_log_from_warning_on() -> None:
    stream = io.StringIO()
    undo = set_up(stream=stream, level=logging.DEBUG)
    try:
        logging.getLogger("httpx").info("HTTP Request: GET https://x/?signature=abc")
        logging.getLogger("httpcore").debug("headers")
        LOG.debug("ours")
    finally:
        undo()
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["ours"]


def test_undo_leaves_logging_as_it_was() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("httpx").level)
    set_up(stream=io.StringIO())()
    assert (root.level, list(root.handlers), logging.getLogger("httpx").level) == before


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=10), st.text(max_size=50), max_size=3))
def test_any_record_is_one_line(message: str, fields: dict[str, str]) -> None:
    record = logging.makeLogRecord({"name": "predsurv.x", "levelname": "INFO", "msg": "%s", "args": (message,)})
    vars(record).update({f"_{name}": value for name, value in fields.items()})
    redact = Redactor()
    assert len(TextFormatter(redact, traceback=False).format(record).splitlines()) == 1
    line = JsonFormatter(redact, traceback=False).format(record)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["logger"] == "predsurv.x"


def test_a_line_has_a_maximum_length() -> None:
    record = logging.makeLogRecord({"msg": "x" * 10_000} | {f"f{n}": "y" * 2_000 for n in range(20)})
    assert len(TextFormatter(Redactor(), traceback=False).format(record)) <= LINE_CHARS_MAX


def test_a_record_of_another_process_says_itself_whose_it_is() -> None:
    stream = io.StringIO()
    undo = set_up(stream=stream, json_lines=True, origin={"collector": "c0"})
    logging.getLogger("predsurv.collect").info("own")
    logging.getLogger("predsurv.collect").info("another's", extra={"collector": "c0-2"})
    undo()
    assert [json.loads(line)["collector"] for line in stream.getvalue().splitlines()] == ["c0", "c0-2"]


def test_libraries_below_warning_reach_no_handler() -> None:
    seen: list[str] = []

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.name)

    undo = send_to(Seen())
    logging.getLogger("httpx").info("GET an address with a key")
    logging.getLogger("predsurv.collect").info("recording")
    logging.getLogger("httpx").warning("retrying")
    undo()
    logging.getLogger("predsurv.collect").warning("afterwards")
    assert seen == ["predsurv.collect", "httpx"]
