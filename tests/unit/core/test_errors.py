"""Each error has the place in the tree, and the exit code, that the documentation gives it."""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from predsurv.core import errors
from predsurv.core.errors import PredsurvError, TransientError, disk_refused, is_no_space

_README = Path(__file__).resolve().parents[3] / "README.md"


def _classes(kind: type[PredsurvError]) -> Iterator[type[PredsurvError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _classes(child)


def _documented() -> dict[str, tuple[str, int]]:
    """Return the parent and the exit code of each error of the drawn tree; a child without a code has its parent's."""
    found: dict[str, tuple[str, int]] = {}
    path = [("PredsurvError", 1)]
    for indent, name, about in re.findall(r"^ {4}((?:│   )*)[├└]── (\w+) +(.*)$", errors.__doc__ or "", re.MULTILINE):
        del path[1 + len(indent) // 4 :]
        stated = re.search(r"exit (\d)", about)
        found[name] = (path[-1][0], int(stated[1]) if stated else path[-1][1])
        path.append((name, found[name][1]))
    return found


def test_the_documented_tree_is_the_real_one() -> None:
    real = {kind.__name__: (kind.__mro__[1].__name__, kind.exit_code) for kind in _classes(PredsurvError)}
    assert _documented() == real
    assert len(real) >= 9


def test_the_readme_lists_every_exit_code() -> None:
    (listed,) = re.findall(r"Exit codes: ([^.]+)\.", _README.read_text())
    assert {0, *(kind.exit_code for kind in _classes(PredsurvError))} == set(map(int, re.findall(r"\b\d\b", listed)))


@pytest.mark.parametrize("kind", [errors.TransientError, errors.RateLimited])
def test_the_venues_own_waiting_time_is_kept(kind: type[errors.TransientError]) -> None:
    assert kind("slow down", retry_after_ns=5).retry_after_ns == 5
    assert kind("slow down").retry_after_ns is None


class _Locked(Exception):
    sqlite_errorname = "SQLITE_READONLY_DIRECTORY"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "a/b: Permission denied): let this user"),
        (OSError(errno.EROFS, "Read-only file system"), 2, "(Read-only file system): let this user"),
        (_Locked("attempt to write a readonly database"), 2, "(attempt to write a readonly database): let this user"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), 3, "a/b: No space left on device): free disk space"),
        (OSError("short write"), 3, "(short write): free disk space"),
        (ValueError("x"), 3, "(x): free disk space"),
    ],
)
def test_what_the_disk_refuses_is_transient_and_has_the_code_and_step_of_its_reason(
    error: Exception, code: int, says: str
) -> None:
    refused = disk_refused("cannot compact in data", error)
    assert type(refused) is TransientError
    assert refused.exit_code == code
    assert str(refused).startswith("cannot compact in data (")
    assert says in str(refused)
    assert is_no_space(error) == (getattr(error, "errno", None) == errno.ENOSPC)
    assert TransientError("x").exit_code == 3
