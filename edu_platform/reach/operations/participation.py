"""What other rooms announce counts as participation without a beacon, once each, in their transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from edu_platform.campaigns.operations.attribution import snapshot
from edu_platform.campaigns.rules import Rule, attribute
from edu_platform.core.clock import now
from edu_platform.core.vocabulary import Action, Channel
from edu_platform.people.models import Learner
from edu_platform.quizzes.signals import AttemptNews
from edu_platform.reach import queries
from edu_platform.reach.models import EVERYDAY, NO_PIECE, NUMBERS, Scope, milliseconds
from edu_platform.reach.operations import log
from edu_platform.shelf.signals import Favourited


@dataclass(frozen=True)
class Standing:
    """For which campaign (0: everyday education) something counts, and by which rule."""

    campaign_id: int
    rule: Rule


def note_participation(
    session: Session,
    *,
    learner_id: int,
    action: Action,
    key: str,
    at: datetime,
    piece_id: int | None = None,
    channel: Channel | None = None,
    standing: Standing | None = None,
    campaign_code: str | None = None,
    channel_code: str | None = None,
) -> bool:
    """Count one participation, once for each `key` of the learner; say whether it was new.

    The key holds a colon, which no client's beacon id may. It counts for `standing`, or for whatever
    holds at `at`. The channel is the learner's own where none is given.
    """
    if ":" not in key or len(key) > 64:
        raise ValueError(f"not a key of ours: {key!r}")
    session.flush()  # the log is written by plain SQL, after what this transaction has made
    learner = session.get_one(Learner, learner_id)
    if standing is None:
        found = attribute(
            snapshot(session),
            at=at,
            campaign_code=campaign_code,
            channel_code=channel_code,
            piece_id=piece_id,
        )
        standing = Standing(found.campaign.id if found.campaign else EVERYDAY, found.rule)
    deed = log.deed(
        beacon_id=key,
        occurred_at=milliseconds(at),
        received_at=milliseconds(now()),
        campaign_id=standing.campaign_id,
        rule=NUMBERS[Rule][standing.rule],
        audience=learner.audience,
        channel=channel or learner.channel,
        piece_id=piece_id or NO_PIECE,
        action=action,
        scope=scope_of(learner),
    )
    submission = log.Submission(learner_id, [deed], paced=False)
    return log.append(session.connection(), [submission])[0].accepted == 1


def scope_of(learner: Learner) -> Scope:
    """Return under which scope a learner's beacons count at this moment."""
    return Scope.IDENTIFIED if learner.is_identified else Scope.ANONYMOUS


def on_attempt_started(session: Session, news: AttemptNews) -> None:
    """Count a begun attempt for the campaign that holds now."""
    note_participation(
        session,
        learner_id=news.learner_id,
        action=Action.QUIZ_START,
        key=_key(news, "start"),
        at=news.started_at,
        piece_id=news.piece_id,
        channel=news.channel,
        campaign_code=news.campaign_code,
        channel_code=news.channel_code,
    )


def on_attempt_submitted(session: Session, news: AttemptNews) -> None:
    """Count a submitted attempt for the campaign that held when it began."""
    _note_end(session, news, Action.QUIZ_SUBMIT, "submit")


def on_attempt_passed(session: Session, news: AttemptNews) -> None:
    """Count a passed attempt for the campaign that held when it began."""
    _note_end(session, news, Action.QUIZ_PASS, "pass")


def on_favourited(session: Session, news: Favourited) -> None:
    """Count a first favourite."""
    note_participation(
        session,
        learner_id=news.learner_id,
        action=Action.FAVOURITE,
        key=f"favourite:{news.favourite_id}",
        at=news.at,
        piece_id=news.piece_id,
        channel=news.channel,
    )


def _key(news: AttemptNews, step: str) -> str:
    return f"attempt:{news.attempt_id}:{step}"


def _note_end(session: Session, news: AttemptNews, action: Action, step: str) -> None:
    wanted = {"whose_id": news.learner_id, "which_beacon_id": _key(news, "start")}
    begun = session.connection().execute(queries.RULING, wanted).first()
    if begun is None:
        # It began before anything was counted: its beginning counts now, under the same key as ever.
        on_attempt_started(session, news)
        begun = session.connection().execute(queries.RULING, wanted).first()
    note_participation(
        session,
        learner_id=news.learner_id,
        action=action,
        key=_key(news, step),
        at=news.at,
        piece_id=news.piece_id,
        channel=news.channel,
        standing=Standing(begun.campaign_id, begun.rule) if begun is not None else None,
    )
