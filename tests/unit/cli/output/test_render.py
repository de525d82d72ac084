"""Every format of every table: complete, parseable, and safe whatever a venue calls its markets."""

import csv
import json
import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from predsurv.cli.options import Format
from predsurv.cli.output import render
from predsurv.cli.output.render import Column, Table, Value, show

FORMATS: tuple[Format, ...] = ("table", "json", "jsonl", "csv")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
HOSTILE = (
    "\x1b]52;c;aGVsbG8=\x07 copied",
    "\x1b[2J\x1b[31mred",
    "[/oops] [bold]markup[/bold] [link=https://x.example]here[/link] :smile:",
    "right \u202eto left\u202c \u2066isolated\u2069",
    "two\nlines\r\nand\u2028three\ttabs",
    "\x9b31m C1 \x85 \ud800 surrogate",
    "=cmd|' /C calc'!A0",
    "Ж" * 600,
    "ｗｉｄｅ" * 40,
)
COLUMNS = (Column("q", "Question"), Column("n", "Updates", "int", "1/s", keep=9), Column("s", "Score", "bar", keep=1))


def table(*rows: tuple[Value, ...]) -> Table:
    return Table("markets", "Markets", COLUMNS, rows, note="a note")


def shown(form: Format, *tables: Table) -> str:
    out = StringIO()
    show(tables if len(tables) > 1 else tables[0], form, out)
    return out.getvalue()


def on_terminal(width: int, what: Table) -> str:
    out = StringIO()
    target = Console(file=out, width=width, force_terminal=True, color_system="truecolor", markup=False)
    render._print_table(what, target)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_is_only_text(form: Format, title: str) -> None:
    assert not UNSAFE.search(shown(form, table((title, 1, 0.5))))


@pytest.mark.parametrize("title", HOSTILE)
@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_hostile_title_on_a_terminal_changes_nothing_but_its_cell(title: str, width: int) -> None:
    text = on_terminal(width, table((title, 1, 0.5)))
    assert not UNSAFE.search(text)
    assert len(text.splitlines()) == len(on_terminal(width, table(("plain", 1, 0.5))).splitlines())


@given(st.text(max_size=80))
def test_any_text_is_safe_in_any_format(title: str) -> None:
    for form in FORMATS:
        assert not UNSAFE.search(shown(form, table((title, 1, 0.5))))


def test_markup_is_not_obeyed() -> None:
    assert "[bold]x[/bold]" in shown("table", table(("[bold]x[/bold]", 1, 0.5)))


def test_json_of_one_table_is_a_list_and_of_several_an_object() -> None:
    assert json.loads(shown("json", table(("a", 1, None)))) == [{"q": "a", "n": 1, "s": None}]
    other = Table("other", "Other", (Column("x", "X"),), [])
    assert json.loads(shown("json", table(("a", 1, 0.5)), other)) == {
        "markets": [{"q": "a", "n": 1, "s": 0.5}],
        "other": [],
    }


def test_json_lines_of_several_tables_say_which() -> None:
    lines = shown("jsonl", table(("a", 1, 0.5)), table(("b", 2, 0.5))).splitlines()
    assert [json.loads(line)["table"] for line in lines] == ["markets", "markets"]
    assert "table" not in json.loads(shown("jsonl", table(("a", 1, 0.5))))


def test_csv_quotes_what_needs_it() -> None:
    rows = list(csv.reader(StringIO(shown("csv", table(('say "a, b"', 1, 0.5), ("=1+1", -2, None))))))
    assert rows == [["q", "n", "s"], ['say "a, b"', "1", "0.5"], ["'=1+1", "-2", ""]]


def test_a_narrow_terminal_cuts_text_and_leaves_numbers_whole() -> None:
    text = on_terminal(44, table(("a very long question indeed " * 4, 123456789, 0.5)))
    assert "123,456,789" in text
    assert "…" in text
    assert "not shown for lack of width: Score" in text
    assert all(len(line) <= 44 for line in text.splitlines())


def test_a_wide_terminal_shows_everything() -> None:
    assert "not shown" not in on_terminal(200, table(("short", 1, 0.5)))


def test_no_colour_where_there_is_no_terminal() -> None:
    assert "\x1b" not in shown("table", table(("a", 1, 0.5)))


def test_a_path_is_shown_whole_where_a_title_is_cut() -> None:
    path = "data/" + "x" * 100
    columns = (Column("t", "Title"), Column("p", "Path", width_max=200))
    text = shown("table", Table("files", "Files", columns, ((path, path),)))
    assert text.count(path) == 1
    assert "…" in text


def test_an_empty_table_says_so() -> None:
    assert "nothing to show" in shown("table", table())


def test_messages_to_people_are_one_safe_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.say("warning: \x1b[2J evil\ntitle")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert not UNSAFE.search(captured.err)
