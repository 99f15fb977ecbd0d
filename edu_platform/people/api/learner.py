"""Sessions of learners, their preferences, their consents, their data."""

from __future__ import annotations

import contextlib
import math
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask, current_app
from flask_limiter.util import get_remote_address
from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.core.db import reading, writing
from edu_platform.core.errors import NotFound, NotNow, TooMany
from edu_platform.core.limits import limiter
from edu_platform.core.sealing import KeyRing
from edu_platform.core.vocabulary import AgeBand
from edu_platform.core.web import blueprint, repeatable
from edu_platform.people import guards, operations, queries, rules
from edu_platform.people.errors import CodeRefused, Misconfigured, TokenRefused
from edu_platform.people.models import Consent, Learner, Purpose
from edu_platform.people.schemas import (
    AnonymousSession,
    ConsentGiven,
    ConsentList,
    ConsentView,
    MeChange,
    MeView,
    PurposeList,
    SessionView,
    SignIn,
)
from edu_platform.people.wechat import client_of, waiting_for_wechat
from edu_platform.wechat import errors as wechat_errors
from edu_platform.wechat.client import Session as WeChatSession

# One address may be a hall full of people on the same Wi-Fi: it bounds floods, WeChat itself bounds each person.
SIGN_INS_BY_ADDRESS = "120 per minute;3000 per hour"

_REFUSED_CODES = {40029: "code_expired", 40163: "code_used", 40226: "code_blocked"}

sessions = blueprint("sessions", prefix="/sessions", description="学习者登录")
me = blueprint("me", prefix="/me", description="本人：偏好、授权、个人数据")
purposes = blueprint("consent-purposes", prefix="/consent-purposes", description="授权用途与文本")


def _settings() -> Settings:
    found: Settings = current_app.config["EDU"]
    return found


def _ring() -> KeyRing:
    return KeyRing(_settings().sealing_keys)


@sessions.post("")
@limiter.limit(SIGN_INS_BY_ADDRESS, key_func=get_remote_address)
@guards.public
@sessions.arguments(SignIn)
@sessions.response(201, SessionView)
def sign_in(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with a code of `wx.login`; under 14 without a guardian's consent, get a visitor's session."""
    if body["age_band"] is AgeBand.UNDER_14 and not body["guardian_consent"]:
        # WeChat is not even asked: the code stays unused, nothing personal is obtained.
        with writing() as session:
            learner = operations.open_anonymous(
                session,
                channel=body["channel"],
                age_band=body["age_band"],
                audience=body["audience"],
                consents=_consents(body),
                visitor=_visitor(session, body["visitor_token"]),
            )
        return _answer(learner)
    wechat_session = _exchange(body["code"])
    with writing() as session:
        learner = operations.sign_in(
            session,
            _ring(),
            wechat_session,
            age_band=body["age_band"],
            channel=body["channel"],
            audience=body["audience"],
            guardian_consent=body["guardian_consent"],
            consents=_consents(body),
            visitor=_visitor(session, body["visitor_token"]),
        )
    return _answer(learner)


@sessions.post("/anonymous")
@limiter.limit(SIGN_INS_BY_ADDRESS, key_func=get_remote_address)
@guards.public
@sessions.arguments(AnonymousSession)
@sessions.response(201, SessionView)
def open_anonymous(body: dict[str, Any]) -> dict[str, Any]:
    """Open a visitor's session; nothing personal is asked or kept."""
    with writing() as session:
        learner = operations.open_anonymous(session, **body)
    return _answer(learner)


@sessions.delete("/current")
@guards.learner
@sessions.response(204)
def sign_out() -> None:
    """End every token of the learner."""
    learner = guards.current_learner()
    with writing() as session:
        operations.sign_out(session, learner)


@me.get("")
@guards.learner
@me.response(200, MeView)
def show_me() -> dict[str, Any]:
    """Show who one is here, and one's preferences."""
    return _me(guards.current_learner())


@me.put("")
@guards.learner
@me.arguments(MeChange)
@me.response(200, MeView)
def change_me(body: dict[str, Any]) -> dict[str, Any]:
    """Change age band, audience or elder mode; what is left out stays."""
    learner = guards.current_learner()
    with writing() as session:
        operations.change_preferences(session, learner, **body)
    return _me(learner)


@me.delete("")
@guards.learner
@me.response(204)
def erase_me() -> None:
    """Forget the learner: identity destroyed, tokens dead at once, counts unchanged."""
    learner = guards.current_learner()
    with writing() as session:
        operations.erase_learner(session, learner)


@me.get("/export")
@guards.learner
@me.response(200, description="各模块保存的全部本人数据，JSON")
def export_me() -> dict[str, Any]:
    """Return everything that is held of the learner."""
    return operations.export_learner(reading(), _ring(), guards.current_learner())


@me.get("/consents")
@guards.learner
@me.response(200, ConsentList)
def list_consents() -> dict[str, Any]:
    """List every purpose, its present text, and whether one consents to it."""
    standing = _standing(guards.current_learner())
    return {"items": [_consent(purpose, standing.get(purpose)) for purpose in Purpose]}


@me.post("/consents")
@guards.learner
@repeatable
@me.arguments(ConsentGiven)
@me.response(201, ConsentView)
def give_consent(body: dict[str, Any]) -> dict[str, Any]:
    """Consent to a purpose, in the present version of its text."""
    learner = guards.current_learner()
    with writing() as session:
        consent = operations.grant(session, learner, body["purpose"], body["version"])
    return _consent(body["purpose"], consent)


@me.delete("/consents/<purpose>")
@guards.learner
@me.response(204)
def withdraw_consent(purpose: str) -> None:
    """Withdraw a consent, at once. A guardian's, of a child under 14, ends everything personal: as DELETE /me."""
    if purpose not in list(Purpose):
        raise NotFound("没有这个授权用途。")
    learner = guards.current_learner()
    with writing() as session:
        operations.withdraw(session, learner, Purpose(purpose))


@purposes.get("")
@guards.public
@purposes.response(200, PurposeList)
def list_purposes() -> dict[str, Any]:
    """List what may be consented to, with the text to show before signing in."""
    return {"items": [_purpose(purpose) for purpose in Purpose]}


def _exchange(code: str) -> WeChatSession:
    """Ask WeChat whose code it is, turning its refusals into the house's."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the proxy's own way
    try:
        with waiting_for_wechat(app):
            return client_of(app).code_to_session(code)
    except wechat_errors.CodeRefused as refused:
        known = "code_spent" if refused.after_timeout else _REFUSED_CODES.get(refused.errcode or 0)
        raise CodeRefused(refused.reason + "。", code=known) from None
    except wechat_errors.RateLimited as limited:
        raise TooMany(limited.reason + "。", retry_after=_seconds(limited), code=limited.code) from None
    except wechat_errors.Unavailable as away:
        raise NotNow(away.reason + "。", retry_after=_seconds(away), code=away.code) from None
    except wechat_errors.WeChatError as wrong:
        # Errors of this family carry WeChat's number and text, never a secret, a code or a URL.
        structlog.get_logger("wechat").error("sign_in_impossible", code=wrong.code, errcode=wrong.errcode)
        raise Misconfigured("微信登录暂不可用，我们已记录，请联系管理员。") from None


def _seconds(error: wechat_errors.WeChatError) -> int:
    return math.ceil(error.retry_after or 5)


def _consents(body: dict[str, Any]) -> list[tuple[Purpose, str]]:
    return [(given["purpose"], given["version"]) for given in body["consents"]]


def _visitor(session: Session, token: str | None) -> Learner | None:
    """Return the visitor whose token it is; one that is no longer good is no reason to refuse a sign-in."""
    if token is None:
        return None
    with contextlib.suppress(TokenRefused):
        found = guards.learner_of(token)
        session.refresh(found, with_for_update=True)
        return found
    return None


def _answer(learner: Learner) -> dict[str, Any]:
    settings = _settings()
    return {
        "token": rules.issue_token(settings.secret_keys, learner.id, learner.generation),
        "expires_at": now() + timedelta(days=settings.session_days),
        "learner": learner,
    }


def _me(learner: Learner) -> dict[str, Any]:
    return {
        "id": learner.id,
        "kind": learner.kind,
        "age_band": learner.age_band,
        "audience": learner.audience,
        "elder_mode": learner.elder_mode,
        "channel": learner.channel,
        "pseudonym": rules.pseudonym(learner.id),
        "guardian_consent": learner.guardian_consent_at is not None,
        "created_at": learner.created_at,
    }


def _standing(learner: Learner) -> dict[Purpose, Consent]:
    found = reading().scalars(queries.standing_consents(learner.id))
    return {consent.purpose: consent for consent in found}


def _purpose(purpose: Purpose) -> dict[str, Any]:
    asked = rules.PURPOSES[purpose]
    return {"purpose": purpose, "version": asked.version, "title": asked.title, "text": asked.text}


def _consent(purpose: Purpose, consent: Consent | None) -> dict[str, Any]:
    return {
        **_purpose(purpose),
        "granted": consent is not None and rules.outdated(purpose, consent.version) is None,
        "granted_version": consent and consent.version,
        "granted_at": consent and consent.granted_at,
    }
