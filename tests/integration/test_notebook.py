"""The notebook runs from its first cell to its last."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from predsurv.core.ids import TradeId
from predsurv.core.records import BookTop, Record, pack_levels
from tests.kit.backtests import books, covered, hours, listed_on
from tests.kit.recordings import record
from tests.kit.trading_samples import YES, S, delta, levels, market, trade

_NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "a-recording.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bid, ask = pack_levels(levels((40, 1_000))), pack_levels(levels((60, 1_000)))
    folder, start = tmp_path / "data" / "demo" / "data", hours(1)
    listed_on(folder, 0, market())
    rows: list[Record] = [*books(YES, start), *books(YES, start + 600 * S), covered(YES, start, hours(2))]
    rows += [delta("bid", 41 + step % 3, step, start + step * 5 * S) for step in range(1, 60)]
    rows += [BookTop(YES, start + step * S, None, bid, ask, trusted=True) for step in (0, 90)]
    rows.append(replace(trade(52, 5, "buy", start + 31 * S), trade_id=TradeId("t")))
    record(folder, hours(2), rows)
    names: dict[str, Any] = {}
    cells = json.loads(_NOTEBOOK.read_text())["cells"]
    ran = [cell for cell in cells if cell["cell_type"] == "code"]
    for cell in ran:
        assert not cell["outputs"], "a notebook is committed without the results of a machine"
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)  # noqa: S102 - our own document
    assert names["busiest"].height > 0
    assert names["spread"] == pytest.approx(0.2)
    assert names["book"].bids
    assert names["result"].summary is not None
