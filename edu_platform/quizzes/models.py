"""Questions, their versions and keys; papers; attempts and answers; standings, limits and mistakes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from edu_platform.core.models import Base, BigId, CreatedAt, PrimaryKey, word
from edu_platform.core.vocabulary import Channel
from edu_platform.quizzes.rules.papers import Counts
from edu_platform.quizzes.rules.reveal import Reveal


class AttemptState(StrEnum):
    """Whether an attempt still takes answers."""

    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"


class QuestionBank(Base):
    """A set of questions that belong together and that papers draw from."""

    __tablename__ = "question_bank"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[CreatedAt]


class Question(Base):
    """A question for its whole life; what it says lies in its versions, `latest` is the newest's number.

    One that is retired is put into no new paper; papers that were published keep the versions they pinned.
    """

    __tablename__ = "question"

    id: Mapped[PrimaryKey]
    ref: Mapped[str] = mapped_column(String(64), unique=True)
    bank_id: Mapped[int] = mapped_column(BigId, ForeignKey("question_bank.id"), index=True)
    latest: Mapped[int]
    created_at: Mapped[CreatedAt]
    retired_at: Mapped[datetime | None]


class QuestionVersion(Base):
    """What a question asks, once; never changed. `content` holds nothing that answers it (see `rules.questions`).

    `digest` is the SHA-256 (hex) over content and key. `author_id` is a staff id by value.
    """

    __tablename__ = "question_version"
    __table_args__ = (UniqueConstraint("question_id", "number"),)

    id: Mapped[PrimaryKey]
    question_id: Mapped[int] = mapped_column(BigId, ForeignKey("question.id"))
    number: Mapped[int]
    content: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))
    author_id: Mapped[int | None] = mapped_column(BigId)
    created_at: Mapped[CreatedAt]


class QuestionKey(Base):
    """What answers a version: right answers, explanation, why the others are wrong, the law it rests on."""

    __tablename__ = "question_key"

    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("question_version.id"), primary_key=True)
    key: Mapped[dict[str, Any]]


class Paper(Base):
    """What a published revision of a quiz holds learners to; an attempt is pinned to the one it began with.

    `source` is `{"parts": [{"count": n, "pool": [version ids]}]}` (a fixed question is a part of its own); `body`
    the quiz's body as it was approved. The columns beside it are what selections ask for.
    """

    __tablename__ = "paper"

    id: Mapped[PrimaryKey]
    revision_id: Mapped[int] = mapped_column(BigId, ForeignKey("revision.id"), unique=True)
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"), index=True)
    body: Mapped[dict[str, Any]]
    source: Mapped[dict[str, Any]]
    counts: Mapped[Counts] = mapped_column(word(Counts))
    reveal: Mapped[Reveal] = mapped_column(word(Reveal))
    closes_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


class Attempt(Base):
    """One sitting. `paper_id` and `piece_id` are empty for practice on one's own mistakes.

    `seed` decides the draw and every order. An erased learner's attempts stay, without `learner_id`, for the
    item statistics. `share` is the score in ten-thousandths of what could be reached, so that papers of
    different length compare; `duration_ms` is by the server's clock; `ends_at` is the deadline plus grace;
    `pass_due_at` is when a pass that may not be told yet will be announced, None when there is none (any more).
    `campaign_code` is what the client gave at the start until `operations.settle_campaign` says better.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        UniqueConstraint("learner_id", "client_id"),
        Index(
            "uq_attempt_in_progress",
            "learner_id",
            "piece_id",
            unique=True,
            sqlite_where=text("state = 'in_progress'"),
            postgresql_where=text("state = 'in_progress'"),
        ),
        Index("ix_attempt_piece", "piece_id", "state"),
        Index("ix_attempt_ends_at", "state", "ends_at"),
        Index("ix_attempt_pass_due_at", "pass_due_at"),
        Index("ix_attempt_campaign", "campaign_code", "piece_id"),
        CheckConstraint("(state = 'submitted') = (submitted_at IS NOT NULL)", name="submitted"),
        CheckConstraint("state = 'in_progress' OR (score IS NOT NULL AND passed IS NOT NULL)", name="scored"),
        CheckConstraint("score IS NULL OR (score >= 0 AND score <= max_score)", name="score"),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("learner.id"))
    paper_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("paper.id"))
    piece_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("piece.id"))
    client_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[AttemptState] = mapped_column(default=AttemptState.IN_PROGRESS)
    elder: Mapped[bool]
    seed: Mapped[bytes] = mapped_column(LargeBinary(32))
    channel: Mapped[Channel]
    campaign_code: Mapped[str | None] = mapped_column(String(64))
    channel_code: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[datetime]
    deadline_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    timed_out: Mapped[bool] = mapped_column(default=False)
    duration_ms: Mapped[int | None] = mapped_column(BigId)
    max_score: Mapped[int]
    score: Mapped[int | None]
    share: Mapped[int | None]
    passed: Mapped[bool | None]
    pass_due_at: Mapped[datetime | None]

    @property
    def is_practice(self) -> bool:
        """Say whether this is practice on one's own mistakes, which counts nowhere."""
        return self.piece_id is None


class AttemptAnswer(Base):
    """One question of an attempt, in its place, and what was answered.

    `answer` is canonical JSON (option indices of the version, a boolean, or texts); None while nothing was
    answered. `points` and `correct` are set when it can no longer change.
    """

    __tablename__ = "attempt_answer"
    __table_args__ = (Index("ix_attempt_answer_version_id", "version_id"),)

    attempt_id: Mapped[int] = mapped_column(BigId, ForeignKey("attempt.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("question_version.id"))
    points: Mapped[int | None]
    correct: Mapped[bool | None]
    answer: Mapped[str | None] = mapped_column(Text)
    saved_at: Mapped[datetime | None]

    @property
    def is_frozen(self) -> bool:
        """Say whether this answer has been judged and can no longer change."""
        return self.points is not None


class AttemptSlot(Base):
    """One numbered place among the attempts that a learner has: the limits are this table's unique key.

    `period` is a day of the branch's calendar (`2026-03-15`), or `total`.
    """

    __tablename__ = "attempt_slot"
    __table_args__ = (UniqueConstraint("learner_id", "piece_id", "period", "slot"),)

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"))
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    period: Mapped[str] = mapped_column(String(10))
    slot: Mapped[int]


class Standing(Base):
    """Where a learner stands in a quiz: the attempt that counts. Locked first by whatever changes their attempts."""

    __tablename__ = "standing"
    __table_args__ = (
        UniqueConstraint("learner_id", "piece_id"),
        Index("ix_standing_rank", "piece_id", "share", "submitted_at", "id"),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"))
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    attempt_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("attempt.id"))
    share: Mapped[int | None]
    score: Mapped[int | None]
    max_score: Mapped[int | None]
    submitted_at: Mapped[datetime | None]
    passed_at: Mapped[datetime | None]


class Mistake(Base):
    """A question that a learner has answered wrongly and not yet rightly since.

    `visible_from` is when its answer may be told; None while that waits for a pass of the quiz `piece_id`.
    """

    __tablename__ = "mistake"
    __table_args__ = (
        UniqueConstraint("learner_id", "question_id"),
        Index("ix_mistake_latest", "learner_id", "wrong_at", "id"),
    )

    id: Mapped[PrimaryKey]
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id"))
    question_id: Mapped[int] = mapped_column(BigId, ForeignKey("question.id"))
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("question_version.id"))
    piece_id: Mapped[int] = mapped_column(BigId, ForeignKey("piece.id"))
    answer: Mapped[str] = mapped_column(Text)
    wrong_at: Mapped[datetime]
    visible_from: Mapped[datetime | None]
