"""What migrations ask of a PostgreSQL that is in use: nothing that stops readers or writers for long."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from edu_platform.core.migration import upgrade

# What holds a table whole for as long as it takes to read or rewrite it, and what to do instead.
RULES = [
    (r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)", "make the index CONCURRENTLY, outside a transaction"),
    (r"DROP INDEX (?!CONCURRENTLY)", "drop the index CONCURRENTLY"),
    (
        r"ALTER TABLE .* ALTER COLUMN \w+ (SET DATA )?TYPE",
        "add a column of the new type, fill it, switch over",
    ),
    (
        r"ALTER TABLE .* ALTER COLUMN \w+ SET NOT NULL",
        "add a CHECK … NOT VALID, validate it, then SET NOT NULL",
    ),
    (
        r"ALTER TABLE .* ADD (CONSTRAINT \w+ )?(CHECK|FOREIGN KEY)(?!.*NOT VALID)",
        "add it NOT VALID, then VALIDATE",
    ),
    (r"ALTER TABLE .* ADD (CONSTRAINT \w+ )?(UNIQUE|PRIMARY KEY)(?! USING INDEX)", "build the index first"),
    (r"ALTER TABLE .* ADD COLUMN (?!.*DEFAULT).* NOT NULL", "let it be empty, or give it a constant default"),
    (r"ALTER TABLE .* ADD COLUMN .* DEFAULT .*\(\)", "a default that is not constant rewrites the table"),
    (
        r"ALTER TABLE .* (RENAME|DROP COLUMN)|DROP TABLE",
        "the release before still uses it: expand, then contract",
    ),
    (r"(UPDATE|DELETE FROM) (?!alembic_version)\w+(?!.*WHERE)", "change rows in batches, by a job"),
    (r"LOCK TABLE|VACUUM FULL|CLUSTER|REINDEX (?!.*CONCURRENTLY)", "it stops everybody"),
]

EXCUSED = {
    "DROP INDEX uq_tally_cell": "0007 moves figures into pages at once: for that moment the fold and reports wait",
    "DROP TABLE tally": "the same; the release before cannot report until it is restarted",
}


def complaints(statements: list[str], known: set[str]) -> list[str]:
    """Return what is wrong with statements on tables that were there before; those that they make themselves are free."""
    made: set[str] = set()
    found = []
    for statement in statements:
        plain = " ".join(statement.split())
        if new := re.match(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", plain, re.IGNORECASE):
            made.add(new[1])
            continue
        about = re.search(
            r"(?:\bON|ALTER TABLE(?: ONLY)?|UPDATE|DELETE FROM|DROP TABLE|LOCK TABLE) (?:IF EXISTS )?\"?(\w+)", plain, re.IGNORECASE
        )  # fmt: skip
        if about and (about[1] in made or about[1] not in known):
            continue
        if plain in EXCUSED:
            continue
        found += [
            f"{advice}: {plain[:120]}"
            for pattern, advice in RULES
            if re.search(r"^\s*(" + pattern + ")", plain, re.IGNORECASE)
        ]
    return found


@pytest.fixture
def first(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A PostgreSQL database at the first schema."""
    if request.config.getoption("--database") == "sqlite":
        yield None  # its readers never wait
        return
    uri = request.getfixturevalue("postgresql").replace("postgresql://", "postgresql+psycopg://")
    admin, name = sa.create_engine(uri, isolation_level="AUTOCOMMIT"), f"edu_locks_{secrets.token_hex(4)}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = admin.url.set(database=name).render_as_string(hide_password=False)
    upgrade(url, "0001")
    yield url
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.mark.database
def test_no_migration_since_the_first_stops_those_who_work(first):
    if first is None:
        return
    engine = sa.create_engine(first)
    known = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    ran: list[str] = []

    def note(connection, cursor, statement, *_):
        del connection, cursor
        ran.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        upgrade(first)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert any("CREATE TRIGGER" in statement for statement in ran)  # they were seen
    assert complaints(ran, known) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ix ON beacon (day)",
        "CREATE UNIQUE INDEX ix ON beacon (day)",
        "ALTER TABLE beacon ALTER COLUMN day TYPE BIGINT",
        "ALTER TABLE beacon ALTER COLUMN dwell_ms SET NOT NULL",
        "ALTER TABLE beacon ADD CONSTRAINT c CHECK (day > 0)",
        "ALTER TABLE beacon ADD CONSTRAINT c UNIQUE (day)",
        "ALTER TABLE beacon ADD COLUMN new INTEGER NOT NULL",
        "ALTER TABLE beacon ADD COLUMN new TIMESTAMP DEFAULT clock_timestamp()",
        "ALTER TABLE beacon DROP COLUMN day",
        "ALTER TABLE beacon RENAME COLUMN day TO date",
        "DROP TABLE beacon",
        "UPDATE beacon SET day = 1",
    ],
)
@pytest.mark.control
def test_the_check_finds_what_it_is_for(statement):
    """The control."""
    assert complaints([statement], {"beacon"})


def test_a_table_that_a_migration_makes_itself_is_free():
    made = [
        "CREATE TABLE new (id INTEGER)",
        "CREATE INDEX ix ON new (id)",
        "ALTER TABLE new ADD CONSTRAINT c CHECK (id > 0)",
    ]
    assert complaints(made, {"beacon"}) == []
    allowed = ["ALTER TABLE beacon ADD COLUMN new INTEGER", "CREATE INDEX CONCURRENTLY ix ON beacon (day)"]
    assert complaints(allowed, {"beacon"}) == []
