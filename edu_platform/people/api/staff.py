"""Sessions and accounts of staff."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import current_app
from flask_limiter.util import get_remote_address

from edu_platform.config.settings import Settings
from edu_platform.core.db import reading, writing
from edu_platform.core.limits import limiter
from edu_platform.core.paging import decode_cursor, encode_cursor
from edu_platform.core.schemas import LARGEST_ID, PageArguments
from edu_platform.core.sealing import KeyRing
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import blueprint
from edu_platform.people import guards, operations, queries, rules
from edu_platform.people.errors import BadCredentials
from edu_platform.people.models import Staff
from edu_platform.people.schemas import (
    AccountChange,
    AccountPage,
    AccountView,
    NewAccount,
    PasswordChange,
    StaffSessionView,
    StaffSignIn,
    StaffView,
)

SIGN_INS_BY_ADDRESS = "10 per minute;100 per hour"

sessions = blueprint("staff-sessions", prefix="/staff", description="工作人员登录")
accounts = blueprint("staff-accounts", prefix="/staff/accounts", description="工作人员账号")


@sessions.post("/sessions")
@limiter.limit(SIGN_INS_BY_ADDRESS, key_func=get_remote_address)
@guards.public
@sessions.arguments(StaffSignIn)
@sessions.response(201, StaffSessionView)
def sign_in(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in; an unknown e-mail, a wrong password and a locked account are answered alike.

    With a one-time password (`must_change_password`) nothing can be done but choosing another one.
    """
    settings: Settings = current_app.config["EDU"]
    known = reading().scalar(queries.staff_by_email(body["email"]))
    password_hash = known.password_hash if known else None
    # Released before the slow part: neither a connection nor the write lock is held for it.
    reading().rollback()
    fits = rules.password_fits(password_hash, body["password"])
    with writing() as session:
        opened = operations.staff_sign_in(
            session,
            email=body["email"],
            proven=password_hash if fits else None,
            address=KeyRing(settings.sealing_keys).lookups(
                rules.network_of(get_remote_address()), purpose="address"
            ),
            lasts=timedelta(hours=settings.staff_session_hours),
        )
    if opened is None:
        raise BadCredentials("邮箱或密码不正确；多次输错后账号会暂时锁定，请稍后再试。")
    return {"token": opened.token, "expires_at": opened.expires_at, "staff": _staff(opened.staff)}


@sessions.delete("/sessions/current")
@guards.staff(with_one_time_password=True)
@sessions.response(204)
def sign_out() -> None:
    """End this sign-in."""
    staff = guards.current_staff()
    with writing() as session:
        operations.end_staff_session(session, staff, guards.bearer_token() or "")


@sessions.get("/me")
@guards.staff(with_one_time_password=True)
@sessions.response(200, StaffView)
def show_me() -> dict[str, Any]:
    """Show who is signed in, and their roles."""
    return _staff(guards.current_staff())


@sessions.put("/me/password")
@limiter.limit(SIGN_INS_BY_ADDRESS, key_func=get_remote_address)
@guards.staff(with_one_time_password=True)
@sessions.arguments(PasswordChange)
@sessions.response(204)
def change_password(body: dict[str, Any]) -> None:
    """Set a new password; every session of the account ends, this one too."""
    staff = guards.current_staff()
    with writing() as session:
        operations.change_password(session, staff, current=body["current_password"], new=body["new_password"])


@accounts.get("")
@guards.staff(Role.ADMIN)
@accounts.arguments(PageArguments, location="query")
@accounts.response(200, AccountPage)
def list_accounts(page: dict[str, Any]) -> dict[str, Any]:
    """List the accounts."""
    after = decode_cursor(page["cursor"], int)[0] if page["cursor"] else 0
    limit: int = page["limit"]
    found = reading().scalars(queries.staff_accounts(after).limit(limit + 1)).all()
    return {
        "items": [_account(staff) for staff in found[:limit]],
        "next_cursor": encode_cursor(found[limit - 1].id) if len(found) > limit else None,
    }


@accounts.post("")
@guards.staff(Role.ADMIN)
@accounts.arguments(NewAccount)
@accounts.response(201, AccountView)
def create_account(body: dict[str, Any]) -> dict[str, Any]:
    """Make an account; its one-time password stands in this answer and nowhere else."""
    by = guards.current_staff()
    with writing() as session:
        staff, password = operations.create_staff(session, **body, by=by.actor)
    return {**_account(staff), "one_time_password": password}


@accounts.put(f"/<int(max={LARGEST_ID}):staff_id>")
@guards.staff(Role.ADMIN)
@accounts.arguments(AccountChange)
@accounts.response(200, AccountView)
def change_account(body: dict[str, Any], staff_id: int) -> dict[str, Any]:
    """Change name, roles or activity, or reset the password; the account's sessions end."""
    by = guards.current_staff()
    with writing() as session:
        staff, password = operations.change_account(session, staff_id, by=by, **body)
    return {**_account(staff), **({"one_time_password": password} if password else {})}


def _staff(staff: Staff) -> dict[str, Any]:
    return {
        "id": staff.id,
        "email": staff.email,
        "display_name": staff.display_name,
        "roles": sorted(staff.roles),
        "active": staff.active,
        "must_change_password": staff.must_change_password,
    }


def _account(staff: Staff) -> dict[str, Any]:
    return {
        **_staff(staff),
        "can_sign_in": staff.password_hash is not None,
        "locked_until": staff.locked_until,
        "last_signed_in_at": staff.last_signed_in_at,
        "created_at": staff.created_at,
    }
