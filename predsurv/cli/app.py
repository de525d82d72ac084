"""The entry point: top-level help, exit codes, and one line for every failure.

Imports no parser, so that ``predsurv --help`` costs little more than starting Python; catches every exception of a
command, import errors included, so that a traceback appears only with ``--debug``.
"""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

from predsurv import __version__
from predsurv.cli import streams
from predsurv.cli.command_table import top_help
from predsurv.cli.failures import complain, failure_line, say_interrupted, wants_json
from predsurv.core.errors import (
    FREE_SPACE,
    INTERRUPTED,
    MAKE_WRITABLE,
    PredsurvError,
    exit_code_of,
    is_no_space,
    is_not_allowed,
    leaves,
)
from predsurv.core.text import sanitise

COMPLETE: Final = "__complete"
"""What the script of a shell calls: ``predsurv __complete SHELL WORD...``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; turns every exception into one line on stderr."""
    arguments, debug = _without_debug(sys.argv[1:] if argv is None else argv)
    as_json = wants_json(arguments)
    streams.put_in_order()
    try:
        return _answer(arguments)
    except KeyboardInterrupt:
        say_interrupted(as_json=as_json)
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # the outermost handler: one line and an exit code
        if _is_hung_up(error):
            return _reader_gone()
        if debug:
            sys.__excepthook__(type(error), error, error.__traceback__)
        return _report(error, as_json=as_json)
    finally:
        streams.end_relay()


def _answer(arguments: Sequence[str]) -> int:
    code = _code_of(arguments)
    sys.stdout.flush()  # here an error of it is still ours to handle
    return code


def _code_of(arguments: Sequence[str]) -> int:
    if list(arguments) in ([], ["--help"], ["-h"]):
        print(top_help())
        return 0
    if list(arguments) == ["--version"]:
        print(f"predsurv {__version__}")
        return 0
    if list(arguments[:1]) == [COMPLETE]:
        from predsurv.cli.completion.engine import answer

        print(answer("".join(arguments[1:2]), arguments[2:], os.environ), end="")
        return 0
    # Imported late: the parser takes longer to import than everything above.
    with streams.ending_at_once():
        from predsurv.cli.lazy_typer import run

    return run(arguments)


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the arguments without ``--debug``, and whether it was there; accepted anywhere before ``--``."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


def _report(error: Exception, *, as_json: bool) -> int:
    reasons, code = leaves(error), exit_code_of(error)
    expected = [reason for reason in reasons if isinstance(reason, PredsurvError)]
    odd = next((reason for reason in reasons if not isinstance(reason, PredsurvError)), None)
    if odd is None:
        message = "; ".join(dict.fromkeys(_one_line(str(reason)) for reason in expected))
    elif isinstance(odd, OSError) and odd.strerror:
        message = _refused(odd)
    elif is_no_space(odd) or is_not_allowed(odd):  # what SQLite says of a file
        message = f"{_one_line(str(odd))}; {FREE_SPACE if is_no_space(odd) else MAKE_WRITABLE}"
    else:
        what = f"{type(odd).__name__}: {_one_line(str(odd))}; this is a bug: rerun with --debug and report it"
        line = f"unexpected {what}"
        complain(failure_line(line, code, as_json=True) if as_json else line)
        return code
    complain(failure_line(message, code, as_json=as_json))
    if odd is not None:
        streams.discard_output()  # what could not be printed would fail once more at the end
    return code


def _refused(error: OSError) -> str:
    """Return what the operating system refused; what this user may not do is a matter of configuration."""
    where = f"{_one_line(str(error.filename))}: " if error.filename else ""
    step = "rerun with --debug to see where"
    if is_not_allowed(error):
        step = MAKE_WRITABLE
    elif is_no_space(error):
        step = FREE_SPACE
    return f"{where}{error.strerror}; {step}"


def _is_hung_up(error: Exception) -> bool:
    """Return whether ``error`` is that of writing to a terminal that was closed."""
    return isinstance(error, OSError) and error.errno == errno.EIO and error.filename is None


def _reader_gone() -> int:
    """Exit quietly when the reader of stdout (``head``, a pager, a terminal) is gone."""
    streams.discard_output()
    return 0


def _one_line(text: str) -> str:
    return sanitise(" ".join(text.split()), 1_000)


if __name__ == "__main__":
    sys.exit(main())
