"""A line of a log is read as what it says, whatever it holds, and shown without harm."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predsurv.telemetry.log_lines import LEVELS, LogFilter, LoggedLine, for_people, for_programs, parse_line
from predsurv.telemetry.logs import JsonFormatter, TextFormatter
from predsurv.telemetry.redaction import Redactor

HOSTILE = "\x1b]0;owned\x07\u202e\r\x9b31m"
LINE = LoggedLine("2026-11-20T12:03:04.500+00:00", "warning", "collect.session", "c1", "lost", {"venue": "kalshi"})


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "predsurv.collect.session", "levelname": "WARNING", "msg": message, "created": 1_800_000_000.25}
    )
    vars(made).update(extra)
    return made


def test_a_json_line_of_ours_is_read_back() -> None:
    formatter = JsonFormatter(Redactor(), traceback=False, origin={"collector": "c1"})
    line = parse_line(formatter.format(record("connection lost", venue="kalshi", epoch=3, open=None)).encode())
    assert line == LoggedLine(
        "2027-01-15T08:00:00.250+00:00",
        "warning",
        "collect.session",
        "c1",
        "connection lost",
        {"venue": "kalshi", "epoch": "3", "open": ""},
    )


def test_the_lines_of_a_traceback_are_kept_apart() -> None:
    with pytest.raises(ValueError, match="boom") as raised:
        int("boom")
    failed = record("it failed", exc_info=(raised.type, raised.value, raised.tb))
    line = parse_line(JsonFormatter(Redactor(), traceback=True).format(failed).encode())
    assert line.traceback[0] == "Traceback (most recent call last):"
    assert line.traceback[-1] == "ValueError: invalid literal for int() with base 10: 'boom'"
    assert "traceback" not in line.fields


def test_a_text_line_of_ours_is_read_back_with_its_fields_in_the_message() -> None:
    text = TextFormatter(Redactor(), traceback=False).format(record("connection lost", venue="kalshi"))
    assert parse_line(text.encode()) == LoggedLine(
        "08:00:00", "warning", "collect.session", "", "connection lost venue=kalshi"
    )


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("recording 24 books", "info"),
        ("warning: the disk is nearly full", "warning"),
        ("error: nothing was received", "error"),
        ("unexpected ValueError: x; this is a bug", "error"),
        ("an error: inside", "info"),
        ('{"level": "error"}', "info"),
        ('{"level": "error", "message": 3}', "info"),
        ('["message"]', "info"),
        ("{" * 20_000, "info"),
    ],
)
def test_any_other_line_is_a_message_of_nobody(text: str, level: str) -> None:
    line = parse_line(text.encode())
    assert (line.time, line.level, line.component, line.collector) == ("", level, "", "")
    assert line.message[:100] == text[:100]


def test_a_level_that_is_none_is_information() -> None:
    assert parse_line(b'{"message": "x", "level": ["error"]}').level == "info"


def test_no_control_character_of_a_line_is_shown() -> None:
    entry: dict[str, object] = {
        "time": HOSTILE,
        "level": HOSTILE,
        "logger": HOSTILE,
        "message": HOSTILE,
        "collector": HOSTILE,
    }
    entry |= {HOSTILE: HOSTILE, "deep": {HOSTILE: [HOSTILE]}}
    line = parse_line(json.dumps({**entry, "traceback": [HOSTILE, 3]}).encode())
    shown = for_people(line) + json.dumps(for_programs(line), ensure_ascii=False) + "".join(line.traceback)
    assert not any(each in shown for each in HOSTILE if each not in "]0;owned31m")


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_one_line_of_printable_text(content: bytes) -> None:
    line = parse_line(content.replace(b"\n", b""))
    shown = for_people(line)
    assert "\n" not in shown
    assert all(each.isprintable() or each == " " or not each.isascii() for each in shown)
    json.dumps(for_programs(line)).encode()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["time", "level", "logger", "collector", "traceback", "x"]), values))
def test_any_object_with_a_message_is_read(entry: dict[str, object]) -> None:
    line = parse_line(json.dumps({**entry, "message": "told"}).encode())
    assert line.message == "told" or any(abs(each) >= 2**64 for each in _integers(entry))
    assert line.level in LEVELS


def _integers(value: object) -> list[int]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for each in value for number in _integers(each)]
    return [value] if isinstance(value, int) else []


def test_people_see_time_level_component_message_and_fields() -> None:
    assert for_people(LINE) == "2026-11-20 12:03:04 WARNING collect.session: lost venue=kalshi"
    assert for_people(LoggedLine("", "info", "", "", "recording 24 books")) == "recording 24 books"


def test_programs_see_null_for_what_a_line_does_not_say() -> None:
    told = for_programs(LoggedLine("", "info", "", "", "recording"))
    assert told == {
        "time": None,
        "level": "info",
        "component": None,
        "collector": None,
        "message": "recording",
        "fields": {},
        "traceback": [],
    }


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (LogFilter(), True),
        (LogFilter("warning"), True),
        (LogFilter("error"), False),
        (LogFilter(components=("collect",)), True),
        (LogFilter(components=("predsurv.collect",)), True),
        (LogFilter(components=("coll",)), False),
        (LogFilter(components=("trade", "collect.session")), True),
        (LogFilter(components=("collect.session.x",)), False),
        (LogFilter(collectors=("c0", "c1")), True),
        (LogFilter(collectors=("c0",)), False),
        (LogFilter("warning", ("trade",), ("c1",)), False),
    ],
)
def test_a_filter_takes_what_fits_all_its_conditions(wanted: LogFilter, takes: bool) -> None:
    assert wanted.takes(LINE) is takes
