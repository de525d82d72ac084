"""Write what the payloads decode to, as ``tests/data/expected`` keeps it: ``python -m tests.data.make_expected``.

Run it after new payloads or an intended change of a decoder, and read the difference before committing it: until then
nothing says that it is right.
"""

import json
from typing import Any

from tests.data.make_polymarket import write
from tests.kit.kalshi_events import as_json, heard
from tests.kit.payloads import DATA, Payloads, available
from tests.kit.polymarket_frames import frame_lines
from tests.kit.polymarket_rows import markets_of


def expected(payloads: Payloads) -> dict[str, Any]:
    """Return the content of each file by its name."""
    folder = payloads.polymarket
    patterns = ("captured/ws_*", "adapter_samples/ws_*", "adapter_samples/clob_book_*")
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if "ws_user" not in path.name]
    names = [str(path.relative_to(folder)) for path in found]
    return {
        "kalshi_frames": {name: as_json(heard(frame)) for name, frame in payloads.kalshi_frames()},
        "polymarket_frames": {name: frame_lines(folder / name) for name in names},
        "polymarket_markets": markets_of(payloads),
    }


def main() -> None:
    """Write the own payloads that have hashes, then what every source that is present decodes to."""
    write()
    for source in available():
        for name, content in expected(source).items():
            path = DATA / "expected" / source.name / f"{name}.json"
            path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
