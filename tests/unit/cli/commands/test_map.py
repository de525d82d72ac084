"""``predsurv map build | list | review | score``: from two universes to approved pairs, and back when rules change."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.cli.app import main
from predsurv.config.mapping_decisions import read_rejected
from predsurv.config.mappings import read_mappings
from predsurv.core.market import Market
from tests.kit.lean_runs import FRAMES, PARSER, RUNNING, run_without
from tests.kit.mapping_pairs import rows, write_pairs
from tests.kit.mapping_universes import markets, write_universe

MAPPINGS = Path("config/mappings.toml")


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Market], list[Market]]:
    monkeypatch.chdir(tmp_path)
    found = markets()
    for venue in found:
        write_universe(tmp_path / "data", venue)
    return found


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["map", *words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def reviewed(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a review with these keys, as if on a terminal."""
    with monkeypatch.context() as patched:
        patched.setattr("predsurv.cli.commands.map.require_terminal", lambda: None)
        patched.setattr("predsurv.cli.commands.map.read_key", keys_of(keys))
        assert main(["map", "review", "--by", "ada", "--top", "3"]) == 0


def keys_of(keys: str) -> Any:
    left = iter(keys)
    return lambda: next(left, "q")


def test_a_build_queues_true_pairs_and_no_vetoed_one(
    listed: tuple[list[Market], list[Market]], capsys: pytest.CaptureFixture[str]
) -> None:
    queue = asked(capsys, "build", "--top", "10000")
    true = {(row["kalshi_ticker"], row["polymarket_question"]) for row in rows() if row["label"] == "1"}
    same = {(row["first_market"], row["second_title"]) for row in queue if row["relation"] == "same"}
    assert len(same & true) >= 0.8 * len(true)
    assert same <= true
    assert not [row for row in queue if row["relation"] == "different"]
    assert asked(capsys, "list", "--top", "10000") == queue
    assert "pairs" in run_without([*PARSER, *FRAMES, *RUNNING], "map", "list").casefold()


def test_without_lists_or_queue_the_next_step_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["map", "build"]) == 2
    assert "predsurv scan kalshi" in capsys.readouterr().err
    assert main(["map", "list"]) == 2
    assert "predsurv map build" in capsys.readouterr().err


def test_a_review_without_a_terminal_is_refused_in_one_line(
    listed: tuple[list[Market], list[Market]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["map", "review"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs a terminal" in line


def test_decisions_are_written_down_and_an_approved_pair_is_suspended_when_its_rules_change(
    listed: tuple[list[Market], list[Market]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(capsys, "build")
    reviewed("ayrs", monkeypatch)
    (approved,) = read_mappings(MAPPINGS)
    assert approved.approved_by == "ada"
    assert len(read_rejected(MAPPINGS)) == 1
    capsys.readouterr()
    states = [row["state"] for row in asked(capsys, "list", "--all", "--top", "10000")]
    assert (states[0], states.count("approved"), states.count("rejected")) == ("approved", 1, 1)
    assert "rejected" not in {row["state"] for row in asked(capsys, "list", "--top", "10000")}

    second = next(each for each in listed[1] if each.market_id in (approved.first.market_id, approved.second.market_id))
    changed = replace(second, rules_hash="another")
    write_universe(Path("data"), [changed if each is second else each for each in listed[1]], "2025-12-01")
    (suspended, *_) = asked(capsys, "list")
    assert suspended["state"] == "suspended"
    assert second.market_id in suspended["differs"]


def test_a_suspended_pair_is_shown_with_what_changed_and_approved_again_or_rejected(
    listed: tuple[list[Market], list[Market]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(capsys, "build")
    reviewed("ayq", monkeypatch)
    (approved,) = read_mappings(MAPPINGS)
    second = next(each for each in listed[1] if each.market_id in (approved.first.market_id, approved.second.market_id))
    rules = f"{second.description} Tomorrowish. A cancelled event resolves 50-50, settled by Chainlink."
    changed = replace(second, rules_hash="another", description=rules)
    write_universe(Path("data"), [changed if each is second else each for each in listed[1]], "2025-12-01")

    reviewed("ayq", monkeypatch)
    shown = capsys.readouterr().out
    assert f"{second.market_id}: rules or their source" in shown
    assert f"{second.market_id} as approved" in shown
    assert "Tomorrowish." in shown
    assert "void: – | half" in shown.replace("\n", " ")
    assert asked(capsys, "list")[0]["state"] == "approved"
    (renewed,) = read_mappings(MAPPINGS)
    assert [each.outcomes for each in renewed.sides()] == [each.outcomes for each in approved.sides()]

    write_universe(Path("data"), listed[1], "2025-12-02")
    assert asked(capsys, "list")[0]["state"] == "suspended"
    reviewed("rq", monkeypatch)
    capsys.readouterr()
    assert read_mappings(MAPPINGS) == ()
    assert asked(capsys, "list", "--all", "--top", "10000")[0]["state"] != "suspended"


def test_a_score_is_one_object_with_its_figures_and_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = asked(capsys, "score", str(write_pairs(tmp_path / "pairs.csv", rows())))
    assert {"pairs", "positives", "precision", "recall", "average_precision", "recall_at_p95", "recall_at_p98"} <= {
        *figures
    }
    assert figures["top3_recall"] >= 0.98
    assert figures["wrong"][0]["evidence"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column kalshi_ticker and polymarket_id"),
        ("kalshi_ticker,polymarket_id,label\nK,P,perhaps\n", "label 'perhaps' is neither 1 nor 0"),
    ],
)
def test_a_file_that_is_no_list_of_pairs_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    assert main(["map", "score", str(path)]) == 2
    assert said in capsys.readouterr().err
