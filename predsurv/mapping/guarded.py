"""Patterns that are looked for only where a text has the letters one of their alternatives begins with.

Rules are long, the classes and sources looked for in them are many, and most are in none: a substring test is far
cheaper than a search by word boundary.
"""

import re
from typing import Final

_START: Final = re.compile(r"(?:\\b)?((?:[a-z0-9 ]|\\\.)+)(.?)")
_LETTERS_MIN: Final = 2


class GuardedPattern:
    """A compiled pattern with literals, one of which every match of it contains; without any it is searched always."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self.literals = literals_of(pattern)

    def found_in(self, text: str) -> bool:
        """Return whether the pattern matches anywhere in ``text``."""
        for literal in self.literals:
            if literal in text:
                break
        else:
            if self.literals:
                return False
        return self._pattern.search(text) is not None


def literals_of(pattern: str) -> tuple[str, ...]:
    """Return literals of which every match of a pattern has one, () where no such are found."""
    found: list[str] = []
    for alternative in _alternatives(pattern):
        literals = _literals_of_one(alternative)
        if not literals:
            return ()
        found.extend(literals)
    return tuple(found)


def _literals_of_one(alternative: str) -> tuple[str, ...]:
    rest = alternative.removeprefix("\\b")
    while rest.startswith("(?"):
        end = _group_end(rest)
        inner, after = rest[:end], rest[end + 1 :]
        if inner.startswith("(?:") and after[:1] not in tuple("?*{"):
            return literals_of(inner[3:])
        rest = after[1:] if inner.startswith("(?:") else after  # optional, or a look around that takes no letter
        rest = rest.removeprefix("\\b")
    match = _START.match(rest)
    if match is None:
        return ()
    literal = match[1].replace("\\.", ".")
    if match[2] in tuple("?*{"):
        literal = literal[:-1]
    return (literal,) if len(literal) >= _LETTERS_MIN else ()


def _group_end(text: str) -> int:
    """Return the index of the bracket that closes the group at the beginning of ``text``."""
    depth = 0
    for index, character in enumerate(text):
        if character in "()" and text[index - 1 : index] != "\\":
            depth += 1 if character == "(" else -1
            if not depth:
                return index
    return len(text)


def _alternatives(pattern: str) -> list[str]:
    """Cut a pattern at the bars that are in no group and no set."""
    found, depth, start, escaped = [], 0, 0, False
    for index, character in enumerate(pattern):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == "|" and not depth:
            found.append(pattern[start:index])
            start = index + 1
    return [*found, pattern[start:]]
