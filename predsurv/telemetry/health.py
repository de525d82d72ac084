"""What /healthz and /livez answer: whether a run does its work, why not, and what each venue has to do with it.

Asked in the server's threads: nothing here waits for the event loop, and every age is computed when it is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from predsurv.core.text import sanitise
from predsurv.telemetry.vitals import Vitals

Fields = Mapping[str, object]
"""Further fields of an answer, as JSON can have them."""

_NS: Final = 1_000_000_000


class VenueHealth(Struct, frozen=True, kw_only=True):
    """One venue: what is wrong with it (``causes``; nothing is when empty), a line about it, further fields."""

    venue: str
    causes: Sequence[str] = ()
    line: str = ""
    fields: Fields = {}


class RunHealth(Struct, frozen=True, kw_only=True):
    """A run as its own code sees it: what is wrong as a whole, what is worth a warning only, its venues, other fields.

    ``stuck``: why the run makes no progress though its event loop turns, None when it does: a restart would help.
    """

    causes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    venues: Sequence[VenueHealth] = ()
    fields: Fields = {}
    stuck: str | None = None


class Health(Struct, frozen=True, kw_only=True):
    """An answer: ``ok`` decides between 200 and 503 of /healthz, ``alive`` of /livez. ``loop_age`` in ns."""

    phase: str
    alive: bool
    causes: Sequence[str]
    loop_age: int
    run: RunHealth

    @property
    def ok(self) -> bool:
        """Return whether all is well."""
        return not self.causes

    @property
    def summary(self) -> str:
        """Return the whole answer in one line for people."""
        state = "ok" if self.ok else "NOT OK"
        told = "; ".join(self.causes) or ", ".join(each.line for each in self.run.venues if each.line)
        notes = f" (warning: {'; '.join(self.run.warnings)})" if self.run.warnings else ""
        return sanitise(f"{state}: {told or self.phase}{notes}", 2_000)

    def body(self) -> dict[str, object]:
        """Return the answer as JSON can have it."""
        venues = {
            each.venue: {"ok": not each.causes, "causes": list(each.causes), **each.fields} for each in self.run.venues
        }
        return {
            "ok": self.ok,
            "summary": self.summary,
            "alive": self.alive,
            "phase": self.phase,
            "causes": list(self.causes),
            "warnings": list(self.run.warnings),
            "loop_age_s": round(self.loop_age / _NS, 3),
            "venues": venues,
            **self.run.fields,
        }

    def text(self) -> str:
        """Return the answer as lines for people: the summary, then one line per venue."""
        lines = [self.summary]
        lines += (f"{each.venue}: {'; '.join(each.causes) or each.line or 'ok'}" for each in self.run.venues)
        return "".join(sanitise(line, 2_000) + "\n" for line in lines)


AskHealth = Callable[[], Health]
"""Called in the server's threads."""


def health_of_run(vitals: Vitals, run: RunHealth) -> Health:
    """Return the health of a run: what is wrong as a whole, then what is wrong with each venue.

    A run is alive unless its event loop stands still, or it makes no progress. A run that starts or stops is alive, and
    not ok: its look at itself is of the time before, and a restart would not help.
    """
    age, phase = vitals.age(), vitals.phase
    causes = list(run.causes)
    if phase != "running":
        causes.insert(0, vitals.doing)
    stuck = f"the event loop has stood still for {age / _NS:.1f} s" if vitals.frozen else None
    if stuck is None and phase == "running":
        stuck = run.stuck
    if stuck is not None:
        causes.insert(0, stuck)
    causes += [f"{each.venue}: {cause}" for each in run.venues for cause in each.causes]
    return Health(phase=phase, alive=stuck is None, causes=tuple(causes), loop_age=age, run=run)
