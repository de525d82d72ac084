"""Make untrusted text safe to show, to log or to use in a path."""

import re
from hashlib import blake2b
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

# C0 and C1 controls, DEL, bidi and invisible format controls, line separators, surrogates, tags.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_PATH_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def sanitise(text: str, limit: int = 512) -> str:
    """Return ``text`` with every control, bidi and surrogate character replaced, cut to ``limit``.

    Length is in characters; a cut text ends in an ellipsis.
    """
    clean = _UNSAFE.sub(REPLACEMENT, text[: limit + 1])
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def sanitise_middle(text: str, limit: int) -> str:
    """Return ``text`` made safe, with an ellipsis in its middle where it is longer than ``limit`` characters.

    Names of one event mostly begin alike, and often end alike too.
    """
    if len(text) <= limit:
        return sanitise(text, limit)
    tail = (limit - 1) // 2
    return sanitise(text[: limit - 1 - tail], limit) + "…" + sanitise(text[-tail:], limit)


def path_component(name: str) -> str:
    """Return a file or folder name for ``name``: itself when safe, else a digest of it.

    Names differing only in case collide on some file systems, so upper case is digested too.
    """
    if _PATH_SAFE.match(name) and name == name.lower():
        return name
    return "h_" + blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
