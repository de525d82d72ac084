"""Teams of the North American leagues: the city that Kalshi names, the nickname that Polymarket adds, and codes."""

from typing import Final

from msgspec import Struct

_TEAMS: Final = """
nba atl atlanta hawks; bos boston celtics; bkn brooklyn nets; cha charlotte hornets; chi chicago bulls; cle
 cleveland cavaliers; dal dallas mavericks; den denver nuggets; det detroit pistons; gsw golden_state warriors;
 hou houston rockets; ind indiana pacers; lac los_angeles clippers; lal los_angeles lakers; mem memphis
 grizzlies; mia miami heat; mil milwaukee bucks; min minnesota timberwolves; nop new_orleans pelicans; nyk
 new_york knicks; okc oklahoma_city thunder; orl orlando magic; phi philadelphia 76ers; phx phoenix suns; por
 portland blazers; sac sacramento kings; sas san_antonio spurs; tor toronto raptors; uta utah jazz; was
 washington wizards
nfl ari arizona cardinals; atl atlanta falcons; bal baltimore ravens; buf buffalo bills; car carolina panthers;
 chi chicago bears; cin cincinnati bengals; cle cleveland browns; dal dallas cowboys; den denver broncos; det
 detroit lions; gb green_bay packers; hou houston texans; ind indianapolis colts; jax jacksonville jaguars; kc
 kansas_city chiefs; lv las_vegas raiders; lac los_angeles chargers; la los_angeles rams; mia miami dolphins; min
 minnesota vikings; ne new_england patriots; no new_orleans saints; nyg new_york giants; nyj new_york jets; phi
 philadelphia eagles; pit pittsburgh steelers; sf san_francisco 49ers; sea seattle seahawks; tb tampa_bay
 buccaneers; ten tennessee titans; was washington commanders
mlb ari arizona diamondbacks; atl atlanta braves; bal baltimore orioles; bos boston red_sox; chc chicago cubs;
 cws chicago white_sox; cin cincinnati reds; cle cleveland guardians; col colorado rockies; det detroit tigers;
 hou houston astros; kc kansas_city royals; laa los_angeles angels; lad los_angeles dodgers; mia miami marlins;
 mil milwaukee brewers; min minnesota twins; nym new_york mets; nyy new_york yankees; ath athletics athletics;
 phi philadelphia phillies; pit pittsburgh pirates; sd san_diego padres; sf san_francisco giants; sea seattle
 mariners; stl st_louis cardinals; tb tampa_bay rays; tex texas rangers; tor toronto blue_jays; wsh washington
 nationals
nhl ana anaheim ducks; bos boston bruins; buf buffalo sabres; cgy calgary flames; car carolina hurricanes; chi
 chicago blackhawks; col colorado avalanche; cbj columbus blue_jackets; dal dallas stars; det detroit red_wings;
 edm edmonton oilers; fla florida panthers; la los_angeles kings; min minnesota wild; mtl montreal canadiens; nsh
 nashville predators; nj new_jersey devils; nyi new_york islanders; nyr new_york rangers; ott ottawa senators;
 phi philadelphia flyers; pit pittsburgh penguins; sj san_jose sharks; sea seattle kraken; stl st_louis blues; tb
 tampa_bay lightning; tor toronto maple_leafs; uta utah mammoth; van vancouver canucks; vgk vegas golden_knights;
 wsh washington capitals; wpg winnipeg jets
"""


class Team(Struct, frozen=True):
    """A team: ``city`` and nickname in words (``spelt``), the nickname as one word, ``code`` as tickers have it."""

    league: str
    code: str
    city: tuple[str, ...]
    spelt: tuple[str, ...]

    @property
    def nickname(self) -> str:
        """Return the nickname as one word, which stands for it among canonical words."""
        return "".join(self.spelt)


def _parse() -> tuple[Team, ...]:
    found: list[Team] = []
    for block in _TEAMS.strip().replace("\n ", " ").splitlines():
        league, _, teams = block.partition(" ")
        for each in teams.split(";"):
            code, city, nickname = each.split()
            found.append(Team(league, code, tuple(city.split("_")), tuple(nickname.split("_"))))
    return tuple(found)


TEAMS: Final = _parse()


def _by_nickname() -> dict[str, tuple[Team, ...]]:
    found: dict[str, tuple[Team, ...]] = {}
    for team in TEAMS:
        for form in {team.nickname, team.nickname.removesuffix("s")}:
            found[form] = (*found.get(form, ()), team)
    return found


BY_NICKNAME: Final = _by_nickname()
"""Teams by nickname, with and without its plural."""


def spelt_out(words: list[str], league: str | None) -> list[str]:
    """Return ``words`` with a city and letter ("new york g", "los angeles d") as city and nickname.

    A letter that several teams of the city could stand for, in a league that is not known, stays as it is.
    """
    found = list(words)
    for index, word in enumerate(words):
        if len(word) != 1 or not index:
            continue
        meant = [
            team
            for team in TEAMS
            if tuple(words[max(index - len(team.city), 0) : index]) == team.city
            and team.nickname.startswith(word)
            and (league is None or league == team.league)
        ]
        if len({team.nickname for team in meant}) == 1:
            found[index] = " ".join(meant[0].spelt)
    return [part for each in found for part in each.split()]
