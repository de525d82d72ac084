"""The faults of the mock venue (``mock.faults``): ``drop@5s``, ``freeze@12s:3s`` …

The words are those of ``predsurv.exchange.fault_script``, without repetition: everything happens once.
"""

from collections.abc import Iterable
from typing import Final

from predsurv.core.errors import ConfigError
from predsurv.exchange.fault_script import FaultEntry, FaultKinds, FaultSchedule, ScriptedFault, parse_entry

FAULTS_MAX: Final = 1_000

FAULT_KINDS: Final = FaultKinds(
    {
        "drop": 500_000_000,  # the connection is reset, and refused for that long
        "gap": 0,  # some changes of one book are lost
        "freeze": 3_000_000_000,  # the connection stays open and delivers nothing for that long
        "malformed": 0,  # a message cannot be read
        "overflow": 0,  # messages are dropped
        "unknown": 0,  # a message of a new kind arrives
        "timeout": 0,  # the answer to the next order is lost; of interest to brokers only
    }
)


def parse_faults(texts: Iterable[str]) -> tuple[ScriptedFault, ...]:
    """Return the faults in order of time; raises ConfigError naming the text that is none."""
    faults = sorted(_parse(text) for text in texts)
    if len(faults) > FAULTS_MAX:
        raise ConfigError(f"mock.faults: {len(faults)} entries, at most {FAULTS_MAX} are possible; remove some")
    return tuple(faults)


def schedule(faults: Iterable[ScriptedFault]) -> FaultSchedule:
    """Return a schedule of ``faults``, each of which happens once."""
    return FaultSchedule(FaultEntry(fault) for fault in faults)


def _parse(text: str) -> ScriptedFault:
    try:
        entry = parse_entry(text.strip(), FAULT_KINDS)
    except ValueError:
        raise _refused(text) from None
    if "/" in text or entry.drawn or entry.fault.everywhere:
        raise _refused(text)
    return entry.fault


def _refused(text: str) -> ConfigError:
    forms = ", ".join(f'"{kind}@5s:3s"' if lasts else f'"{kind}@5s"' for kind, lasts in FAULT_KINDS.lasting.items())
    return ConfigError(f"mock.faults: {text[:64]!r} is not a fault; write one of {forms} (the part after ':' may go)")
