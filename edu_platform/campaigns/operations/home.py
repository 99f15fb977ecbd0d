"""The home feed of an audience, made of the cards as they were rendered.

Which entries stand in which audience's feed is found for all audiences at once and shared by them for as long as the
catalogue stays as it is; for one audience only the cards are fetched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, zip_longest
from typing import Any

import orjson
from sqlalchemy import Connection
from sqlalchemy.orm import Session

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


@dataclass(eq=False)
class Chosen:
    """What stands in the feed of one audience: ids of entries, and how many pieces each column has for it."""

    picks: list[int] = field(default_factory=list)
    newest: list[int] = field(default_factory=list)
    daily_quiz: list[int] = field(default_factory=list)
    columns: defaultdict[str, int] = field(default_factory=partial(defaultdict, int))


@dataclass(frozen=True)
class Overview:
    """What is the same for all audiences: running campaigns, columns, and what was chosen for each (None: everybody)."""

    running: Sequence[Campaign]
    columns: Sequence[Any]
    chosen: Mapping[Audience | None, Chosen]


def overview(connection: Connection, at: datetime) -> Overview:
    """Go through everything visible at `at` once.

    Picks are what running campaigns carry for the audience, the latest started first, then what is read
    most. The quiz of the day goes round all quizzes of the audience, by the branch's calendar.
    """
    with Session(connection) as session:
        opened = session.scalars(queries.open_on(), {"day": local_day(at)})
        running = [row for row in opened if row.runs_at(at)]
    chosen: dict[Audience | None, Chosen] = {audience: Chosen() for audience in (None, *Audience)}
    by_word = {audience.value: mine for audience, mine in chosen.items() if audience}
    everybody = [chosen[None]]
    whose: dict[int, list[Chosen]] = {}
    for entry, word in connection.execute(library.addressed()):
        whose.setdefault(entry, everybody.copy()).append(by_word[word])
    entries = connection.execute(library.standing(), {"at": at}).all()  # the newest first
    for entry, _, _, column, _ in entries:
        for mine in whose.get(entry, everybody):
            mine.columns[column] += 1
            if len(mine.newest) < MOST_NEW:
                mine.newest.append(entry)
    for _, entry in sorted((piece, entry) for entry, piece, kind, _, _ in entries if kind == "quiz"):
        for mine in whose.get(entry, everybody):
            mine.daily_quiz.append(entry)
    read = sorted(
        ((reads, piece, entry) for entry, piece, _, _, reads in entries if reads is not None), reverse=True
    )
    carried = _carried(connection, running, at)
    for audience, mine in chosen.items():
        first = [entry for campaign in _for(running, audience) for entry in carried[campaign.code]]
        picks = (
            entry for entry in chain(first, (row[2] for row in read)) if mine in whose.get(entry, everybody)
        )
        mine.picks = _distinct(picks, MOST_PICKS)
    for mine in chosen.values():
        quizzes = mine.daily_quiz
        mine.daily_quiz = [quizzes[local_day(at).toordinal() % len(quizzes)]] if quizzes else []
    return Overview(running, connection.execute(library.column_texts()).all(), chosen)


def _for(running: Sequence[Campaign], audience: Audience | None) -> Sequence[Campaign]:
    return [row for row in running if audience is None or audience.value in row.audiences]


def _carried(connection: Connection, running: Sequence[Campaign], at: datetime) -> dict[str, list[int]]:
    """Return what each campaign carries, in its own order."""
    if not running:
        return {}
    codes = [campaign.code for campaign in running]
    rows = connection.execute(library.carried(), {"at": at, "codes": codes}).all()
    found = {}
    for campaign in running:
        place = {slug: number for number, slug in enumerate(campaign.pieces)}
        own = [row for row in rows if row.campaign_code == campaign.code]
        own.sort(key=lambda row: place.get(row.slug, len(place)))
        found[campaign.code] = [row.id for row in own]
    return found


def _distinct(entries: Iterable[int], most: int) -> list[int]:
    found: dict[int, None] = {}
    for entry in entries:
        found[entry] = None
        if len(found) == most:
            break
    return list(found)


def home(
    connection: Connection, at: datetime, seen: Overview, *, audience: Audience | None, hotline: str
) -> bytes:
    """Return the home feed of an audience (None: everybody) as JSON."""
    mine, running = seen.chosen[audience], _for(seen.running, audience)
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
            "campaigns": [shown(row, at) for row in running],
            "columns": [
                {
                    "slug": row.slug,
                    "title": row.title,
                    "intro": row.intro,
                    "pieces": mine.columns.get(row.slug, 0),
                }
                for row in seen.columns
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
