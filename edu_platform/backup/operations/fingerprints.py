"""Counts and hashes of every table, taken in one snapshot: what a copy is held against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from edu_platform.backup.rules import Print

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""

_AT_ONCE = 2_000
ADDED_TO = ("audit_entry", "beacon")
"""Tables that are only added to: their beginning stays what it was."""


def tables_of(cursor: Any, *, sqlite: bool) -> dict[str, list[str]]:
    """Return every table with its key's columns, but for the full-text index, which is built anew from the rest."""
    if sqlite:
        names = cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        keys = {
            name: [
                row[1]
                for row in sorted(
                    cursor.execute(f"PRAGMA table_info({name})").fetchall(), key=lambda row: row[5]
                )
                if row[5]
            ]
            for (name,) in names
        }
    else:
        rows = cursor.execute(
            "SELECT c.relname, array(SELECT a.attname::text FROM pg_index i"
            " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum"
            " WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.position)"
            " FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
            " AND NOT c.relispartition ORDER BY c.relname"
        ).fetchall()
        keys = dict(rows)
    return {name: key for name, key in keys.items() if not name.startswith("search_index")}


def take(cursor: Any, *, sqlite: bool, progress: Progress) -> dict[str, Print]:
    """Return the fingerprint of every table, read through one DBAPI connection or cursor inside one snapshot."""
    tables = tables_of(cursor, sqlite=sqlite)
    found = {}
    for done, (name, key) in enumerate(tables.items()):
        progress("计算校验和", done, len(tables))
        found[name] = table_print(cursor, name, key)
    progress("计算校验和", len(tables), len(tables))
    return found


def beginnings(cursor: Any, *, sqlite: bool) -> dict[str, Print]:
    """Return the fingerprints, up to now, of the tables that are only added to."""
    found = {}
    for name, key in tables_of(cursor, sqlite=sqlite).items():
        if name in ADDED_TO:
            last = cursor.execute(f"SELECT coalesce(max(id), 0) FROM {name}").fetchone()[0]  # noqa: S608 - a table of ours
            found[name] = table_print(cursor, name, key, upto=last)
    return found


def table_print(cursor: Any, name: str, key: list[str], *, upto: int | None = None) -> Print:
    """Return one table's fingerprint, over every column by its name and every row by its key."""
    hasher, rows = hashlib.sha256(), 0
    where = "" if upto is None else f" WHERE id <= {upto:d}"
    order = " ORDER BY " + ", ".join(f'"{column}"' for column in key) if key else ""
    result = cursor.execute(f'SELECT * FROM "{name}"{where}{order}')  # noqa: S608 - a table of ours
    columns = [column[0] for column in result.description]
    order_of = sorted(range(len(columns)), key=columns.__getitem__)
    hasher.update(repr([columns[i] for i in order_of]).encode())
    while some := result.fetchmany(_AT_ONCE):
        rows += len(some)
        for row in some:
            hasher.update(repr([row[i] for i in order_of]).encode())
    return Print(rows, hasher.hexdigest(), upto)


def differences(wanted: dict[str, Print], found: dict[str, Print]) -> list[str]:
    """Name the tables that are not what they were."""
    return sorted(name for name in wanted if found.get(name) != wanted[name])
