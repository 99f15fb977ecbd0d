"""Accounts of staff: making, changing, signing in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from edu_platform.audit.operations import record
from edu_platform.core.clock import now, timestamp
from edu_platform.core.errors import Conflict, FieldError, Invalid, NotFound
from edu_platform.core.vocabulary import Role
from edu_platform.people import queries, rules
from edu_platform.people.errors import EmailTaken, LastAdmin
from edu_platform.people.models import KnownAddress, Staff, StaffRole, StaffToken

ADMIN_EMAIL = "admin@edu.local"
IMPORT_EMAIL = "import@edu.local"
NOBODY = "nobody"
THE_PLATFORM = "platform"
"""The actor of what nobody did by hand."""


@dataclass(frozen=True)
class StaffSession:
    """A sign-in: the token is known here once, afterwards only its hash."""

    staff: Staff
    token: str = field(repr=False)
    expires_at: datetime


def create_staff(
    session: Session,
    *,
    email: str,
    display_name: str,
    roles: Collection[Role],
    by: str,
    password: str | None = None,
) -> tuple[Staff, str]:
    """Make an account and return it with its password; `by` is the actor by value.

    A password that is not given is generated, and good only for choosing another. Raise `EmailTaken`, or `Invalid` for a weak password.
    """
    staff = _new_account(session, email, display_name, roles)
    if password is not None:
        _require_strong(password, staff.email, "password")
    chosen = password or rules.new_password()
    staff.password_hash = rules.hash_password(chosen)
    staff.must_change_password = password is None
    session.flush()
    record(
        session,
        actor=by,
        action="staff.created",
        subject=f"staff:{staff.id}",
        facts={"email": staff.email, "display_name": staff.display_name, "roles": sorted(staff.roles)},
    )
    return staff, chosen


def ensure_admin(session: Session) -> str | None:
    """Make the first administrator (`ADMIN_EMAIL`) and return the password, once; None when somebody can manage accounts."""
    if session.scalar(queries.active_admins()):
        return None
    staff = session.scalar(queries.staff_by_email(ADMIN_EMAIL))
    if staff is None:
        return create_staff(
            session, email=ADMIN_EMAIL, display_name="管理员", roles=[Role.ADMIN], by=THE_PLATFORM
        )[1]
    staff.active = True
    _set_roles(session, staff, staff.roles | {Role.ADMIN})
    return _reset_password(session, staff, by=THE_PLATFORM)


def import_account(session: Session) -> Staff:
    """Return the named account under which shipped content is imported and approved; nobody can sign in to it."""
    staff = session.scalar(queries.staff_by_email(IMPORT_EMAIL))
    return staff or _new_account(session, IMPORT_EMAIL, "内容导入", [])


def staff_sign_in(
    session: Session, *, email: str, proven: str | None, address: Sequence[bytes], lasts: timedelta
) -> StaffSession | None:
    """Decide a sign-in and return the session, or None: unknown, wrong, locked and inactive look alike.

    `proven` is the password hash that the given password fits (`rules.password_fits`, worked out before
    the write lock), None when it fits none; `address` the keyed hashes of where it comes from, newest key
    first. A wrong password counts towards the lock: of this address, if the owner has signed in from it
    lately, else of all others together, so that strangers cannot lock the owner out of the own desk. The
    caller must let this be committed before refusing. Each refusal leaves one entry in the trail, so that
    none is told by the time it takes.
    """
    staff = session.scalar(queries.staff_by_email(email).with_for_update())
    if staff is None or staff.password_hash is None:
        record(session, actor=NOBODY, action="staff.sign_in_refused", subject="staff:unknown")
        return None
    moment = now()
    known = session.scalar(queries.known_address(staff.id, address, moment - rules.ADDRESS_KNOWN_FOR))
    counter = known or staff
    facts: dict[str, str | int] = {"from_known_address": int(known is not None)}
    is_locked = counter.locked_until is not None and counter.locked_until > moment
    # Not even the right password counts while locked: guessing on would be answered.
    if not is_locked and (proven is None or proven != staff.password_hash):
        counter.failed_attempts += 1
        counter.locked_until = rules.lock_after(counter.failed_attempts, moment)
        proven = None
    if is_locked or proven is None or not staff.active:
        facts["failed_attempts"] = counter.failed_attempts
        if counter.locked_until:
            facts["locked_until"] = timestamp(counter.locked_until)
        record(
            session,
            actor=staff.actor,
            action="staff.sign_in_refused",
            subject=f"staff:{staff.id}",
            facts=facts,
        )
        return None
    counter.failed_attempts, counter.locked_until = 0, None
    if known is None:
        known = KnownAddress(staff_id=staff.id, address_hash=address[0], last_signed_in_at=moment)
        _forget_addresses(session, staff, keep=rules.MOST_KNOWN_ADDRESSES - 1, but=address)
        session.add(known)
    known.last_signed_in_at = moment
    record(session, actor=staff.actor, action="staff.signed_in", subject=f"staff:{staff.id}")
    return open_staff_session(session, staff, lasts=lasts)


def open_staff_session(session: Session, staff: Staff, *, lasts: timedelta) -> StaffSession:
    """Give a member of staff a fresh token."""
    moment = now()
    token = rules.new_staff_token()
    staff.last_signed_in_at = moment
    session.add(StaffToken(staff_id=staff.id, token_hash=rules.token_hash(token), expires_at=moment + lasts))
    session.flush()
    return StaffSession(staff, token, moment + lasts)


def end_staff_session(session: Session, staff: Staff, token: str) -> None:
    """End one sign-in."""
    session.execute(
        update(StaffToken)
        .where(StaffToken.token_hash == rules.token_hash(token), StaffToken.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    record(session, actor=staff.actor, action="staff.signed_out", subject=f"staff:{staff.id}")


def change_account(
    session: Session,
    staff_id: int,
    *,
    by: Staff,
    display_name: str | None = None,
    roles: Collection[Role] | None = None,
    active: bool | None = None,
    reset_password: bool = False,
) -> tuple[Staff, str | None]:
    """Change what is given and return the account with its new one-time password, if one was asked for.

    A change of roles, password or active ends every session of the account. Raise `NotFound`, or
    `LastAdmin` when nobody would be left to manage accounts.
    """
    # Administrators are locked in one order, so that two cannot remove each other at once.
    admins = session.scalars(
        select(Staff)
        .join(StaffRole)
        .where(StaffRole.role == Role.ADMIN, Staff.active, Staff.password_hash.is_not(None))
        .order_by(Staff.id)
        .with_for_update(of=Staff)
        .execution_options(populate_existing=True)
    ).all()
    staff = session.get(Staff, staff_id)
    if staff is None:
        raise NotFound("没有这个账号。")
    if reset_password and staff.email == IMPORT_EMAIL:
        raise Conflict("内容导入账号不能登录，也不能设置密码。", code="import_account")
    was_roles, was_active = staff.roles, staff.active
    will_be_admin = (Role.ADMIN in (was_roles if roles is None else frozenset(roles))) and (
        was_active if active is None else active
    )
    if not will_be_admin and [admin.id for admin in admins] == [staff.id]:
        raise LastAdmin("至少要保留一个可用的管理员账号。")
    changed: dict[str, object] = {}
    if display_name is not None and display_name != staff.display_name:
        changed["display_name"] = display_name
        staff.display_name = display_name
    if roles is not None and frozenset(roles) != was_roles:
        changed["roles"] = sorted(frozenset(roles))
        _set_roles(session, staff, roles)
    if active is not None and active != was_active:
        changed["active"] = active
        staff.active = active
    if "roles" in changed or "active" in changed:
        _end_sessions(session, staff)
    if changed:
        record(session, actor=by.actor, action="staff.changed", subject=f"staff:{staff.id}", facts=changed)
    password = _reset_password(session, staff, by=by.actor) if reset_password else None
    session.flush()
    return staff, password


def change_password(session: Session, staff: Staff, *, current: str, new: str) -> None:
    """Set a new password for the account's owner, ending every session; raise `Invalid` naming what is wrong."""
    if not rules.password_fits(staff.password_hash, current):
        raise Invalid([FieldError("current_password", "当前密码不正确。", "wrong_password")])
    _require_strong(new, staff.email, "new_password")
    if new == current:
        raise Invalid([FieldError("new_password", "新密码不能与当前密码相同。", "same_password")])
    staff.password_hash = rules.hash_password(new)
    staff.must_change_password = False
    _end_sessions(session, staff)
    session.flush()
    record(session, actor=staff.actor, action="staff.password_changed", subject=f"staff:{staff.id}")


def _new_account(session: Session, email: str, display_name: str, roles: Collection[Role]) -> Staff:
    address = email.strip().lower()
    if session.scalar(queries.staff_by_email(address)) is not None:
        raise EmailTaken("这个邮箱已有账号。")
    staff = Staff(email=address, display_name=display_name)
    session.add(staff)
    session.flush()
    _set_roles(session, staff, roles)
    return staff


def _set_roles(session: Session, staff: Staff, roles: Collection[Role]) -> None:
    wanted = frozenset(roles)
    staff.role_rows = [row for row in staff.role_rows if row.role in wanted] + [
        StaffRole(role=role) for role in sorted(wanted - staff.roles)
    ]
    session.flush()


def _require_strong(password: str, email: str, name: str) -> None:
    reason = rules.weak_password(password, email)
    if reason is not None:
        raise Invalid([FieldError(name, reason, "weak_password")])


def _reset_password(session: Session, staff: Staff, *, by: str) -> str:
    password = rules.new_password()
    staff.password_hash = rules.hash_password(password)
    staff.must_change_password = True
    staff.failed_attempts = 0
    staff.locked_until = None
    _forget_addresses(session, staff)
    _end_sessions(session, staff)
    session.flush()
    record(session, actor=by, action="staff.password_reset", subject=f"staff:{staff.id}")
    return password


def _forget_addresses(session: Session, staff: Staff, *, keep: int = 0, but: Sequence[bytes] = ()) -> None:
    """Forget the account's addresses except the latest `keep`, and each of `but` in any case."""
    latest = (
        select(KnownAddress.id)
        .where(KnownAddress.staff_id == staff.id, KnownAddress.address_hash.not_in(but))
        .order_by(KnownAddress.last_signed_in_at.desc(), KnownAddress.id.desc())
        .limit(keep)
    )
    session.execute(
        delete(KnownAddress).where(KnownAddress.staff_id == staff.id, KnownAddress.id.not_in(latest))
    )


def _end_sessions(session: Session, staff: Staff) -> None:
    session.execute(
        update(StaffToken)
        .where(StaffToken.staff_id == staff.id, StaffToken.revoked_at.is_(None))
        .values(revoked_at=now())
    )
