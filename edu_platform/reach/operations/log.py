"""Appending to the log: exactly once, in whatever transaction the caller has open.

The order of ids. A fold takes everything up to an id and must never miss a row that appears later with
a smaller one. SQLite has one writer, so ids appear in order. On PostgreSQL an append holds a shared
advisory lock from before it takes ids until its end; `settled_id` takes the lock exclusively for a
moment, and so knows that every id it sees is committed or gone.

Two appends for one person wait for each other (the write lock; the person's row), so looking for known
ids before inserting is exact; the unique key stands behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import Connection

from edu_platform.campaigns.operations.attribution import VERSIONS, version_text
from edu_platform.core.clock import ZONE
from edu_platform.core.driver import Written
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience
from edu_platform.reach.models import NUMBERS, Scope, Suspicion, moment_of
from edu_platform.reach.rules.intake import Pace

APPEND_LOCK = 7307013
_NUMBERS_AT_ONCE = 400
_LOOKS = 5

# Shanghai keeps no summer time since 1991; what is older is looked up.
_ONE_OFFSET_SINCE = 725_846_400_000
_OFFSET = 8 * 3_600_000
_INSERT = (
    "INSERT INTO beacon (number, beacon_id, occurred_at, received_at, day, campaign_id, rule, audience, channel,"
    " piece_id, action, scope, dwell_ms, skew_ms, skewed, suspicion)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, -1), ?, ? <> 0, nullif(?, 0))"
)
"""Takes numbers and text only: SQLite's driver binds None and bool at twenty times the price of an int."""
_INSERT_NEW = f"{_INSERT} ON CONFLICT (number, beacon_id) DO NOTHING"
# A learner's words as they lie in their row, and as the log has them.
_AUDIENCES = {word.value: number for word, number in NUMBERS[DeclaredAudience].items()}
_CHANNELS = {word.value: number for word, number in NUMBERS[Channel].items()}
_SCOPES = {word.value: number for word, number in NUMBERS[Scope].items()}


class Deed(NamedTuple):
    """One beacon, ready for the log but for the person's number; words as their numbers, times in milliseconds.

    Audience, scope and channel that are None are what the learner's row says at the moment of writing.
    """

    beacon_id: str
    occurred_at: int
    received_at: int
    day: int
    campaign_id: int
    rule: int
    audience: int | None
    channel: int | None
    piece_id: int
    action: int
    scope: int | None
    dwell_ms: int | None
    skew_ms: int
    skewed: bool


@dataclass
class Submission:
    """The deeds of one learner. `paced`: beyond the pace of a person they become suspect.

    `generation` is that of the token they came with, `version` that of what they were judged by: both are
    compared when they are written, for many submissions at once. Without them the caller has looked already.
    """

    learner_id: int
    deeds: Sequence[Deed]
    paced: bool = True
    generation: int | None = None
    version: str | None = None


@dataclass
class Outcome:
    """What became of a submission: ids now in the log, ids that already were.

    Nothing was written when the learner no longer is, or the token no longer good (`gone`), and when what it was
    judged by has changed meanwhile (`stale`).
    """

    accepted: int = 0
    duplicate: list[str] = field(default_factory=list)
    suspect: int = 0
    gone: bool = False
    stale: bool = False


class Repeated(Exception):
    """Something written hopefully was there already; the transaction is to be given up and done with care."""


@dataclass
class _Person:
    number: int
    family: list[int]
    pace: Pace
    known: set[str] = field(default_factory=set)
    moved: bool = False


def deed(
    *,
    beacon_id: str,
    occurred_at: int,
    received_at: int,
    campaign_id: int,
    rule: int,
    audience: DeclaredAudience,
    channel: Channel,
    piece_id: int,
    action: Action,
    scope: Scope,
    dwell_ms: int | None = None,
    skew_ms: int = 0,
    skewed: bool = False,
) -> Deed:
    """Build a deed; the day is that of `occurred_at` in the branch's calendar."""
    return Deed(
        beacon_id,
        occurred_at,
        received_at,
        local_day_number(occurred_at),
        campaign_id,
        rule,
        NUMBERS[DeclaredAudience][audience],
        NUMBERS[Channel][channel],
        piece_id,
        NUMBERS[Action][action],
        NUMBERS[Scope][scope],
        dwell_ms,
        skew_ms,
        skewed,
    )


def local_day_number(milliseconds: int) -> int:
    """Return the day of the branch's calendar on which a moment falls, as days since 1970."""
    if milliseconds >= _ONE_OFFSET_SINCE:
        return (milliseconds + _OFFSET) // 86_400_000
    moment = moment_of(milliseconds).astimezone(ZONE)
    offset = moment.utcoffset() or timedelta()
    return (milliseconds + offset // timedelta(milliseconds=1)) // 86_400_000


def append(
    connection: Connection, submissions: Sequence[Submission], *, hopeful: bool = False
) -> list[Outcome]:
    """Append what is new of each submission, in order, and say what became of it. The caller commits.

    `hopeful`: write without looking first whether any of it is there already, as nearly always nothing is; raise
    `Repeated` when something was.
    """
    sql = _Sql(connection)
    sql.begin_append()
    asked = [one.learner_id for one in submissions if one.generation is not None]
    senders = sql.senders(sorted(set(asked))) if asked else {}
    version = sql.version() if any(one.version is not None for one in submissions) else None
    refused = [_refusal(one, senders, version) for one in submissions]
    persons = _persons(
        sql, {one.learner_id for one, no in zip(submissions, refused, strict=True) if no is None}
    )
    for learner_id, whose in persons.items():
        if not hopeful or len(whose.family) > 1:
            whose.known |= sql.known(whose.family, _ids_of(learner_id, submissions))
    outcomes: list[Outcome] = []
    rows: list[tuple[Any, ...]] = []
    for submission, no in zip(submissions, refused, strict=True):
        person = persons.get(submission.learner_id)
        if no is not None or person is None:
            outcomes.append(no or Outcome(gone=True))
        else:
            outcomes.append(_append_one(submission, person, senders.get(submission.learner_id), rows))
    if rows:
        written = sql.many(_INSERT_NEW if hopeful else _INSERT, rows)
        if hopeful and written != len(rows):
            raise Repeated
    paces = {
        person.number: (
            person.pace.minute, person.pace.in_minute, person.pace.day, person.pace.in_day, person.number
        )
        for person in persons.values()
        if person.moved
    }  # fmt: skip
    if paces:
        sql.many(
            "UPDATE person_number SET pace_minute = ?, pace_in_minute = ?, pace_day = ?, pace_in_day = ?"
            " WHERE number = ?",
            [paces[number] for number in sorted(paces)],
        )
    return outcomes


def _refusal(submission: Submission, senders: Mapping[int, _Sender], version: str | None) -> Outcome | None:
    if submission.generation is not None:
        sender = senders.get(submission.learner_id)
        if sender is None or sender.generation != submission.generation:
            return Outcome(gone=True)
    if submission.version is not None and submission.version != version:
        return Outcome(stale=True)
    return None


def _append_one(
    submission: Submission, person: _Person, sender: _Sender | None, rows: list[tuple[Any, ...]]
) -> Outcome:
    deeds = submission.deeds
    if person.known:
        duplicate = [one.beacon_id for one in deeds if one.beacon_id in person.known]
        deeds = [one for one in deeds if one.beacon_id not in person.known]
    else:
        duplicate = []
    fresh = {one[0] for one in deeds}
    if len(fresh) != len(deeds):  # the same id twice in one batch: the first is it
        deeds, again = _firsts(deeds)
        duplicate += again
    person.known |= fresh
    outcome = Outcome(len(deeds), duplicate)
    if not deeds:
        return outcome
    suspicions: Iterable[int] = repeat(0)
    if submission.paced:
        person.moved = True
        minute = deeds[0].received_at // 60_000
        day = local_day_number(deeds[0].received_at)
        if not person.pace.take_together(len(deeds), minute=minute, day=day):
            taken = [person.pace.take(minute=minute, day=day) for _ in deeds]
            suspicions = [0 if one is None else NUMBERS[Suspicion][one] for one in taken]
            outcome.suspect = sum(one is not None for one in taken)
    number = person.number
    _, audience, channel, scope = sender or (None, None, None, None)
    rows += [
        (
            number, name, occurred_at, received_at, when, campaign_id, rule,
            audience if theirs is None else theirs, channel if through is None else through,
            piece_id, action, scope if kind is None else kind,
            -1 if dwell_ms is None else dwell_ms, skew_ms, 1 if skewed else 0, why,
        )
        for (
            name, occurred_at, received_at, when, campaign_id, rule, theirs, through,
            piece_id, action, kind, dwell_ms, skew_ms, skewed,
        ), why in zip(deeds, suspicions, strict=False)
    ]  # fmt: skip
    return outcome


def _firsts(deeds: Sequence[Deed]) -> tuple[list[Deed], list[str]]:
    seen: set[str] = set()
    firsts, again = [], []
    for one in deeds:
        if one.beacon_id in seen:
            again.append(one.beacon_id)
        else:
            seen.add(one.beacon_id)
            firsts.append(one)
    return firsts, again


def settled_id(connection: Connection) -> int:
    """Return an id up to which no row of the log will appear any more (0 for an empty log)."""
    if connection.dialect.name == "sqlite":
        return _Sql(connection).number("SELECT coalesce(max(id), 0) FROM beacon")
    point = connection.begin_nested()
    try:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({APPEND_LOCK})")
        return _Sql(connection).number("SELECT coalesce(max(id), 0) FROM beacon")
    finally:
        point.rollback()  # lets go of the lock at once


def _ids_of(learner_id: int, submissions: Iterable[Submission]) -> list[str]:
    return [one.beacon_id for each in submissions if each.learner_id == learner_id for one in each.deeds]


def _persons(sql: _Sql, learner_ids: Collection[int]) -> dict[int, _Person]:
    """Return the person behind each learner that still is, giving numbers to those who have none."""
    ordered = sorted(learner_ids)
    for _ in range(_LOOKS):
        numbers = sql.numbers_of(ordered)
        for learner_id in ordered:
            if learner_id not in numbers:
                given = sql.give_number(learner_id)
                if given is not None:
                    numbers[learner_id] = given
        people: dict[int, _Person] = {}
        rows = sql.person_rows(sorted(set(numbers.values())))
        for number, same_as, *pace in rows:
            if same_as is None:
                people[number] = _Person(number, [number], Pace(*pace))
        for number, same_as, *_ in rows:
            if same_as in people:
                people[same_as].family.append(number)
        if all(number in people for number in numbers.values()):
            break
        # One of them became another's while we waited for its row (PostgreSQL): look again.
    return {learner_id: people[number] for learner_id, number in numbers.items()}


class _Sender(NamedTuple):
    """What a learner's row says at the moment of writing, as the log's numbers."""

    generation: int
    audience: int
    channel: int
    scope: int


class _Sql(Written):
    """The few statements of appending."""

    def begin_append(self) -> None:
        if not self.sqlite:
            self.connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({APPEND_LOCK})")

    def version(self) -> str:
        return version_text(*self.rows(VERSIONS)[0])

    def senders(self, learner_ids: Sequence[int]) -> dict[int, _Sender]:
        """Return those of these learners that still are."""
        found = self.rows(
            "SELECT id, generation, audience, channel, kind FROM learner"  # noqa: S608 - fixed text
            f" WHERE {self.among('id')} AND erased_at IS NULL AND merged_into_id IS NULL",
            (self.listed(learner_ids),),
        )
        return {
            row[0]: _Sender(row[1], _AUDIENCES[row[2]], _CHANNELS[row[3]], _SCOPES[row[4]]) for row in found
        }

    def number(self, statement: str) -> int:
        return int(self.rows(statement)[0][0])

    def numbers_of(self, learner_ids: Sequence[int]) -> dict[int, int]:
        found = self.rows(
            f"SELECT learner_id, number FROM learner_number WHERE {self.among('learner_id')}",  # noqa: S608 - fixed text
            (self.listed(learner_ids),),
        )
        return {row[0]: row[1] for row in found}

    def give_number(self, learner_id: int) -> int | None:
        """Give a learner a number; None when the learner is erased, merged or never was."""
        lock = "" if self.sqlite else " FOR SHARE"
        there = self.rows(
            f"SELECT 1 FROM learner WHERE id = ? AND erased_at IS NULL AND merged_into_id IS NULL{lock}",  # noqa: S608
            (learner_id,),
        )
        if not there:
            return None
        number = self.rows(
            "INSERT INTO person_number (pace_minute, pace_in_minute, pace_day, pace_in_day)"
            " VALUES (0, 0, 0, 0) RETURNING number"
        )[0][0]
        made = self.rows(
            "INSERT INTO learner_number (learner_id, number) VALUES (?, ?)"
            " ON CONFLICT DO NOTHING RETURNING number",
            (learner_id, number),
        )
        if made:
            return int(made[0][0])
        return self.numbers_of([learner_id])[learner_id]  # somebody else was first; theirs holds

    def person_rows(self, numbers: Sequence[int]) -> list[Any]:
        """Return number, same_as and pace of these numbers and of their aliases; PostgreSQL locks them in order."""
        lock = "" if self.sqlite else " FOR UPDATE"
        rows: list[Any] = []
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
            some = self.listed(numbers[start : start + _NUMBERS_AT_ONCE])
            rows += self.rows(
                "SELECT number, same_as, pace_minute, pace_in_minute, pace_day, pace_in_day FROM person_number"  # noqa: S608
                f" WHERE {self.among('number')} OR {self.among('same_as')} ORDER BY number{lock}",
                (some, some),
            )
        return rows

    def known(self, family: Sequence[int], ids: Sequence[str]) -> set[str]:
        found = self.rows(
            f"SELECT beacon_id FROM beacon WHERE {self.among('number')} AND {self.among('beacon_id')}",  # noqa: S608
            (self.listed(family), self.listed(ids)),
        )
        return {row[0] for row in found}
