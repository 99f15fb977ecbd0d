"""Learner numbers, the beacon log, the tallies folded from it, and how far the fold has come.

Words are stored as small numbers here, and days as days since 1970: a beacon is a row of integers, so
that a fold reads hundreds of thousands of them a second. A number once given to a word is never given
to another one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, Integer, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from edu_platform.campaigns.rules import Rule
from edu_platform.core.models import Base, BigId, PrimaryKey
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience


class Scope(StrEnum):
    """What the learner was when the beacon came: signed in, or a visitor."""

    IDENTIFIED = "identified"
    ANONYMOUS = "anonymous"


class Suspicion(StrEnum):
    """Why a beacon is left out of figures by default."""

    FLOOD_MINUTE = "flood_minute"
    FLOOD_DAY = "flood_day"


class Span(StrEnum):
    """How long a tally runs from its first day."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Family(StrEnum):
    """By what a tally is divided; `whole` is not divided."""

    WHOLE = "whole"
    AUDIENCE = "audience"
    CHANNEL = "channel"
    PIECE = "piece"
    ACTION = "action"


class Measure(StrEnum):
    """What a tally counts: reach (触及) or participation (参与); never both in one."""

    REACH = "reach"
    PARTICIPATION = "participation"


# The number of each word in the log and the tallies. Add at the end of the numbers; never renumber.
NUMBERS: dict[type[StrEnum], dict[Any, int]] = {
    DeclaredAudience: {
        DeclaredAudience.UNKNOWN: 0,
        DeclaredAudience.ELDERLY: 1,
        DeclaredAudience.YOUTH: 2,
        DeclaredAudience.NEW_CUSTOMER: 3,
    },
    Channel: {
        Channel.MINI_PROGRAM: 0,
        Channel.WEBSITE: 1,
        Channel.OFFICIAL_ACCOUNT: 2,
        Channel.APP: 3,
        Channel.HALL_SCREEN: 4,
        Channel.OFFLINE: 5,
    },
    Action: {
        Action.EXPOSE: 0,
        Action.VIEW: 1,
        Action.READ_FINISH: 2,
        Action.PLAY_START: 3,
        Action.PLAY_25: 4,
        Action.PLAY_50: 5,
        Action.PLAY_75: 6,
        Action.PLAY_FINISH: 7,
        Action.READ_ALOUD: 8,
        Action.SHARE: 9,
        Action.CALL_HOTLINE: 10,
        Action.QUIZ_START: 11,
        Action.QUIZ_SUBMIT: 12,
        Action.QUIZ_PASS: 13,
        Action.FAVOURITE: 14,
    },
    Scope: {Scope.IDENTIFIED: 0, Scope.ANONYMOUS: 1},
    Rule: {Rule.NAMED: 0, Rule.CHANNEL_CODE: 1, Rule.CARRIES_PIECE: 2, Rule.EVERYDAY: 3},
    Suspicion: {Suspicion.FLOOD_MINUTE: 1, Suspicion.FLOOD_DAY: 2},
    Span: {Span.DAY: 0, Span.MONTH: 1, Span.YEAR: 2},
    Family: {Family.WHOLE: 0, Family.AUDIENCE: 1, Family.CHANNEL: 2, Family.PIECE: 3, Family.ACTION: 4},
    Measure: {Measure.REACH: 0, Measure.PARTICIPATION: 1},
}
WORDS: dict[type[StrEnum], dict[int, Any]] = {
    kind: {number: word for word, number in numbers.items()} for kind, numbers in NUMBERS.items()
}
"""The word of each number."""
EVERYDAY = 0
"""The campaign id of what counts for no campaign."""
EVERYWHERE = -1
"""The campaign id of tallies over all campaigns and everyday education together."""
NO_PIECE = 0
"""The piece id of what concerns no piece."""

_FIRST_DAY = date(1970, 1, 1)
_FIRST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def day_number(day: date) -> int:
    """Return the days since 1970-01-01."""
    return (day - _FIRST_DAY).days


def day_of(number: int) -> date:
    """Return the day that many days after 1970-01-01."""
    return _FIRST_DAY + timedelta(days=number)


def milliseconds(moment: datetime) -> int:
    """Return an aware moment as milliseconds since 1970 (UTC), rounded down."""
    since = moment - _FIRST_MOMENT  # parts cost a quarter of what dividing by a timedelta does
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def moment_of(number: int) -> datetime:
    """Return the moment that many milliseconds after 1970 (UTC)."""
    return _FIRST_MOMENT + number * _MILLISECOND


class Coded(TypeDecorator[StrEnum]):
    """A vocabulary word, stored as its number of `NUMBERS`."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> int | None:
        """Turn the word into its number."""
        del dialect
        return None if value is None else NUMBERS[self.kind][value]

    def process_result_value(self, value: int | None, dialect: Dialect) -> StrEnum | None:
        """Turn the number into its word."""
        del dialect
        return None if value is None else WORDS[self.kind][value]


class DayNumber(TypeDecorator[date]):
    """A day, stored as days since 1970-01-01."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> int | None:
        """Turn the day into its number."""
        del dialect
        return None if value is None else day_number(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> date | None:
        """Turn the number into its day."""
        del dialect
        return None if value is None else day_of(value)


class Milliseconds(TypeDecorator[datetime]):
    """A moment, stored as milliseconds since 1970; refuses naive values, returns aware ones in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Turn the moment into its number."""
        del dialect
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Turn the number into its moment."""
        del dialect
        return None if value is None else moment_of(value)


class PersonNumber(Base):
    """One counted person: a dense number below 2³², which is all that log and tallies know of anybody.

    `same_as` is set when two numbers turn out to be one person: wherever this number was counted, that
    one counts instead. The rest is how fast beacons of this number have come (by the server's clock).
    """

    __tablename__ = "person_number"
    __table_args__ = (Index("ix_person_number_same_as", "same_as"), {"sqlite_autoincrement": True})

    number: Mapped[int] = mapped_column(BigId, primary_key=True)
    same_as: Mapped[int | None] = mapped_column(BigId, ForeignKey("person_number.number"))
    pace_minute: Mapped[int] = mapped_column(BigInteger, default=0)
    pace_in_minute: Mapped[int] = mapped_column(Integer, default=0)
    pace_day: Mapped[int] = mapped_column(Integer, default=0)
    pace_in_day: Mapped[int] = mapped_column(Integer, default=0)


class LearnerNumber(Base):
    """Which number a learner has; several when visitors became one learner. Erasure removes these rows only.

    `merged_into` is the learner that a visitor became.
    """

    __tablename__ = "learner_number"

    learner_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("learner.id"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(BigId, ForeignKey("person_number.number"), index=True)
    merged_into: Mapped[int | None] = mapped_column(BigId, index=True)


class Beacon(Base):
    """One thing that happened, never changed: the log from which everything is counted.

    `beacon_id` is the client's, or one with a colon (which no client may use) for what another room
    announced; it is unique for the person. `occurred_at` is corrected by `skew_ms` where `skewed`.
    `day` is that moment's day in the branch's calendar. `campaign_id` is by value, 0 for everyday
    education; `piece_id` 0 for none. `suspicion` is null for what counts by default. Ids grow in the
    order of commit as the fold sees them: see `operations.log`.
    """

    __tablename__ = "beacon"
    __table_args__ = (
        UniqueConstraint("number", "beacon_id"),
        Index("ix_beacon_day", "day", "campaign_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[PrimaryKey]
    number: Mapped[int] = mapped_column(BigInteger)
    beacon_id: Mapped[str] = mapped_column(String(64))
    occurred_at: Mapped[datetime] = mapped_column(Milliseconds)
    received_at: Mapped[datetime] = mapped_column(Milliseconds)
    day: Mapped[date] = mapped_column(DayNumber)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    rule: Mapped[Rule] = mapped_column(Coded(Rule))
    audience: Mapped[DeclaredAudience] = mapped_column(Coded(DeclaredAudience))
    channel: Mapped[Channel] = mapped_column(Coded(Channel))
    piece_id: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[Action] = mapped_column(Coded(Action))
    scope: Mapped[Scope] = mapped_column(Coded(Scope))
    dwell_ms: Mapped[int | None] = mapped_column(Integer)
    skew_ms: Mapped[int] = mapped_column(BigInteger)
    skewed: Mapped[bool]
    suspicion: Mapped[Suspicion | None] = mapped_column(Coded(Suspicion))


class BeaconArchive(Base):
    """A stretch of the log that lies in the store of files: the rows with ids `first_id` to `last_id`.

    The database lets a row of the log go only when it stands on this list. `digest` names the file and proves
    it; days are those of the earliest and the latest row; `dropped_at` is when the last row had left the log.
    """

    __tablename__ = "beacon_archive"

    id: Mapped[PrimaryKey]
    first_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    last_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    first_day: Mapped[date] = mapped_column(DayNumber)
    last_day: Mapped[date] = mapped_column(DayNumber)
    beacons: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    archived_at: Mapped[datetime]
    dropped_at: Mapped[datetime | None]


class UnsettledAlias(Base):
    """A number that became another's while tallies may still hold it; gone once the fold has replaced it there."""

    __tablename__ = "unsettled_alias"

    number: Mapped[int] = mapped_column(
        BigId, ForeignKey("person_number.number"), primary_key=True, autoincrement=False
    )


class TallyPage(Base):
    """Folded beacons of one family, span and campaign (0: everyday, -1: everything), all its values on one page.

    `figures` are small and say how many there were; `persons` say of whom, for unions (see
    `rules.grouping`). Days are kept for ever. Months and years are made of them when they are long over;
    one is there for everything or not at all.
    """

    __tablename__ = "tally_page"

    family: Mapped[Family] = mapped_column(Coded(Family), primary_key=True)
    span: Mapped[Span] = mapped_column(Coded(Span), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    starts: Mapped[date] = mapped_column(DayNumber, primary_key=True)
    figures: Mapped[bytes]
    persons: Mapped[bytes]


class FoldMark(Base):
    """How far the log has been folded: every beacon up to `last_id` is in the tallies, none after it.

    `turn` grows whenever the tallies change, so that whoever reads them in several steps knows.
    """

    __tablename__ = "fold_mark"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    last_id: Mapped[int] = mapped_column(BigId)
    turn: Mapped[int] = mapped_column(BigInteger, default=0)
    folded_at: Mapped[datetime]
