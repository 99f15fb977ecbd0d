"""The home feed of an audience, made of the cards as they were rendered.

Which entries stand in an audience's feed is found by a few statements that begin in an index, and known for as long as
the catalogue stays as it is; then only the cards are fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from itertools import zip_longest
from typing import Any

import orjson
from sqlalchemy import Connection

from edu_platform.campaigns import queries
from edu_platform.campaigns.models import Campaign
from edu_platform.campaigns.operations.public import shown
from edu_platform.core.clock import local_day
from edu_platform.core.direct import Direct
from edu_platform.core.vocabulary import Audience
from edu_platform.library import queries as library

MOST_PICKS = 6
MOST_NEW = 6
_IDS = [f"id_{number}" for number in range(MOST_PICKS + MOST_NEW + 1)]
_CARDS = Direct(library.cards_of(len(_IDS)))


@dataclass(frozen=True)
class Chosen:
    """What stands in the feed of one audience: running campaigns, columns with the number of their pieces, ids of entries."""

    running: Sequence[Campaign]
    columns: Sequence[tuple[str, str, str]]
    counts: Mapping[str, int]
    picks: Sequence[int]
    newest: Sequence[int]
    daily_quiz: Sequence[int]


def chosen_for(audience: Audience | None) -> Callable[[Connection, datetime], Chosen]:
    """Return what finds what stands in the feed of an audience (None: everybody); for each the same function, always."""
    return _CHOOSE[audience]


def _choose(connection: Connection, at: datetime, *, audience: Audience | None) -> Chosen:
    """Find what stands in the feed of an audience at a moment, as one state of the database has it.

    Picks are what running campaigns carry for the audience, the latest started first, then what is read
    most. The quiz of the day goes round all quizzes of the audience, by the branch's calendar.
    """
    whose: dict[str, Any] = {} if audience is None else {"audience": audience}
    filters, given = frozenset(whose), {"at": at, **whose}
    with connection.begin():
        running = [row for row in _open_on(connection, local_day(at)) if _is_for(row, audience, at)]
        counted = _COUNTED[audience is not None].rows(connection, given)
        counts: Counter[str] = Counter()
        for column, _, many in counted:
            counts[column] += many
        quizzes = sum(many for _, kind, many in counted if kind == "quiz")
        daily: list[int] = []
        if quizzes:
            turn = {"kind": "quiz", "turn": local_day(at).toordinal() % quizzes}
            daily = [entry for (entry,) in _turn(filters | {"kind"}).rows(connection, {**given, **turn})]
        picks = [entry for row in running for entry in _carried(connection, row, given)]
        if len(set(picks)) < MOST_PICKS:
            read = _first_ones(filters, "most_read").rows(connection, {**given, "most": MOST_PICKS})
            picks += [entry for (entry,) in read]
        newest = _first_ones(filters, "newest").rows(connection, {**given, "most": MOST_NEW})
        columns = _COLUMNS.rows(connection, {})
    return Chosen(
        running, columns, counts, _distinct(picks, MOST_PICKS), [entry for (entry,) in newest], daily
    )


_CHOOSE = {audience: partial(_choose, audience=audience) for audience in (None, *Audience)}
_COLUMNS = Direct(library.column_texts())
_COUNTED = {whose: Direct(library.counted(for_audience=whose)) for whose in (False, True)}


@lru_cache
def _first_ones(filters: frozenset[str], sort: str) -> Direct:
    return Direct(library.first_ones(filters, sort))


@lru_cache
def _turn(filters: frozenset[str]) -> Direct:
    return Direct(library.turn_of_kind(filters))


@lru_cache
def _of_campaign(filters: frozenset[str]) -> Direct:
    return Direct(library.carried(filters))


def _open_on(connection: Connection, day: date) -> Sequence[Campaign]:
    """Return the campaigns that are open on a day, to look at: made of their rows, a session would cost twice as much."""
    return [Campaign(**row) for row in connection.execute(queries.open_on(), {"day": day}).mappings()]


def _is_for(campaign: Campaign, audience: Audience | None, at: datetime) -> bool:
    return campaign.runs_at(at) and (audience is None or audience.value in campaign.audiences)


def _carried(connection: Connection, campaign: Campaign, given: dict[str, Any]) -> list[int]:
    """Return what a campaign carries, in its own order."""
    rows = _of_campaign(frozenset(given) - {"at"}).rows(connection, {**given, "campaign": campaign.code})
    place = {slug: number for number, slug in enumerate(campaign.pieces)}
    return [entry for _, entry in sorted(rows, key=lambda row: (place.get(row[0], len(place)), row[1]))]


def _distinct(entries: Iterable[int], most: int) -> list[int]:
    found: dict[int, None] = {}
    for entry in entries:
        found[entry] = None
        if len(found) == most:
            break
    return list(found)


def home(
    connection: Connection, at: datetime, mine: Chosen, *, audience: Audience | None, hotline: str
) -> bytes:
    """Return the home feed of an audience (None: everybody) as JSON."""
    ids = {*mine.picks, *mine.newest, *mine.daily_quiz}
    named = dict(zip_longest(_IDS, ids))
    cards: dict[int, bytes] = dict(_CARDS.rows(connection, {"at": at, **named}))
    elder = audience is Audience.ELDERLY
    opening = orjson.dumps(
        {
            "audience": audience.value if audience else None,
            "date": local_day(at).isoformat(),
            "elder_mode": {
                "suggested": elder,
                "font_scale": 1.5 if elder else 1.0,
                "read_aloud": elder,
                "untimed_quizzes": elder,
                "large_print_posters": elder,
            },
            "help": {"hotline": hotline, "label": f"一键求助：拨打 {hotline}", "one_tap": f"tel:{hotline}"},
            "campaigns": [shown(row, at) for row in mine.running],
            "columns": [
                {"slug": slug, "title": title, "intro": intro, "pieces": mine.counts.get(slug, 0)}
                for slug, title, intro in mine.columns
            ],
        }
    )
    sections = [
        ("picks", "为您精选", mine.picks),
        ("daily_quiz", "每日一练", mine.daily_quiz),
        ("newest", "最新上架", mine.newest),
    ]
    parts = [
        orjson.dumps({"key": key, "title": title})[:-1]
        + b',"items":['
        + b",".join(cards[entry] for entry in entries if entry in cards)
        + b"]}"
        for key, title, entries in sections
    ]
    return opening[:-1] + b',"sections":[' + b",".join(parts) + b"]}"
