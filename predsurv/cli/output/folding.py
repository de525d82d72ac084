"""Text folded between words, for a terminal: lines with a hanging indent, and cells of a table."""

import re
from typing import Final

from rich.cells import cell_len, chop_cells

_WORDS: Final = re.compile(r" *[^ ]+(?:(?<=\d) (?:%|¢|ns|ms|[smhdB]|[kMGT]B)(?![^\W_])[^ ]*)?")
"""Words with the space before each; a number keeps its unit."""
_PIECES: Final = re.compile(r"[^/._:=?&-]*[/._:=?&-]+|[^/._:=?&-]+")  # of addresses and paths, each with what ends it


def folded(line: str, width: int, hang: int) -> str:
    """Return ``line`` in rows of at most ``width`` cells, further ones ``hang`` cells in; a longer word stays whole."""
    rows = [""]
    for word in _WORDS.findall(line):
        if rows[-1] and cell_len(rows[-1] + word) > width:
            rows.append(" " * hang + word.lstrip())
        else:
            rows[-1] += word
    return "\n".join(rows)


def folded_cell(text: str, width: int) -> str:
    """Return ``text`` in rows of at most ``width`` cells: folded between words, in a longer one behind punctuation."""
    rows = [""]
    for word in _WORDS.findall(text):
        if cell_len(rows[-1] + word) <= width:
            rows[-1] += word
            continue
        whole = word.lstrip()
        rows.append("")
        for piece in [whole] if cell_len(whole) <= width else _PIECES.findall(whole):
            if rows[-1] and cell_len(rows[-1] + piece) > width:
                rows.append("")
            first, *more = chop_cells(piece, width) if cell_len(piece) > width else [piece]
            rows[-1] += first
            rows += more
    return "\n".join(row for row in rows if row)
