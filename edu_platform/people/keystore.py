"""Where the keys of persons lie: apart from the main database, so that no copy of that one ever opens an erased person.

What is personal is sealed under a person's own key. The main database and all its backups hold only what was
sealed and the key's name; the keys, themselves sealed by the installation's ring, lie in a small store of their
own (a SQLite file, or a PostgreSQL server of its own) that is backed up without history. Destroying a key here
makes everything sealed under it unreadable wherever a copy of it lies. The store also keeps the list of
erasures, by id and digest, which a database restored to an earlier state has to go through again before it
serves (docs/decisions/012).

Keys without a learner are harmless: a sign-in that failed, a database restored to an earlier state.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pysqlite3
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    ExceptionContext,
    LargeBinary,
    MetaData,
    NullPool,
    Table,
    create_engine,
    delete,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from edu_platform.core.clock import now
from edu_platform.core.driver import is_of_the_file
from edu_platform.core.models import UTCDateTime
from edu_platform.core.sealing import CannotOpen, KeyRing

NAME = 16
"""Bytes of a key's name."""
_AT_ONCE = 500

_tables = MetaData()
_keys = Table(
    "person_key",
    _tables,
    Column("name", LargeBinary(NAME), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
_erasures = Table(
    "erasure",
    _tables,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("learner_id", BigInteger, nullable=False),
    Column("erased_at", UTCDateTime, nullable=False),
)


@dataclass(frozen=True)
class Erased:
    """One erasure of the list: who, as (id, digest). The digest tells apart two learners who had one id in turn."""

    learner_id: int
    digest: bytes


class KeyStore:
    """The store at `url`. No transaction is held long, and a kept connection only used by the process that opened it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = _sqlite_engine(url) if url.startswith("sqlite") else _postgresql_engine(url)

    @property
    def path(self) -> Path | None:
        """Return the store's file; None when it lies on a server."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite") else None

    def prepare(self) -> None:
        """Make the store's tables where they are missing."""
        with self._writing() as connection:
            _tables.create_all(connection, checkfirst=True)

    def put(self, keys: Mapping[bytes, bytes]) -> None:
        """Keep sealed keys by name, durably, before returning; what had the name before is replaced."""
        if not keys:
            return
        insert = sqlite.insert if self.path else postgresql.insert
        statement = insert(_keys)
        statement = statement.on_conflict_do_update(
            index_elements=["name"], set_={"sealed": statement.excluded.sealed}
        )
        with self._writing() as connection:
            connection.execute(statement, [{"name": n, "sealed": s} for n, s in keys.items()])

    def get(self, names: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the sealed keys that are (still) there."""
        found: dict[bytes, bytes] = {}
        with self._engine.connect() as connection:
            for start in range(0, len(names), _AT_ONCE):
                some = select(_keys.c.name, _keys.c.sealed).where(
                    _keys.c.name.in_(names[start : start + _AT_ONCE])
                )
                found |= {bytes(row.name): bytes(row.sealed) for row in connection.execute(some)}
        return found

    def destroy(self, names: Sequence[bytes], erased: Iterable[Erased] = ()) -> None:
        """Destroy keys and put erasures on the list, in one transaction. A second call changes nothing."""
        insert = sqlite.insert if self.path else postgresql.insert
        listed = [{"digest": e.digest, "learner_id": e.learner_id, "erased_at": now()} for e in erased]
        with self._writing() as connection:
            if listed:
                connection.execute(insert(_erasures).on_conflict_do_nothing(), listed)
            for start in range(0, len(names), _AT_ONCE):
                connection.execute(delete(_keys).where(_keys.c.name.in_(names[start : start + _AT_ONCE])))

    def scrub(self) -> None:
        """Let nothing of destroyed keys stay in the store's files: SQLite overwrites at once, PostgreSQL rewrites the table."""
        if self.path:
            return
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET lock_timeout = '5s'"))
            connection.execute(text("VACUUM (FULL) person_key"))

    def erasures(self) -> Iterator[list[Erased]]:
        """Yield the whole list in portions, by id."""
        after = -1
        while True:
            with self._engine.connect() as connection:
                rows = connection.execute(
                    select(_erasures.c.learner_id, _erasures.c.digest)
                    .where(_erasures.c.learner_id > after)
                    .order_by(_erasures.c.learner_id)
                    .limit(_AT_ONCE)
                ).all()
                if (
                    len(rows) == _AT_ONCE
                ):  # an id may stand there more than once: take all of its rows or none
                    last = rows[-1].learner_id
                    rows = [row for row in rows if row.learner_id != last] + list(
                        connection.execute(
                            select(_erasures.c.learner_id, _erasures.c.digest).where(
                                _erasures.c.learner_id == last
                            )
                        ).all()
                    )
            if not rows:
                return
            yield [Erased(row.learner_id, bytes(row.digest)) for row in rows]
            after = rows[-1].learner_id

    def counts(self) -> tuple[int, int]:
        """Return how many keys and how many erasures there are."""
        with self._engine.connect() as connection:
            return (
                connection.scalar(select(func.count()).select_from(_keys)) or 0,
                connection.scalar(select(func.count()).select_from(_erasures)) or 0,
            )

    def copy_to(self, path: Path) -> None:
        """Write the store as it is now, and nothing of what it was, to a SQLite file at `path`, which must not exist."""
        copy = KeyStore(f"sqlite:///{path}")
        with self._engine.connect() as source, copy._writing() as target:
            for table in (_keys, _erasures):
                rows = source.execution_options(yield_per=_AT_ONCE).execute(select(table))
                for some in rows.mappings().partitions():
                    target.execute(table.insert(), [dict(row) for row in some])

    def take_over(self, path: Path) -> None:
        """Fill this store from a copy. Raise `ValueError` unless it is empty: keys destroyed since would come back."""
        if any(self.counts()):
            raise ValueError("the key store is not empty")
        source = KeyStore(f"sqlite:///{path}")
        with source._engine.connect() as found, self._writing() as target:
            for table in (_keys, _erasures):
                rows = found.execution_options(yield_per=_AT_ONCE).execute(select(table))
                for some in rows.mappings().partitions():
                    target.execute(table.insert(), [dict(row) for row in some])

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
            yield connection


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, module=pysqlite3, pool_size=2, max_overflow=-1)
    path = Path(url.removeprefix("sqlite:///"))

    def opened_here() -> tuple[int, ...]:
        """Name the process and the file: after a fork, or once another file lies there, a connection is not ours."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return ()
        return os.getpid(), found.st_dev, found.st_ino

    @event.listens_for(engine, "do_connect")
    def _private(*_: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    @event.listens_for(engine, "connect")
    def _settings(dbapi: Any, record: Any) -> None:
        record.info["opened"] = opened_here()
        dbapi.isolation_level = None  # we emit BEGIN ourselves
        # No WAL, in which a key could outlive its destruction; EXTRA makes the end of a transaction as durable there.
        for pragma in ("busy_timeout=10000", "journal_mode=DELETE", "synchronous=EXTRA", "secure_delete=ON"):
            dbapi.execute("PRAGMA " + pragma)
        for table in _tables.sorted_tables:
            dbapi.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=sqlite.dialect())))

    @event.listens_for(engine, "checkout")
    def _still_here(dbapi: Any, record: Any, proxy: Any) -> None:
        del dbapi, proxy
        if not record.info["opened"] or record.info["opened"] != opened_here():
            raise DisconnectionError  # the pool opens another

    @event.listens_for(engine, "checkin")
    def _forget(dbapi: Any, record: Any) -> None:
        del record
        if dbapi is not None:  # no page of the store stays in a connection that nobody uses
            dbapi.execute("PRAGMA shrink_memory")

    @event.listens_for(engine, "handle_error")
    def _open_anew(context: ExceptionContext) -> None:
        if is_of_the_file(context.original_exception):
            context.is_disconnect = True

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})


@dataclass(frozen=True)
class Vault:
    """The store, and the ring under which its keys are sealed."""

    store: KeyStore
    ring: KeyRing

    def make(self, count: int) -> dict[bytes, bytes]:
        """Make keys and keep them; return them by name. What is sealed under them may be committed afterwards."""
        names = [secrets.token_bytes(NAME) for _ in range(count)]
        sealed = {name: self.ring.new_person_key(context=_context(name)) for name in names}
        self.store.put(sealed)
        return self._opened(sealed)

    def keys(self, names: Collection[bytes]) -> dict[bytes, bytes]:
        """Return keys by name; raise `CannotOpen` when one was destroyed, or its ring is not at hand."""
        found = self.store.get(list(names)) if names else {}
        if len(found) != len(set(names)):
            raise CannotOpen("the key was destroyed")
        return self._opened(found)

    def key(self, name: bytes) -> bytes:
        """Return one key."""
        return self.keys([name])[name]

    def _opened(self, sealed: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        return {name: self.ring.open(key, context=_context(name)) for name, key in sealed.items()}

    def renew(self, names: Sequence[bytes]) -> set[bytes]:
        """Seal these keys anew under the newest key of the ring; return the names of those that were not yet."""
        old = {n: s for n, s in self.store.get(names).items() if not self.ring.is_current(s)}
        self.store.put(
            {
                n: self.ring.seal(self.ring.open(s, context=_context(n)), context=_context(n))
                for n, s in old.items()
            }
        )
        return set(old)


def _context(name: bytes) -> bytes:
    return b"key:" + name


_vaults: dict[Engine, Vault] = {}


def attach(engine: Engine, vault: Vault) -> None:
    """Let the database behind `engine` have its keys in `vault`."""
    _vaults[engine] = vault


def vault_of(session: Session | Connection) -> Vault:
    """Return where the keys of a session's database lie."""
    bind = session.get_bind() if isinstance(session, Session) else session
    return _vaults[bind.engine if isinstance(bind, Connection) else bind]
