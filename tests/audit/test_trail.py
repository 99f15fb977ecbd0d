"""The chain, and what breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from edu_platform.audit.models import AuditEntry
from edu_platform.audit.operations import record, verify
from edu_platform.audit.rules import FIRST, chain_hash
from edu_platform.core.db import reading, writing
from edu_platform.core.errors import Conflict
from edu_platform.core.vocabulary import Role

ACTOR = "staff:3 张三"


@contextmanager
def tampering() -> Iterator[Session]:
    """Write as whoever owns the database could, with the guards off."""
    with writing() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for deed in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER IF EXISTS audit_entry_no_{deed}"))
        yield session


@pytest.fixture
def trail(context) -> list[int]:
    with writing() as session:
        return [
            record(
                session,
                actor=ACTOR,
                action="piece.approved",
                subject=f"piece:{number}",
                facts={"digest": "ab" * 32, "roles": (Role.EDITOR,), "number": number, "说明": "同意"},
            ).id
            for number in range(5)
        ]


def test_a_whole_trail_holds(trail):
    assert verify(reading()) is None
    entry = reading().get_one(AuditEntry, trail[0])
    assert entry.previous_hash == FIRST
    assert entry.facts == {"digest": "ab" * 32, "roles": ["editor"], "number": 0, "说明": "同意"}


def test_an_empty_trail_holds(context):
    assert verify(reading()) is None


@pytest.mark.parametrize(
    "deed", ["UPDATE audit_entry SET actor = 'x' WHERE id = {id}", "DELETE FROM audit_entry WHERE id = {id}"]
)
def test_the_database_itself_refuses_to_change_the_trail(trail, deed):
    """The control is every test below: with the guard off it can be done, and then the chain tells."""
    with pytest.raises((Conflict, IntegrityError)), writing() as session:
        session.execute(text(deed.format(id=trail[2])))
    assert verify(reading()) is None
    assert len(reading().scalars(select(AuditEntry.id)).all()) == len(trail)


def test_the_trail_cannot_be_emptied_at_once(trail):
    if reading().get_bind().dialect.name == "postgresql":
        reading().rollback()
        with pytest.raises((Conflict, IntegrityError)), writing() as session:
            session.execute(text("TRUNCATE audit_entry"))
    assert len(reading().scalars(select(AuditEntry.id)).all()) == len(trail)


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'staff:4 李四'",
        "action = 'piece.returned'",
        "subject = 'piece:99'",
        "facts = '{}'",
        "at = '2020-01-01 00:00:00.000000'",
    ],
)
@pytest.mark.control("the guard off")
def test_a_changed_entry_is_found(trail, change):
    with tampering() as session:
        session.execute(text(f"UPDATE audit_entry SET {change} WHERE id = {trail[2]}"))
    assert verify(reading()) == trail[2]


@pytest.mark.control("the guard off")
def test_a_missing_entry_is_found(trail):
    with tampering() as session:
        session.execute(text(f"DELETE FROM audit_entry WHERE id = {trail[1]}"))
    assert verify(reading()) == trail[2]


@pytest.mark.control("the guard off")
def test_a_forged_hash_is_found_at_the_next_entry(trail):
    entry = reading().get_one(AuditEntry, trail[2])
    forged = chain_hash(
        at=entry.at,
        actor="x",
        action=entry.action,
        subject=entry.subject,
        facts=entry.facts,
        previous=entry.previous_hash,
    )
    with tampering() as session:
        changed = session.get_one(AuditEntry, trail[2])
        changed.actor, changed.hash = "x", forged
    assert verify(reading()) == trail[3]


def test_what_is_rolled_back_leaves_no_entry(context):
    with pytest.raises(RuntimeError), writing() as session:
        record(session, actor=ACTOR, action="a", subject="s")
        raise RuntimeError
    assert reading().scalar(select(AuditEntry.id)) is None


def test_writers_at_the_same_time_make_one_chain(app):
    def write(number: int) -> None:
        with app.app_context(), writing() as session:
            record(session, actor=ACTOR, action="a", subject=f"s:{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    with app.app_context():
        assert len(reading().scalars(select(AuditEntry.id)).all()) == 24
        assert verify(reading()) is None


def test_the_hash_does_not_depend_on_the_order_of_facts_nor_on_the_zone():
    from edu_platform.core.clock import ZONE

    at = datetime(2026, 3, 15, 8, tzinfo=UTC)
    one = chain_hash(at=at, actor="a", action="b", subject="c", facts={"x": 1, "y": 2}, previous=FIRST)
    two = chain_hash(
        at=at.astimezone(ZONE), actor="a", action="b", subject="c", facts={"y": 2, "x": 1}, previous=FIRST
    )
    assert one == two


def test_facts_that_are_no_json_are_refused(context):
    with pytest.raises((TypeError, ValueError)), writing() as session:
        record(session, actor=ACTOR, action="a", subject="s", facts={"n": float("nan")})
