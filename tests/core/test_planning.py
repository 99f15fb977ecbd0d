"""SQLite's plans: made once for a statement, and beginning where a page begins."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

from edu_platform.core.db import db
from edu_platform.core.direct import Direct
from edu_platform.core.driver import PlannedOnce
from edu_platform.library import queries
from edu_platform.library.models import Piece

pytestmark = pytest.mark.only_sqlite
SOME = select(Piece.id).limit(bindparam("most"))


def plans(run, driver):
    """Return how many tables and columns SQLite looked up for plans while `run` ran the second and third time."""
    looked_up = []
    driver.set_authorizer(lambda *what: looked_up.append(what) or 0)
    try:
        run()  # every plan known before is made anew once
        looked_up.clear()
        run()
        run()
    finally:
        driver.set_authorizer(None)
    return len(looked_up)


@pytest.mark.parametrize("compiler", [PlannedOnce, SQLiteCompiler])
def test_a_limited_statement_is_planned_once(app, monkeypatch, compiler):
    with app.app_context():
        assert db.engine.dialect.statement_compiler is PlannedOnce
        monkeypatch.setattr(db.engine.dialect, "statement_compiler", compiler)
        statement = Direct(SOME)
        with db.engine.connect() as connection:
            driver = connection.connection.driver_connection
            found = plans(lambda: statement.rows(connection, {"most": 3}), driver)
    assert (found == 0) is (compiler is PlannedOnce), "SQLite plans a bare bound limit anew each time"


def test_limits_limit_whatever_they_are(app):
    numbers = select(bindparam("one", 1).label("n")).union_all(select(bindparam("two", 2))).subquery()
    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalars(select(numbers.c.n).limit(1)).all() == [1]
        assert connection.scalars(select(numbers.c.n).limit(5).offset(1)).all() == [2]
        assert connection.scalars(select(numbers.c.n).offset(1)).all() == [2]
        assert connection.scalars(select(numbers.c.n).limit(0)).all() == []


def plan_of(statement):
    """Return the lines of SQLite's plan for a statement."""
    with db.engine.connect() as connection:
        sql = str(statement.compile(dialect=db.engine.dialect))
        driver = connection.connection.driver_connection
        return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))]


@pytest.mark.parametrize("filters", [frozenset(), frozenset({"audience"}), frozenset({"audience", "kind"})])
@pytest.mark.parametrize(
    ("sort", "index"), [("newest", "ix_catalogue_entry_newest"), ("most_read", "ix_popularity_reads")]
)
def test_a_list_ends_when_it_has_enough_and_a_page_further_on_begins_in_the_index(app, filters, sort, index):
    with app.app_context():
        first = [queries.listed(filters, sort, after=False), queries.first_ones(filters, sort)]
        further = queries.listed(filters, sort, after=True)
        plans_of_first = [plan_of(statement) for statement in first]
        assert all(index in plan[0] for plan in plans_of_first), plans_of_first
        assert plan_of(further)[0].startswith("SEARCH") and index in plan_of(further)[0]
        everything = "\n".join(line for plan in [*plans_of_first, plan_of(further)] for line in plan)
        assert "TEMP B-TREE" not in everything, "all is sorted before the first is sent"


def test_what_a_campaign_carries_and_what_an_audience_has_is_found_by_index(app):
    with app.app_context():
        carried = plan_of(queries.carried(frozenset({"audience"})))
        counted = plan_of(queries.counted(for_audience=True))
        assert not any(line.startswith("SCAN") for line in carried + counted), (carried, counted)
