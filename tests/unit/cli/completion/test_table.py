"""The table of completions is that of the commands as they are."""

from predsurv.cli.completion.table import PATH, format_table, read_table
from tests.kit.completion_table import made


def test_the_table_is_up_to_date() -> None:
    assert read_table() == made(), "run python -m tests.kit.completion_table"


def test_what_is_written_is_read_back() -> None:
    assert format_table(read_table()) == PATH.read_text(encoding="utf-8")


def test_values_are_looked_up_where_they_can_be() -> None:
    commands = made().commands
    assert commands["backtest"].arguments == ("venue", "date")
    assert commands["runs compare"].arguments == ("run", "run")
    assert commands["book"].arguments == ("market",)
    assert (commands["scan"].arguments, commands["scan"].repeats) == (("venue",), True)
    assert commands["trade"].options["--strategy"].kind == "strategy"
    assert commands["collect"].options["--log-file"].kind == "file"
    assert commands["mine"].default == "rank"
    assert not [name for name, each in commands.items() if "--help" not in each.options]
