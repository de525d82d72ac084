"""Pieces of the page of a run: texts escaped, amounts and tables."""

from html import escape
from typing import Final

from predsurv.core.num import MICROS
from predsurv.core.text import sanitise

TITLE_CHARS_MAX: Final = 160


def table(head: str, rows: str) -> str:
    """Return a table that may be wider than the page."""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def signed(value: int) -> str:
    """Return a cell with an amount (micros), coloured by its sign."""
    style = ' class="bad"' if value < 0 else ' class="good"' if value > 0 else ""
    return f"<td{style}>{dollars(value)}</td>"


def dollars(value: int) -> str:
    """Return an amount (micros) in dollars."""
    return f"{'−' if value < 0 else ''}${abs(value) / MICROS:,.2f}"


def safe(text: str, limit: int = TITLE_CHARS_MAX) -> str:
    """Return a text of anybody, harmless and cut."""
    return escape(sanitise(text, limit))
