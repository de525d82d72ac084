"""The fault script of a simulator (``--faults``): words and presets, bounded, refused with an explanation."""

from typing import Final

from msgspec.structs import replace

from predsurv.core.errors import ConfigError
from predsurv.core.text import sanitise
from predsurv.exchange.fault_script import FaultEntry, FaultKinds, FaultSchedule, parse_entry

ENTRIES_MAX: Final = 1_000


def read_script(text: str, kinds: FaultKinds, seed: int) -> FaultSchedule:
    """Return the schedule of ``text``: words and names of presets, separated by spaces or commas.

    Raises ConfigError that names the word which is no fault.
    """
    words = [
        part
        for word in text.replace(",", " ").split()
        for part in (kinds.presets[word].split() if word in kinds.presets else [word])
    ]
    if len(words) > ENTRIES_MAX:
        raise ConfigError(f"--faults: {len(words)} faults, at most {ENTRIES_MAX} are possible; remove some")
    return FaultSchedule([_entry(word, kinds) for word in words], seed)


def _entry(word: str, kinds: FaultKinds) -> FaultEntry:
    try:
        entry = parse_entry(word, kinds)
    except ValueError:
        names = ", ".join([*kinds.presets, *kinds.lasting])
        raise ConfigError(
            f"--faults: {sanitise(word, 64)!r} is not a fault; write KIND@5s, KIND@5s:3s (lasting), KIND@5s/20s "
            f"(again every 20s), KIND~20s (at random) or KIND-all@5s; there are {names}"
        ) from None
    # A length of zero means the default one here.
    lasts = entry.fault.lasts or kinds.lasting[entry.fault.kind]
    return replace(entry, fault=replace(entry.fault, lasts=lasts))
