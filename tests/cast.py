"""The people of the tests, made through the real operations: learners, visitors, staff.

Each function returns the id and the headers with which a test client acts as that person.
"""

from __future__ import annotations

import base64
import secrets
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

from flask import Flask, has_app_context

from edu_platform.config.settings import Settings
from edu_platform.core.db import writing
from edu_platform.core.sealing import KeyRing
from edu_platform.core.vocabulary import AgeBand, Channel, DeclaredAudience, Role, label
from edu_platform.people import operations, rules
from edu_platform.people.models import Learner
from edu_platform.wechat.client import Session as WeChatSession


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def sign_in_learner(
    app: Flask, *, openid: str | None = None, unionid: str | None = None, **changes: Any
) -> tuple[int, dict[str, str]]:
    """A signed-in learner (18 to 59, mini-program); `changes` go to `people.operations.sign_in`."""
    settings: Settings = app.config["EDU"]
    wechat = WeChatSession(
        openid=openid or "o" + secrets.token_urlsafe(20)[:27],
        session_key=base64.b64encode(secrets.token_bytes(16)).decode(),
        unionid=unionid,
    )
    with _inside(app), writing() as session:
        learner = operations.sign_in(
            session, KeyRing(settings.sealing_keys), wechat, **{"age_band": AgeBand.FROM_18, **changes}
        )
        return learner.id, _headers(settings, learner)


def visitor(app: Flask, channel: Channel = Channel.WEBSITE, **changes: Any) -> tuple[int, dict[str, str]]:
    """A visitor with an anonymous session; `changes` go to `people.operations.open_anonymous`."""
    with _inside(app), writing() as session:
        learner = operations.open_anonymous(session, channel=channel, **changes)
        return learner.id, _headers(app.config["EDU"], learner)


def elder(app: Flask) -> tuple[int, dict[str, str]]:
    """A signed-in learner of 60 or more, in elder mode."""
    return sign_in_learner(app, age_band=AgeBand.FROM_60, audience=DeclaredAudience.ELDERLY)


def staff_member(app: Flask, *roles: Role, name: str | None = None) -> tuple[int, dict[str, str]]:
    """A member of staff with these roles, signed in; every call makes another one."""
    settings: Settings = app.config["EDU"]
    with _inside(app), writing() as session:
        member, _ = operations.create_staff(
            session,
            email=f"{secrets.token_hex(6)}@branch.example",
            display_name=name or "".join(label(role) for role in roles) or "员工",
            roles=roles,
            by="test",
        )
        member.must_change_password = False
        opened = operations.open_staff_session(
            session, member, lasts=timedelta(hours=settings.staff_session_hours)
        )
        return member.id, bearer(opened.token)


def _inside(app: Flask) -> AbstractContextManager[Any]:
    # One context within a test has one session: another one's writes would not show in its snapshot.
    return nullcontext() if has_app_context() else app.app_context()


def _headers(settings: Settings, learner: Learner) -> dict[str, str]:
    return bearer(rules.issue_token(settings.secret_keys, learner.id, learner.generation))
