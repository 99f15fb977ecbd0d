"""Learners coming in, and what they prefer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from edu_platform.core.clock import local_day, now
from edu_platform.core.errors import FieldError, Invalid
from edu_platform.core.sealing import KeyRing
from edu_platform.core.vocabulary import AgeBand, Channel, DeclaredAudience
from edu_platform.people import queries, signals
from edu_platform.people.models import Learner, LearnerKind, Purpose
from edu_platform.people.operations.consents import grant, move_consents
from edu_platform.people.operations.secrecy import has_key, seal_identity
from edu_platform.people.rules import PURPOSES, implied_audience, implied_elder_mode
from edu_platform.wechat.client import Session as WeChatSession


def sign_in(
    session: Session,
    ring: KeyRing,
    wechat_session: WeChatSession,
    *,
    age_band: AgeBand,
    channel: Channel = Channel.MINI_PROGRAM,
    audience: DeclaredAudience | None = None,
    guardian_consent: bool = False,
    consents: Sequence[tuple[Purpose, str]] = (),
    visitor: Learner | None = None,
) -> Learner:
    """Return the learner behind a WeChat identity, made now if there is none; `visitor` becomes their alias.

    The session key is not kept. Raise `Invalid` for somebody under 14 without a guardian's consent:
    the caller opens an anonymous session for them instead, without asking WeChat who they are.
    """
    if age_band is AgeBand.UNDER_14 and not guardian_consent:
        raise Invalid([FieldError("guardian_consent", "未满14岁须经监护人同意。", "guardian_consent_needed")])
    learner = _find(session, ring, wechat_session.openid)
    if learner is None:
        learner = _enrol(
            session,
            ring,
            wechat_session,
            age_band=age_band,
            channel=channel,
            audience=audience,
            guardian_consent=guardian_consent,
        )
    else:
        _declare(learner, age_band, audience, guardian_consent=guardian_consent)
        if not has_key(session, learner.id):  # the key store was lost and came back older
            seal_identity(session, ring, learner, wechat_session.openid, wechat_session.unionid)
    learner.last_seen_on = local_day(now())
    session.flush()
    if guardian_consent and age_band is AgeBand.UNDER_14:
        grant(session, learner, Purpose.GUARDIAN, PURPOSES[Purpose.GUARDIAN].version)
    _grant_all(session, learner, consents)
    if visitor is not None:
        merge_visitor(session, visitor, learner)
    return learner


def open_anonymous(
    session: Session,
    *,
    channel: Channel,
    age_band: AgeBand | None = None,
    audience: DeclaredAudience | None = None,
    consents: Sequence[tuple[Purpose, str]] = (),
    visitor: Learner | None = None,
) -> Learner:
    """Return a visitor of whom nothing personal is kept; the same `visitor` again where there is one."""
    learner = visitor
    declared = audience or implied_audience(age_band)
    if learner is None or learner.is_identified or learner.is_gone:
        learner = Learner(
            kind=LearnerKind.ANONYMOUS,
            age_band=age_band,
            audience=declared,
            elder_mode=implied_elder_mode(age_band, declared),
            channel=channel,
        )
        session.add(learner)
    elif age_band is not None:
        _declare(learner, age_band, audience)
    learner.last_seen_on = local_day(now())
    session.flush()
    _grant_all(session, learner, consents)
    return learner


def merge_visitor(session: Session, visitor: Learner, learner: Learner) -> bool:
    """Make the visitor an alias of the learner and announce it, so that what they did moves; end their token.

    False, and nothing happens, when `visitor` is no visitor (any more) or is the learner.
    """
    if visitor.is_identified or visitor.is_gone or visitor.id == learner.id:
        return False
    visitor.merged_into_id = learner.id
    visitor.generation += 1
    session.flush()
    move_consents(session, visitor.id, learner.id)
    signals.learner_merged.send(session, signals.Merged(visitor.id, learner.id))
    return True


def sign_out(session: Session, learner: Learner) -> None:
    """End every token of the learner."""
    learner.generation += 1
    session.flush()


def change_preferences(
    session: Session,
    learner: Learner,
    *,
    age_band: AgeBand | None = None,
    audience: DeclaredAudience | None = None,
    elder_mode: bool | None = None,
    guardian_consent: bool = False,
) -> Learner:
    """Change what is given. An identified learner becomes under 14 only with a guardian's consent (`Invalid`)."""
    if (
        age_band is AgeBand.UNDER_14
        and learner.is_identified
        and not guardian_consent
        and learner.guardian_consent_at is None
    ):
        raise Invalid(
            [
                FieldError(
                    "guardian_consent",
                    "未满14岁须经监护人同意；不同意时请注销个人记录，以访客身份继续学习。",
                    "guardian_consent_needed",
                )
            ]
        )
    if guardian_consent and learner.is_identified:
        grant(session, learner, Purpose.GUARDIAN, PURPOSES[Purpose.GUARDIAN].version)
    if age_band is not None:
        learner.age_band = age_band
    if audience is not None:
        learner.audience = audience
    if elder_mode is not None:
        learner.elder_mode = elder_mode
    session.flush()
    return learner


def _find(session: Session, ring: KeyRing, openid: str) -> Learner | None:
    hashes = ring.lookups(openid, purpose="openid")
    learner = session.scalar(queries.by_openid(hashes))
    if learner is not None and learner.openid_hash != hashes[0]:
        learner.openid_hash = hashes[0]
    return learner


def _enrol(
    session: Session,
    ring: KeyRing,
    wechat_session: WeChatSession,
    *,
    age_band: AgeBand,
    channel: Channel,
    audience: DeclaredAudience | None,
    guardian_consent: bool,
) -> Learner:
    declared = audience or implied_audience(age_band)
    learner = Learner(
        kind=LearnerKind.IDENTIFIED,
        age_band=age_band,
        audience=declared,
        elder_mode=implied_elder_mode(age_band, declared),
        channel=channel,
        guardian_consent_at=now() if guardian_consent and age_band is AgeBand.UNDER_14 else None,
        openid_hash=ring.lookup(wechat_session.openid, purpose="openid"),
    )
    try:
        with session.begin_nested():
            session.add(learner)
    except IntegrityError:
        # Two codes of one person at the same moment: the other one made the row.
        found = _find(session, ring, wechat_session.openid)
        if found is None:
            raise
        _declare(found, age_band, audience, guardian_consent=guardian_consent)
        return found
    if wechat_session.unionid:
        learner.unionid_hash = ring.lookup(wechat_session.unionid, purpose="unionid")
    seal_identity(session, ring, learner, wechat_session.openid, wechat_session.unionid)
    return learner


def _declare(
    learner: Learner,
    age_band: AgeBand,
    audience: DeclaredAudience | None,
    *,
    guardian_consent: bool = False,
) -> None:
    """Note what a returning learner says now; elder mode stays as they left it, unless they have just turned 60."""
    if guardian_consent and age_band is AgeBand.UNDER_14 and learner.guardian_consent_at is None:
        learner.guardian_consent_at = now()
    if learner.age_band is not age_band:
        learner.age_band = age_band
        learner.elder_mode = learner.elder_mode or age_band is AgeBand.FROM_60
        if audience is None:
            learner.audience = implied_audience(age_band)
    if audience is not None:
        learner.audience = audience


def _grant_all(session: Session, learner: Learner, consents: Sequence[tuple[Purpose, str]]) -> None:
    for position, (purpose, version) in enumerate(consents):
        grant(session, learner, purpose, version, field=f"consents[{position}].version")
