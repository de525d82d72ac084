"""Files of labelled pairs: the columns that they may have, and what a file without labels means."""

from pathlib import Path

import pytest

from predsurv.core.errors import ConfigError
from predsurv.mapping.labelled import read_labelled
from predsurv.mapping.trial import try_labelled

SPORTS = """poly_event_slug,poly_market_type,kalshi_event_ticker,label,league_or_reason
nba-okc-det-2026-02-25,moneyline,KXNBAGAME-26FEB25OKCDET,1,nba
nhl-edm-la-2026-02-26,moneyline,KXNHLGAME-26FEB26EDMLA,1,nhl
ucl-rma1-ben-2026-02-25,moneyline,KXUCLGAME-26FEB25RMABEN,1,ucl
es2-cas-san-2026-02-28,moneyline,KXLALIGA2GAME-26FEB28CASSAN,1,laliga2
nba-okc-det-2026-02-26,moneyline,KXNBAGAME-26FEB25OKCDET,0,date
nba-okc-det-2026-02-25,spreads,KXNBAGAME-26FEB25OKCDET,0,bet
epl-tot-cry-2026-03-05,moneyline,KXLALIGAGAME-26MAR05TOTCRY,0,league
nba-okc-det-2026-02-25,moneyline,KXMVESPORTSMULTIGAME-26FEB25OKCDET,0,combination
"""

_NAMES = {"WM": "Wes Moore", "MC": "Mark Cuban", "MK": "Mark Kelly"}
UNLABELLED = "kalshi_ticker,kalshi_title,polymarket_id,polymarket_question,close_time_kalshi\n" + "".join(
    f"KXN-28-{code},Will {name} be the Democratic Presidential nominee in 2028?,"
    f"{number},Will {name} win the 2028 Democratic presidential nomination?,2028-11-07T15:00:00Z\n"
    for number, (code, name) in enumerate(_NAMES.items())
)


def written(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_sports_pairs_are_told_apart_by_their_identifiers_alone(tmp_path: Path) -> None:
    trial = try_labelled(written(tmp_path, SPORTS))
    assert (trial.quality.positives, trial.quality.accepted, trial.quality.average_precision) == (4, 0, 1.0)
    relations = {each.pair.comparison.relation for each in trial.wrong}
    assert relations == {"related"}
    assert all(each.score > 0.5 for each in trial.queue[:4])


def test_a_file_without_labels_is_a_list_of_true_pairs(tmp_path: Path) -> None:
    given = read_labelled(written(tmp_path, UNLABELLED))
    assert (given.completed, len(given.pairs), sum(given.labels)) == (True, 9, 3)
    quality = try_labelled(tmp_path / "pairs.csv").quality
    assert (quality.top1_recall, quality.recall_at_p98, quality.accepted) == (1.0, 1.0, 0)


def test_a_table_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    for text in ("kalshi_ticker\nK\n", "kalshi_ticker,polymarket_id,label\nK,P,maybe\n"):
        with pytest.raises(ConfigError, match=r"\A[^\n]*\Z"):
            read_labelled(written(tmp_path, text))
    (tmp_path / "pairs.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"\A[^\n]*\Z"):
        read_labelled(tmp_path / "pairs.csv")
    with pytest.raises(ConfigError, match="No such file"):
        read_labelled(tmp_path / "none.csv")


def test_results_that_disagree_veto_a_pair(tmp_path: Path) -> None:
    rows = [line.split(",") for line in UNLABELLED.splitlines()[1:]]
    head = "kalshi_ticker,kalshi_title,polymarket_id,polymarket_question,label,kalshi_result,polymarket_result\n"
    results = (("yes", "1"), ("no", "0.00"), ("yes", "no"))
    lines = [",".join([*row[:4], "1", *result]) for row, result in zip(rows, results, strict=True)]
    queue = try_labelled(written(tmp_path, head + "\n".join(lines) + "\n")).queue
    vetoes = {each.first: each.comparison.veto for each in queue}
    assert [vetoes[row[0]] for row in rows] == ["", "", "outcome"]
    unknown = read_labelled(written(tmp_path, head + ",".join([*rows[0][:4], "1", "disputed", ""]) + "\n"))
    assert [each.paid for each in (*unknown.first.values(), *unknown.second.values())] == [None, None]
