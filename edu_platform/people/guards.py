"""Who may call a route: one decorator on every view, right beneath the route.

Each decorator leaves a `Guard` on the view (attribute `guard`), so that a table of what is allowed
can be checked against the code, and adds the OpenAPI security of the operation. The actor is looked
up from the bearer token on every request: a token revoked a moment ago is dead now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, ParamSpec, TypeVar

from flask import current_app, g, request

from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.core.db import reading
from edu_platform.core.direct import Direct
from edu_platform.core.errors import Unauthenticated
from edu_platform.core.vocabulary import Role, label
from edu_platform.people import queries, rules
from edu_platform.people.errors import PasswordChangeNeeded, RoleNeeded, SignInNeeded, TokenRefused, WrongKind
from edu_platform.people.models import Learner, Staff

P = ParamSpec("P")
R = TypeVar("R")

_ACTOR = "edu.actor"
_LEARNER_ID = "edu.learner_id"
_PRESENT_GENERATION = Direct(queries.PRESENT_GENERATION)

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "learner": {
        "type": "http",
        "scheme": "bearer",
        "description": "学习者令牌：POST /api/v1/sessions 或 /api/v1/sessions/anonymous 取得。",
    },
    "staff": {
        "type": "http",
        "scheme": "bearer",
        "description": "工作人员令牌：POST /api/v1/staff/sessions 取得。",
    },
}
"""The OpenAPI components that guarded operations refer to."""


@dataclass(frozen=True)
class Guard:
    """Who may call a view: `kind`, and for staff any one of `roles` (no role: every member of staff)."""

    kind: Literal["public", "learner", "identified", "staff"]
    roles: frozenset[Role] = frozenset()


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Let everybody in. A token that is sent all the same must be good where the view asks for the learner."""
    return _guarded(view, Guard("public"), lambda: None)


def learner(view: Callable[P, R]) -> Callable[P, R]:
    """Let in whoever has a learner's session: signed in, or a visitor."""
    return _guarded(view, Guard("learner"), _require_learner)


def identified(view: Callable[P, R]) -> Callable[P, R]:
    """Let in signed-in learners only; a visitor is told to sign in."""

    def require() -> None:
        if not current_learner().is_identified:
            raise SignInNeeded("请先登录，访客不能使用此功能。")

    return _guarded(view, Guard("identified"), require)


def staff(*roles: Role, with_one_time_password: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let in staff with any of these roles (none named: every member of staff). Admin implies no other role.

    Whoever still has the password that somebody else was shown is let in `with_one_time_password` only.
    """
    wanted = frozenset(roles)

    def require() -> None:
        found = _actor()
        if found is None:
            raise Unauthenticated("请先登录工作人员账号。")
        if not isinstance(found, Staff):
            raise WrongKind("此功能只供工作人员使用。")
        if found.must_change_password and not with_one_time_password:
            raise PasswordChangeNeeded("请先修改一次性密码：PUT /api/v1/staff/me/password，然后重新登录。")
        if wanted and not wanted & found.roles:
            names = "、".join(label(role) for role in Role if role in wanted)
            raise RoleNeeded(f"需要以下角色之一：{names}。")

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        return _guarded(view, Guard("staff", wanted), require)

    return decorate


def maybe_learner() -> Learner | None:
    """Return the learner behind the request's token, None without a token; a bad token is refused (401)."""
    found = _actor()
    if isinstance(found, Staff):
        raise WrongKind("请使用学习者账号，而不是工作人员账号。")
    return found


def current_learner() -> Learner:
    """Return the learner behind the request's token; refuse when there is none."""
    found = maybe_learner()
    if found is None:
        raise Unauthenticated("请先登录。")
    return found


def current_staff() -> Staff:
    """Return the member of staff behind the request's token; refuse when there is none."""
    found = _actor()
    if not isinstance(found, Staff):
        raise Unauthenticated("请先登录工作人员账号。")
    return found


def bearer_token() -> str | None:
    """Return the request's bearer token, None without one; refuse any other kind of authorization."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > 512:
        raise TokenRefused("Authorization 须为 Bearer 令牌。")
    return token


def current_learner_id() -> int:
    """Return the id of the learner behind the request's token, who is let in just as by `current_learner`.

    It costs a third of what the whole learner does: for views that need no more.
    """
    environ = request.environ
    if _ACTOR in environ:
        return current_learner().id
    if _LEARNER_ID not in environ:
        token = bearer_token()
        if token is None or token.startswith(rules.STAFF_PREFIX):
            return current_learner().id  # refuses, in its words
        learner_id, generation = _signed(token)
        present = _PRESENT_GENERATION.rows(reading().connection(), {"present_id": learner_id})
        if present != [(generation,)]:
            raise _revoked()
        environ[_LEARNER_ID] = learner_id
        g.actor_key = f"learner:{learner_id}"
    found: int = environ[_LEARNER_ID]
    return found


def learner_of(token: str) -> Learner:
    """Return the learner whose token this is; raise `TokenRefused` with the code that says why not."""
    learner_id, generation = _signed(token)
    found = reading().get(Learner, learner_id)
    if found is None or found.is_gone or found.generation != generation:
        raise _revoked()
    return found


def _signed(token: str) -> tuple[int, int]:
    """Return the (learner id, generation) that a token was signed for; raise `TokenRefused`."""
    settings: Settings = current_app.config["EDU"]
    try:
        return rules.read_token(settings.secret_keys, token, lasts=timedelta(days=settings.session_days))
    except rules.TokenExpired as old:
        raise TokenRefused("登录已过期，请重新登录。", code="token_expired") from old
    except rules.TokenBroken as bad:
        raise TokenRefused("登录凭证无效，请重新登录。") from bad


def _revoked() -> TokenRefused:
    return TokenRefused("登录已失效，请重新登录。", code="token_revoked")


def _staff_of(token: str) -> Staff:
    row = reading().execute(queries.staff_token(rules.token_hash(token))).first()
    if row is None:
        raise TokenRefused("登录凭证无效，请重新登录。")
    kept, found = row
    if kept.revoked_at is not None or not found.active:
        raise _revoked()
    if kept.expires_at <= now():
        raise TokenRefused("登录已过期，请重新登录。", code="token_expired")
    return found


def _actor() -> Learner | Staff | None:
    """Return whoever sent the request; looked up once a request."""
    # Kept with the request, not in `g`: that belongs to an application context, which may outlive it.
    if _ACTOR not in request.environ:
        token = bearer_token()
        found: Learner | Staff | None = None
        if token is not None:
            found = _staff_of(token) if token.startswith(rules.STAFF_PREFIX) else learner_of(token)
        request.environ[_ACTOR] = found
        if found is not None:
            g.actor_key = f"{'staff' if isinstance(found, Staff) else 'learner'}:{found.id}"
    actor: Learner | Staff | None = request.environ[_ACTOR]
    return actor


def _require_learner() -> None:
    current_learner_id()


def _guarded(view: Callable[P, R], guard: Guard, require: Callable[[], None]) -> Callable[P, R]:
    @functools.wraps(view)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        g.pop("actor_key", None)
        require()
        return view(*args, **kwargs)

    marked: Any = wrapper
    marked.guard = guard
    # What flask-smorest keeps of a view; copied, because `wraps` shares the inner one.
    documented = deepcopy(getattr(view, "_apidoc", {}))
    manual = documented.setdefault("manual_doc", {})
    if guard.kind == "public":
        manual["security"] = [{}, {"learner": []}]
    elif guard.kind == "staff":
        manual["security"] = [{"staff": []}]
        if guard.roles:
            manual["x-roles"] = sorted(guard.roles)
    else:
        manual["security"] = [{"learner": []}]
    marked._apidoc = documented  # noqa: SLF001 - flask-smorest's own place for it
    return wrapper
