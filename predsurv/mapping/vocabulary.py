"""Names that the venues use for the same thing, and words that say nothing: small tables, an entry per line.

A line is ``canonical words: other spelling, other spelling``. Only what is the same thing belongs here: what is
 merely
alike (nominated and confirmed, announce and release) is told apart by ``actions``.
"""

from typing import Final

from predsurv.mapping.teams import TEAMS

_NAMES: Final = """
fed: federal reserve, fed reserve, fomc, federal open market committee, federal funds, fed funds
ecb: european central bank
boe: bank of england
boj: bank of japan
us: united states, u s, usa, united states of america, america, american
uk: united kingdom, u k, great britain, britain, british
eu: european union
un: united nations
uae: united arab emirates
gop: republican party, republicans, republican, rep
democratic: democratic party, democrats, democrat, dem, dems
scotus: supreme court, u s supreme court, us supreme court
doj: department of justice, justice department
house: house of representatives, us house
bitcoin: btc
ethereum: eth, ether
solana: sol
dogecoin: doge
xrp: ripple
cpi: consumer price index, inflation
gdp: gross domestic product
unemployment: u3, jobless rate, unemployment rate
payrolls: nonfarm payrolls, non farm payrolls, jobs report, jobs added
spx: s p 500, sp500, s p, s and p 500
nasdaq: nasdaq 100, ndx
nvidia: nvda
tesla: tsla
apple: aapl
microsoft: msft
amazon: amzn
google: alphabet, googl, goog, gemini google
meta: facebook
openai: open ai
twitter: x com
nyc: new york city, ny city
dc: washington d c, washington dc
la: los angeles city
super bowl: pro football championship, pro football champion, pro football finals, pro football title, big game,
 superbowl, nfl championship, nfl champion, superbowl lx, super bowl lx, super bowl 60
nba finals: pro basketball finals, pro basketball championship, pro basketball champion, pro basketball title, nba
 championship, nba champion, nba title
world series: pro baseball championship, pro baseball champion, pro baseball finals, mlb world series, mlb
 championship
stanley cup: pro hockey championship, pro hockey champion, pro hockey finals, nhl stanley cup, stanley cup finals,
 nhl championship
nfl: pro football, national football league
nba: pro basketball, national basketball association
mlb: pro baseball, major league baseball
nhl: pro hockey, national hockey league
ncaaf: college football, cfb
ncaab: college basketball, cbb, mens college basketball, ncaa basketball
cfp: college football playoff, college football playoff national championship, college football championship,
 college football national championship
epl: english premier league, premier league
ucl: uefa champions league, champions league
f1: formula 1, formula one
mvp: most valuable player
dpoy: defensive player of year
opoy: offensive player of year
roy: rookie of year
coty: coach of year
afc: american football conference
nfc: national football conference
al: american league
nl: national league
goty: game of year
poty: person of year
aoty: album of year
soty: song of year
roty: record of year
academy award: oscar, oscars, academy awards
golden globe: golden globes
grammy: grammys, grammy award, grammy awards
emmy: emmys
rotten tomatoes: rt score, tomatometer, rotten tomato
president: presidential, presidency, potus
presidential election: us presidential election, u s presidential election
prime minister: pm, premier
governor: gubernatorial, governorship
senator: senatorial
mayor: mayoral, mayoralty
chancellor: chancellorship
pope: papal, papacy
ceasefire: cease fire, truce
ukraine: ukrainian
russia: russian
israel: israeli
iran: iranian
china: chinese
taiwan: taiwanese
venezuela: venezuelan
germany: german
france: french
canada: canadian
mexico: mexican
japan: japanese
brazil: brazilian
zelensky: zelenskyy, zelenskiy
putin: vladimir putin
netanyahu: benjamin netanyahu, bibi netanyahu
maduro: nicolas maduro
xi jinping: president xi
rfk: rfk jr, robert f kennedy jr, robert f kennedy, robert kennedy
aoc: alexandria ocasio cortez, ocasio cortez
shutdown: shut down, gov shutdown
win senate: control the senate, control of the senate
win house: control the house, control of the house
government: govt, gov, federal government
temperature: temp, temps
highest: high, hottest
lowest: low, coldest
ipo: initial public offering, go public, publicly traded, goes public
tweet: tweets, posts on x, x posts
box office: domestic opening, opening weekend gross
nobel peace: nobel peace prize
recession: in recession
tariff: tariffs
ai: artificial intelligence
ufo: ufos, uap, alien, aliens, extraterrestrial
out: oust, ousted, leave, leaves, leaving, left, depart, departs, exit, exits, resign, resigns, removed, step down,
 steps down, no longer, cease be, ceases be, leave office
win: wins, won, winner, winning, victory, victorious, champion, champions, capture, claim, take home
nominee: nominate, nominated, nomination, nominees, nominates
elect: elected, election, elections, elects
confirm: confirmed, confirmation, confirms
cut: cuts, decrease, decreases, lowers, cutting, decreased
rate: interest rates, interest rate
hike: hikes, raise, raises, increase, increases, raised, increased, rise, rises
hold: maintain, maintains, unchanged, no change, hold steady, holds, maintained
reach: hit, hits, reaches, touch, touches, get to
close: closes, settle, settles, closing
announce: announced, announces, announcement
release: released, releases
top: best, number one, no 1, #1
song: track
state: st
movie: film, picture, films, movies
married: marry, marries, wed, marriage
pregnant: pregnancy
lead: leads, leading
attend: attends, attendance
perform: performs, performance, performer
headline: headlines, headliner, headlining
visit: visits
meet: meets, meeting, met
pardon: pardons, pardoned
acquire: acquires, acquisition, buy, buys, purchase
say: says, mention, mentions, said
pass: passes, passed
"""

_STOP: Final = """
a an the will be is are was were been being to of in on at for and or nor their there this that these those it its
his her him he she they them who whom which what when where how why do does did has have had by before after until
till through during from since between as with than then if any all some into about over up per via vs versus v end
start beginning would could should may might can shall not no yes market price value many much long next year day
month week officially official according fc cf sc more less most least greater fewer under below above exceed ever
again also get
"""

_FIRST_WORDS = dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]


def _parse() -> tuple[_FIRST_WORDS, dict[str, str]]:
    phrases: _FIRST_WORDS = {}
    singles: dict[str, str] = {}
    for line in _NAMES.strip().replace("\n ", " ").splitlines():
        name, _, others = line.partition(": ")
        canonical = tuple(name.split())
        for other in others.split(", "):
            spelt = tuple(other.split())
            if len(spelt) == 1 and len(canonical) == 1:
                singles[spelt[0]] = canonical[0]
            else:
                phrases.setdefault(spelt[0], []).append((spelt, canonical))
    for team in TEAMS:
        if len(team.spelt) > 1:
            phrases.setdefault(team.spelt[0], []).append((team.spelt, (team.nickname,)))
        singles[team.nickname] = team.nickname
    for each in phrases.values():
        each.sort(key=lambda phrase: -len(phrase[0]))
    return phrases, singles


PHRASES, WORDS = _parse()
"""Phrases by their first word, longest first, with the words that replace them; and the synonyms of single words."""

STOP_WORDS: Final = frozenset(_STOP.split())
