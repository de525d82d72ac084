"""What a table says is applied in its order; what it does not know leaves the fate unknown."""

from hypothesis import given
from hypothesis import strategies as st

from predsurv.core.text import sanitise
from predsurv.venues.answers import CLIENT_ERRORS, AnswerRule, Reply, judge, lost

RULES = (
    AnswerRule(("place",), (400,), "killed", "go_on", "x", b"", text="Fully Filled"),
    AnswerRule(("place",), (400,), "rejected", "halt", "x", b"", code="banned"),
    AnswerRule(("place",), CLIENT_ERRORS, "rejected", "go_on", "x", b""),
    AnswerRule(("cancel",), (503,), "rejected", "retry_after", "x", b"", phase="closed", is_readable=None),
)


def test_the_first_row_that_matches_decides() -> None:
    assert judge(RULES, "place", Reply(400, True, "banned", "was not FULLY FILLED")).fate == "killed"
    assert judge(RULES, "place", Reply(400, True, "banned", "no")).reaction == "halt"
    assert judge(RULES, "place", Reply(404, True, "banned", "no")) == (
        "rejected",
        "go_on",
        "404: banned no",
        "",
        None,
        None,
    )


def test_what_no_row_knows_is_unknown() -> None:
    for reply in (Reply(400, False), Reply(500, True, "x"), Reply(200, True)):
        assert judge(RULES, "place", reply)[:2] == ("unknown", "reconcile")
    assert judge(RULES, "cancel", Reply(400, True, "banned")).fate == "unknown"


def test_the_wait_and_the_phase_go_on() -> None:
    verdict = judge(RULES, "cancel", Reply(503, False, wait_ns=79))
    assert (verdict.wait_ns, verdict.phase, verdict.reason) == (79, "closed", "503")


def test_a_request_that_was_never_answered() -> None:
    assert lost("timed\nout\x1b[31m")[:2] == ("unknown", "reconcile")
    assert "\x1b" not in lost("timed\nout\x1b[31m").reason


@given(st.text(), st.text(), st.integers(0, 999))
def test_reasons_are_harmless_and_short(code: str, text: str, status: int) -> None:
    reason = judge(RULES, "place", Reply(status, True, code, text)).reason
    assert sanitise(reason) == reason
    assert len(reason) <= 130
