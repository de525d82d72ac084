"""Every format of every table: complete, parseable, and safe whatever a venue calls its markets."""

import csv
import json
import re
from io import BytesIO, StringIO, TextIOWrapper
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from predsurv.cli.options import Format
from predsurv.cli.output import render
from predsurv.cli.output.render import Column, Table, Value, say, show

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
    assert len(text.splitlines()) == len(on_terminal(width, table(("a plain title", 1, 0.5))).splitlines())


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
    text = on_terminal(40, table(("a very long question indeed " * 4, 123456789, 0.5)))
    assert "123,456,789" in text
    assert "…" in text
    assert "not shown for lack of width: Score" in text
    assert all(len(line) <= 40 for line in text.splitlines())


def column_of(text: str, title: str, width: int) -> list[str]:
    """The first ``width`` characters of each row from where the heading ``title`` stands."""
    lines = text.splitlines()
    start = lines[1].index(title)
    return [line[start : start + width].strip() for line in lines[3:]]


def test_titles_are_cut_where_they_stay_different() -> None:
    months = [f"Will the price of Ether be above $3,000 at the end of {month}?" for month in ("June", "July", "August")]
    teams = [f"Will {team} win their match in the cup of this year?" for team in ("Rovers", "United", "Town")]
    for titles in (months, teams, months + teams):
        text = on_terminal(44, table(*((title, 1, 0.5) for title in titles)))
        cut = column_of(text, "Question", 12)[: len(titles)]
        assert all("…" in title for title in cut), text
        assert len(set(cut)) == len(titles), text


def test_what_is_copied_is_never_cut_and_what_is_read_is_wrapped() -> None:
    run, about = "20270115T000000000Z-backtest-mock", "how far below the middle of the book a trade must be"
    columns = (
        Column("r", "Run", fit="whole", keep=9),
        Column("a", "About", fit="wrap", keep=9),
        Column("n", "N", "int"),
    )
    text = on_terminal(48, Table("runs", "Runs", columns, [(run, about, 1)]))
    assert run in text
    assert about in " ".join(column_of(text, "About", 60))
    assert "not shown for lack of width: N" in text
    assert all(len(line) <= 48 for line in text.splitlines())


@pytest.mark.parametrize("width", [30, 66, 80, 83])
def test_where_what_is_copied_has_no_room_each_cell_has_a_line(width: int) -> None:
    columns = (
        Column("order", "Order", keep=9, fit="whole"),
        Column("question", "Market", keep=2),
        Column("price", "Price", "micros", "$", keep=9),
        Column("state", "State", keep=9),
    )
    rows = [(f"0x{digit * 64}", "Will Rovany host the summit?", 260_000, "open") for digit in "ab"]
    lines = [
        line.rstrip() for line in on_terminal(width, Table("orders", "Orders", columns, rows, "a note")).split("\n")
    ]
    text = "".join(lines)  # a terminal goes on in its next row
    assert all(f"0x{digit * 64}" in text for digit in "ab")
    assert text.count("Will Rovany host the summit?") == text.count("Price ($)") == text.count("State") == 2
    assert "0.26" in text
    assert "not shown" not in text
    assert "a note" in text


def test_where_what_is_copied_has_room_it_is_a_table() -> None:
    columns = (Column("order", "Order", keep=9, fit="whole"), Column("side", "Side", keep=9))
    shown = on_terminal(72, Table("orders", "Orders", columns, [("0x" + "a" * 64, "sell")]))
    assert shown.splitlines()[-1].split() == ["0x" + "a" * 64, "sell"]


def test_what_its_beginning_names_is_cut_at_its_end_and_before_other_columns_go() -> None:
    columns = (Column("run", "Run", keep=9, fit="head", width_min=20), Column("state", "State", keep=1, fit="whole"))
    runs = Table(
        "runs", "Runs", columns, [(f"20261130T13{n:02}03728Z-backtest-polymarket", "complete") for n in (1, 2)]
    )
    lines = on_terminal(30, runs).splitlines()
    assert [line.split() for line in lines[3:5]] == [[f"20261130T13{n:02}03728Z…", "complete"] for n in (1, 2)]
    assert "20261130T130103728Z-backtest-polymarket" in on_terminal(80, runs)


def test_a_column_that_says_nothing_is_for_programs_alone() -> None:
    columns = (Column("q", "Market"), Column("b", "Baskets", "int", if_any=True))
    none, some = (Table("t", "T", columns, [("a", 0), ("b", count)]) for count in (None, 2))
    assert "Baskets" not in on_terminal(80, none)
    assert "Baskets" in on_terminal(80, some)
    assert json.loads(shown("json", none)) == [{"q": "a", "b": 0}, {"q": "b", "b": None}]


def test_columns_that_are_left_out_are_named_so_that_they_are_understood_alone() -> None:
    columns = (
        Column("q", "Market", keep=9),
        Column("c", "Cost", "micros", "$", keep=9),
        Column("m", "at mid", "micros", "$", of="Unrealised"),
        Column("s", "Cost", "micros", "$/share"),
    )
    text = on_terminal(24, Table("t", "T", columns, [("Will it?", 1, 2, 3)], note="a note of more than a line " * 3))
    notes = text.splitlines()[4:]
    assert "not shown for lack of width: Unrealised at mid ($), Cost ($/share)" in " ".join(map(str.strip, notes))
    assert all(line.startswith("  ") and line == line.rstrip() and len(line) <= 24 for line in notes)


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


def test_people_see_the_first_rows_and_programs_all_of_them() -> None:
    long = replace(table(*((f"row {number}", number, 0.5) for number in range(5))), first=2)
    shown_ = on_terminal(80, long)
    assert "row 1" in shown_
    assert "row 2" not in shown_
    assert "3 more; --format json or csv has all of them" in shown_
    assert len(json.loads(shown("json", long))) == 5
    assert "more;" not in on_terminal(80, replace(long, first=5))


def test_an_empty_table_says_so() -> None:
    assert "nothing to show" in shown("table", table())


def test_messages_to_people_are_one_safe_line(capsys: pytest.CaptureFixture[str]) -> None:
    render.say("warning: \x1b[2J evil\ntitle")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert not UNSAFE.search(captured.err)


def test_lines_for_a_terminal_hang_and_others_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "13:04:58.449 fill      buy 5 @ 0.34 fee 0.22      Yes: Will Ether close June in $2.5k or higher than that?"
    say(line)
    assert capsys.readouterr().err == f"{line}\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    say(line, 13)
    first, second, end = capsys.readouterr().err.split("\n")
    assert (line.startswith(first), second, end) == (True, "             $2.5k or higher than that?", "")


class Ascii(TextIOWrapper):
    def __init__(self) -> None:
        self.bytes = BytesIO()
        super().__init__(self.bytes, encoding="ascii", errors="replace")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_loses_nothing_where_the_stream_is_not_unicode(form: Literal["json", "jsonl"]) -> None:
    stream = Ascii()
    show(Table("t", "T", (Column("name", "Name"),), [("Sørensen 3¢",)]), form, stream)
    told = json.loads(stream.bytes.getvalue())
    assert (told[0] if form == "json" else told)["name"] == "Sørensen 3¢"


def test_a_bar_gives_way_to_a_title_that_would_be_cut() -> None:
    columns = (Column("q", "Market", keep=9), Column("s", "Score", "bar", keep=9), Column("n", "Trades", "int", keep=3))
    rows = [("Will Aldermoor Town win the Oskerland Cup?", 0.5, 7)]
    narrow, wide = (on_terminal(width, Table("t", "T", columns, rows)) for width in (60, 80))
    assert "Will Aldermoor Town win the Oskerland Cup?  0.50 " in narrow
    assert "Will Aldermoor Town win the Oskerland Cup?  █████      0.50 " in wide
    assert "7" in narrow.splitlines()[3], "no other column comes or goes"


def test_a_heading_is_not_cut_for_its_column_has_short_texts() -> None:
    columns = (
        Column("run", "Run", keep=9, fit="whole"),
        Column("q", "Ended in order", keep=9),
        Column("n", "N", "int"),
    )
    shown = on_terminal(60, Table("t", "T", columns, [("20261130T192503492Z-mock-of-a-longer-name", "yes", 1)]))
    assert "Ended in order" in shown


def test_a_wide_terminal_has_more_of_a_title_before_it_has_more_columns() -> None:
    numbers = tuple(Column(f"n{index}", f"A long heading {index}", "int", keep=index % 9) for index in range(12))
    columns = (Column("q", "Market", keep=9), *numbers)
    rows = [("Will the Oskerland parliament pass a bill?", *range(12))]
    assert "Will the Oskerland parliament pass a bill?" in on_terminal(215, Table("t", "T", columns, rows))


def test_an_address_is_wrapped_behind_its_punctuation() -> None:
    columns = (Column("k", "Key", fit="whole"), Column("v", "Value", keep=9, width_min=12, fit="wrap"))
    shown = on_terminal(30, Table("t", "T", columns, [("url", "https://gamma-api.polymarket.com/markets")]))
    assert [line.split() for line in shown.splitlines()[3:]] == [
        ["url", "https://gamma-api."],
        ["polymarket.com/markets"],
    ]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_what_is_for_people_alone_is_no_matter_of_programs(form: Format) -> None:
    columns = (Column("k", "Key"), Column("short", "From", only="people"), Column("long", "From", only="machine"))
    told = Table("t", "T", columns, [("a", "brief", "in full")])
    assert "brief" not in shown(form, told)
    assert "in full" in shown(form, told)
    assert "brief" in on_terminal(80, told)
    assert "in full" not in on_terminal(80, told)
