"""What a contract asks to happen, in classes: contracts of different classes of one family are never the same.

Each family was a source of false pairs: headline and perform, nominated and confirmed, settle and touch, win and lead.
"""

import re
from collections.abc import Iterable
from typing import Final

from predsurv.mapping.guarded import GuardedPattern

_FAMILIES: Final = {
    "price": (
        (
            "touch",
            r"\b(?:reach(?:es)?|hits?|touch(?:es)?|dips?|get to|all[- ]time high|how (?:high|low) will"
            r"|falls? to|drops? to)\b(?! piece)",
        ),
        (
            "settle",
            r"\b(?:closes?|settles?|closing|end (?:the )?(?:day|week|month|year|of))\b"
            r"|\bprice\b.{0,120}\b(?:above|below|between|be)\b",
        ),
    ),
    "office": (
        ("nominee", r"\bnomin\w+|\bprimary\b"),
        ("confirm", r"\bconfirm\w*"),
        ("sworn", r"\bsworn|\binaugurat\w+"),
        ("run", r"\bruns? for\b|\benter the race\b|\bannounce.{0,20}(?:run|candidacy)\b|\bcandidate for\b|\bdeclare"),
        (
            "out",
            r"\bouts?\b(?! of ten)|\bleaves?\b|\bresign\w*|\bousted\b|\bremoved\b|\bsteps? down\b"
            r"|\bdepart\w*|\bfired\b|\bcease to be\b|\bimpeach\w*",
        ),
        ("lead", r"\bleads?\b|\bleading\b|\bahead\b"),
        ("drop", r"\bdrops? out\b|\bwithdraws?\b"),
        ("win", r"\bwins?\b|\bwon\b|\bwinners?\b|\bwinning\b|\bchampions?\b|\belected\b|\bvictor\w*"),
    ),
    "show": (
        ("headline", r"\bheadlin\w+"),
        ("host", r"\bhosts?\b|\bhosting\b"),
        ("attend", r"\battend\w*"),
        ("perform", r"\bperform(?:s|er|ers|ing)?\b"),
    ),
    "place": (
        ("top n", r"\btop[- ](?:[2-9]|[1-9][0-9]+|two|three|four|five|ten)\b"),
        ("second", r"\b(?:second|runner[- ]up|2nd|#2|no\.? 2)\b(?! (?:term|round|half|quarter|season|lady|time))"),
        ("third", r"\b(?:third|3rd|#3|no\.? 3)\b(?! (?:term|round|party|quarter|season|time))"),
        ("last", r"\b(?:finish|come|place) (?:in )?last\b|\bwooden spoon\b"),
        ("first", r"#1\b|\bno\.? 1\b|\bnumber one\b|\btop\b|\bbest ai\b|\bfirst place\b"),
    ),
    "law": (
        ("charge", r"\bcharged\b|\bindict\w*"),
        ("convict", r"\bconvict\w*|\bfound guilty\b"),
        ("sentence", r"\bsentenced?\b|\bprison\b|\bjail\b"),
        ("pardon", r"\bpardon\w*|\bcommut\w+"),
        ("arrest", r"\barrest\w*|\bcustody\b"),
        ("acquit", r"\bacquit\w*|\bnot guilty\b"),
    ),
    "product": (("release", r"\breleas\w+|\blaunch\w*|\bships?\b"), ("announce", r"\bannounc\w+|\bunveil\w*")),
    "stage": (
        ("relegated", r"\brelegat\w+"),
        ("promoted", r"\bpromot(?:ed|ion)\b"),
        ("playoffs", r"\b(?:make|miss|reach|qualify for) the (?:\w+ )?(?:playoffs|postseason)\b"),
        ("final", r"\b(?:reach|make|advance to|play in|appear in) the (?:\w+ )?(?:finals?|super bowl|world series)\b"),
        ("semifinal", r"\bsemi-?finals?\b"),
        ("round", r"\bround of [0-9]+|\bquarter-?finals?\b|\bknockout\b|\bgroup [a-l]\b"),
        ("division", r"\b(?:[an]fc|[an]l) (?:north|south|east|west|central)\b|\bdivision\b"),
        ("conference", r"\b(?:eastern|western) conference\b|\b[an]fc champ\w*|\bconference\b"),
        ("seed", r"\bseed\b"),
    ),
    "rate": (
        ("cut", r"\bcuts?\b|\bdecreases?\b|(?<!or )\blowers?\b|\bcutting\b"),
        ("hike", r"\bhikes?\b|\bincreases?\b|\braises?\b"),
        ("hold", r"\bmaintain\w*|\bno change\b|\bunchanged\b|\bholds?\b|\bpauses?\b"),
    ),
    "couple": (
        ("engaged", r"\bengaged\b|\bengagement\b"),
        ("married", r"\bmarr(?:y|ied|iage)\b|\bwed(?:ding)?\b"),
        ("divorced", r"\bdivorc\w+|\bsplit\b|\bbreak up\b"),
        ("pregnant", r"\bpregnan\w+|\bbaby\b"),
    ),
    "truce": (("ceasefire", r"\bcease-? ?fire\b|\btruce\b"), ("peace", r"\bpeace (?:deal|agreement|treaty)\b")),
    "court": (("hear", r"\bhear(?:ing|s)?\b"), ("rule", r"\brul(?:e|es|ing)\b|\boverturn\w*|\bstrike down\b")),
}
_COMPILED: Final = {
    family: tuple((name, GuardedPattern(pattern)) for name, pattern in classes) for family, classes in _FAMILIES.items()
}
_OPPOSITES: Final = re.compile(
    r"\b(?:not|without|never|fail to|fails to|avoid)\b|\bstay in office\b"
    r"|\bremain (?:in office|as)\b|\bstill be\b|\bno\b(?= (?:cuts?|deal|winner)\b)"
)

TELLING: Final = frozenset(
    {
        "top n",
        "second",
        "third",
        "last",
        "relegated",
        "promoted",
        "playoffs",
        "final",
        "semifinal",
        "division",
        "conference",
    }
    | {"seed", "round", "headline", "perform", "attend", "charge", "convict", "sentence", "arrest", "acquit"}
)
"""Classes that tell a contract apart even from one that names no class of their family."""

BETS: Final = (
    ("spread", GuardedPattern(r"\bspread\b|\bhandicap\b|\bwins? by\b|\bmargin\b|\([-+][0-9]")),
    ("total", GuardedPattern(r"\bo/u\b|\btotal\b|\bcombined\b|\bover/under\b|\bscore over\b")),
    ("part", GuardedPattern(r"\b(?:map|game|set) [1-7]\b|\b(?:1st|2nd|first|second) half\b|\bhalf ?time\b|\b[1-4](?:st"
        r"|nd|rd|th) (?:quarter|period|inning)\b|\b1h\b")),
    ("draw", GuardedPattern(r"\bdraw\b|\btie\b|\btied\b")),
    ("both score", GuardedPattern(r"\bboth teams\b|\bbtts\b")),
    ("popular vote", GuardedPattern(r"\bpopular vote\b")),
    ("electoral votes", GuardedPattern(r"\belectoral (?:votes?|college)\b")),
    ("turnout", GuardedPattern(r"\bturnout\b")),
    ("vote share", GuardedPattern(r"\b(?:vote share|share of the vote|percent of the vote|% of the vote)\b")),
    ("primary", GuardedPattern(r"\bprimar(?:y|ies)\b|\bnomin")),
    ("first round", GuardedPattern(r"\bfirst round\b|\b1st round\b")),
    ("runoff", GuardedPattern(r"\brun-?off\b|\bsecond round\b")),
    ("seats", GuardedPattern(r"\bseats?\b|\bmajority\b")),
    (
        "season total",
        GuardedPattern(
            r"\bregular season wins\b|\bwin total\b|\bseason wins\b|\bwins this season\b"
            r"|\bwin (?:more than|at least|over|under|fewer than|less than) [0-9]|\bwin [0-9]+ or (?:more|fewer)\b"
            r"|\b[0-9]+(?:\.5)?\+? (?:wins|games)\b"
        ),
    ),
)  # fmt: skip
"""What a market of a contest bets on other than who wins it; the parts of "primary" and "runoff" are contests of
their own."""


def actions(text: str) -> dict[str, str]:
    """Return the class of every family that a normalised text speaks of: the first that it names."""
    return {
        family: name
        for family, classes in _COMPILED.items()
        if (name := next((name for name, pattern in classes if pattern.found_in(text)), None)) is not None
    }


def bets(text: str) -> frozenset[str]:
    """Return what a normalised text bets on other than the winner, () for a plain contest."""
    return frozenset(name for name, pattern in BETS if pattern.found_in(text))


def is_negated(text: str) -> bool:
    """Return whether a normalised title asks that something does not happen."""
    return _OPPOSITES.search(text) is not None


def conflicts(one: dict[str, str], other: dict[str, str]) -> Iterable[str]:
    """Yield each family in which both texts name a class, and not the same one."""
    return (family for family, name in one.items() if other.get(family, name) != name)
