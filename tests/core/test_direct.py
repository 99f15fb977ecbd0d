"""Statements straight to the driver: the same rows as through SQLAlchemy, and the same trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import bindparam, cast, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import Integer, String

from edu_platform.core.clock import now
from edu_platform.core.db import db
from edu_platform.core.direct import Direct
from edu_platform.core.vocabulary import Audience
from edu_platform.library import queries
from tests.campaigns import publishing

pytestmark = pytest.mark.database


@pytest.fixture
def shelf(app):
    for slug, audience in (("one", Audience.ELDERLY), ("two", Audience.YOUTH), ("three", Audience.ELDERLY)):
        publishing.draft(app, slug, audience)
    with app.app_context():
        yield


def test_every_shape_of_list_and_page_gives_the_same_rows(shelf):
    at = now() + timedelta(seconds=1)
    given = {
        "at": at, "most": 2, "slug": "two", "kind": "article", "audience": Audience.ELDERLY,
        "column": "risk-alerts", "after_id": 99, "id_0": 1, "id_1": None,
    }  # fmt: skip
    statements = [(queries.page(), {}), (queries.cards_of(2), {})]
    for filters in ((), ("kind",), ("audience",), ("audience", "kind", "column")):
        for sort, first in (("newest", at), ("most_read", 5)):
            statements += [
                (queries.listed(frozenset(filters), sort, after=after), {"after_first": first})
                for after in (False, True)
            ]
    found = 0
    with db.engine.connect() as connection:
        for statement, more in statements:
            rows = Direct(statement).rows(connection, {**given, **more})
            assert rows == [tuple(row) for row in connection.execute(statement, {**given, **more})]
            found += len(rows)
    assert found > len(statements)


def test_what_the_database_refuses_is_said_by_sqlalchemy_and_the_connection_goes_on(app):
    refused = Direct(select(func.no_such_function(bindparam("word", type_=String))))
    sound = Direct(select(cast(bindparam("number"), Integer)))
    with app.app_context(), db.engine.connect() as connection:
        with pytest.raises(SQLAlchemyError):
            refused.rows(connection, {"word": "x"})
        connection.rollback()
        assert sound.rows(connection, {"number": 7}) == [(7,)]


@pytest.mark.server
def test_a_lost_connection_is_known_as_lost(app):
    with app.app_context():
        with db.engine.connect() as connection:
            connection.connection.driver_connection.pgconn.finish()
            with pytest.raises(SQLAlchemyError) as lost:
                Direct(select(cast(bindparam("number"), Integer))).rows(connection, {"number": 7})
            assert lost.value.connection_invalidated
        with db.engine.connect() as connection:
            assert Direct(select(cast(bindparam("number"), Integer))).rows(connection, {"number": 7}) == [
                (7,)
            ]
