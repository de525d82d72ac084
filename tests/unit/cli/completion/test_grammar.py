"""What the words before the cursor say."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.cli.completion.grammar import CommandWords, OptionWords, meant, parse

FLAG, VALUE = OptionWords("flag", ""), OptionWords("value", "")
TABLE = {
    "": CommandWords("", {"--config": VALUE}),
    "mine": CommandWords("", {}, default="rank"),
    "mine rank": CommandWords("", {"--top": VALUE, "--html": FLAG}, ("venue", "date")),
    "mine explain": CommandWords("", {}, ("market",)),
    "scan": CommandWords("", {"--mock": FLAG}, ("venue",), repeats=True),
}


def test_a_command_its_arguments_and_options_are_told_apart() -> None:
    said = parse(TABLE, ["--config", "a.toml", "scan", "--mock", "kalshi"])
    assert (said.command, said.arguments, said.value_of) == ("scan", ("kalshi",), None)
    assert said.given == {"--config": "a.toml", "--mock": ""}


def test_a_default_command_is_meant_until_another_is_named() -> None:
    assert parse(TABLE, ["mine", "kalshi", "--top"]).value_of == "--top"
    assert meant(TABLE, parse(TABLE, ["mine"]).command) == TABLE["mine rank"]
    assert parse(TABLE, ["mine", "explain"]).command == "mine explain"
    assert parse(TABLE, ["mine", "kalshi", "explain"]).arguments == ("kalshi", "explain")


def test_a_value_after_an_equals_sign_is_one_word_and_nothing_is_an_option_after_two_dashes() -> None:
    assert parse(TABLE, ["mine", "--top=3"]).given == {"--top": "3"}
    assert parse(TABLE, ["mine", "--top=3"]).value_of is None
    said = parse(TABLE, ["scan", "--", "--mock"])
    assert (said.arguments, said.closed) == (("--mock",), True)


@given(st.lists(st.sampled_from(["mine", "rank", "scan", "--top", "--mock", "--x", "--", "-", "=", "a=b", "--top="])))
def test_any_words_are_read(words: list[str]) -> None:
    said = parse(TABLE, words)
    assert said.command in TABLE
    assert said.value_of is None or words[-1] == said.value_of
