"""Forgetting somebody for good: no trace in any file, no key that opens a copy, no way back through a restore.

Each test of a protection has its control: the same search with the protection taken out finds what it looks for.
"""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, event, select, text, update
from sqlalchemy.exc import OperationalError

from edu_platform.cli import erasures
from edu_platform.config.settings import Settings, SettingsError
from edu_platform.core.clock import frozen, now
from edu_platform.core.commits import scrub
from edu_platform.core.db import db, reading, writing
from edu_platform.core.jobs import LARGEST_ATTEMPTS
from edu_platform.core.models import IdempotentAnswer, OutboxMessage
from edu_platform.core.sealing import CannotOpen, KeyRing, seal_with
from edu_platform.core.vocabulary import Channel
from edu_platform.factory import entry
from edu_platform.factory.worker import run_all_due
from edu_platform.people import operations
from edu_platform.people.keystore import Erased, KeyStore, vault_of
from edu_platform.people.models import Consent, Learner, LearnerKey
from edu_platform.people.operations.secrecy import identity_context
from tests import cast

ME = "/api/v1/me"


def canary(word: str) -> str:
    return f"CANARY-{word}-{secrets.token_hex(8)}"


@pytest.fixture
def files(request, app, settings, data_dir) -> Iterator[object]:
    """Where anything may lie on a disk: the database's files with its logs, and the whole data folder."""

    def found() -> list[Path]:
        with app.app_context():
            if db.engine.dialect.name == "sqlite":
                live = Path(db.engine.url.database)
                own = list(live.parent.glob(f"{live.name}*"))
            else:
                with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("CHECKPOINT"))
                own = [path for path in (data_dir / "postgresql").rglob("*") if path.is_file()]
        return own + [path for path in settings.data_dir.rglob("*") if path.is_file()]

    return found


def holding(files, *traces: bytes | str) -> set[str]:
    """Return which of the traces stand in which file."""
    wanted = [t.encode() if isinstance(t, str) else t for t in traces]
    found = set()
    for path in files():
        if not path.exists() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found |= {f"{trace[:30]!r} in {path.name}" for trace in wanted if content.find(trace) >= 0}
    return found


def somebody(app, client, *, openid: str, unionid: str, key: str) -> tuple[int, dict[str, str]]:
    """A learner who has left something everywhere."""
    learner_id, headers = cast.sign_in_learner(app, openid=openid, unionid=unionid)
    given = client.post(
        f"{ME}/consents",
        json={"purpose": "statistics", "version": "2026-01"},
        headers=headers | {"Idempotency-Key": key},
    )
    assert given.status_code == 201
    return learner_id, headers


def remembered(app, learner_id: int) -> dict[str, bytes]:
    """What a backup made now holds of a learner, as bytes."""
    with app.app_context():
        learner, key = reading().get_one(Learner, learner_id), reading().get_one(LearnerKey, learner_id)
        answer = reading().scalar(select(IdempotentAnswer.body))
        kept = {
            "openid_hash": learner.openid_hash,
            "openid_sealed": learner.openid_sealed,
            "unionid_sealed": learner.unionid_sealed,
            "name": key.name,
            "answer": answer,
            "key": vault_of(reading()).store.get([key.name])[key.name],
        }
        db.session.remove()
    return kept


# --- files ---------------------------------------------------------------------------------------


def test_no_file_holds_anything_of_a_person_in_clear_while_they_are_here(app, client, files):
    traces = canary("openid"), canary("unionid"), canary("key")
    somebody(app, client, openid=traces[0], unionid=traces[1], key=traces[2])
    assert holding(files, *traces) == set()


def test_after_erasure_no_file_holds_a_trace_or_the_key(app, client, files):
    traces = canary("openid"), canary("unionid"), canary("key")
    learner_id, headers = somebody(app, client, openid=traces[0], unionid=traces[1], key=traces[2])
    kept = remembered(app, learner_id)
    on_sqlite = "sqlite" in app.config["SQLALCHEMY_DATABASE_URI"]
    before = holding(files, *kept.values())
    assert {f"{kept['key'][:30]!r} in keys.sqlite3"} <= before  # the search finds what is there
    assert client.delete(ME, headers=headers).status_code == 204
    with app.app_context():
        run_all_due()
        db.session.remove()
    if on_sqlite:
        assert holding(files, *traces, *kept.values()) == set()
    else:  # dead rows and the log keep what was sealed until they are overwritten, and it opens no more
        assert holding(files, *traces, kept["key"]) == set()


def put_and_delete(app, trace: str, *, careless: bool = False) -> None:
    """Let a row hold a trace in clear, then delete it; `careless`: as SQLite does by itself."""
    with app.app_context():
        with writing() as session:
            session.add(
                IdempotentAnswer(
                    actor="a", route="r", key="k", fingerprint=b"f", status=200, body=trace.encode() * 20
                )
            )
        with writing() as session:
            if careless and session.get_bind().dialect.name == "sqlite":
                session.connection().exec_driver_sql("PRAGMA secure_delete=OFF")
            session.execute(text("DELETE FROM idempotent_answer"))
            if careless and session.get_bind().dialect.name == "sqlite":
                session.connection().exec_driver_sql("PRAGMA secure_delete=ON")
        db.session.remove()
        assert scrub(db.engine)


def test_what_is_deleted_in_sqlite_is_overwritten(app, files):
    trace = canary("deleted")
    put_and_delete(app, trace)
    found = holding(files, trace)
    if "sqlite" in app.config["SQLALCHEMY_DATABASE_URI"]:
        assert found == set()
    else:
        assert (
            found
        )  # the control: PostgreSQL keeps dead rows and its log, so nothing personal may be in clear


@pytest.mark.control
def test_without_secure_delete_it_would_still_be_there(app, files):
    trace = canary("careless")
    put_and_delete(app, trace, careless=True)
    assert holding(files, trace)


def test_erasure_cuts_the_write_ahead_log(app, client, files):
    if "sqlite" not in app.config["SQLALCHEMY_DATABASE_URI"]:
        return  # its log is no place for anything in clear: see above
    _, headers = cast.sign_in_learner(app)
    wal = Path(f"{db_file(app)}-wal")
    assert wal.stat().st_size > 0
    assert client.delete(ME, headers=headers).status_code == 204
    assert wal.stat().st_size == 0


def db_file(app) -> str:
    with app.app_context():
        return str(db.engine.url.database)


# --- keys ----------------------------------------------------------------------------------------


def opened(app, learner_id: int, kept: dict[str, bytes]) -> str:
    """Open an old backup's row with the keys that there are today."""
    with app.app_context():
        key = vault_of(reading()).key(kept["name"])
    from edu_platform.core.sealing import open_with

    return open_with(key, kept["openid_sealed"], context=identity_context(learner_id, "openid")).decode()


@pytest.mark.control("before the erasure")
def test_an_old_copy_of_the_database_opens_with_todays_keys_until_the_erasure_and_never_after(app, client):
    openid = canary("openid")
    learner_id, headers = somebody(app, client, openid=openid, unionid=canary("u"), key=canary("k"))
    kept = remembered(app, learner_id)
    assert opened(app, learner_id, kept) == openid  # the control
    assert client.delete(ME, headers=headers).status_code == 204
    with pytest.raises(CannotOpen):
        opened(app, learner_id, kept)


@pytest.mark.control
def test_a_key_store_kept_with_its_history_would_open_it(app, client):
    """The control of why the store is backed up without history."""
    openid = canary("openid")
    learner_id, headers = somebody(app, client, openid=openid, unionid=canary("u"), key=canary("k"))
    kept = remembered(app, learner_id)
    client.delete(ME, headers=headers)
    with app.app_context():
        vault_of(reading()).store.put({kept["name"]: kept["key"]})
    assert opened(app, learner_id, kept) == openid


def test_nobody_but_the_sender_can_open_a_kept_answer(app, client):
    _, headers = somebody(app, client, openid=canary("o"), unionid=canary("u"), key="the-client-s-own-key")
    with app.app_context():
        row = reading().scalars(select(IdempotentAnswer)).one()
        assert b"statistics" not in row.body
        assert "the-client-s-own-key" not in row.key
        db.session.remove()
    again = client.post(
        f"{ME}/consents",
        json={"purpose": "statistics", "version": "2026-01"},
        headers=headers | {"Idempotency-Key": "the-client-s-own-key"},
    )
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["purpose"] == "statistics"


def test_an_erasure_cut_off_by_a_crash_is_ended_by_the_worker_however_long_that_takes(
    app, client, monkeypatch
):
    learner_id, headers = cast.sign_in_learner(app)
    with app.app_context():
        name = reading().get_one(LearnerKey, learner_id).name
        store = vault_of(reading()).store
        db.session.remove()
    real = KeyStore.destroy

    def unreachable(*_):
        raise OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(KeyStore, "destroy", unreachable)
    assert client.delete(ME, headers=headers).status_code == 204
    assert store.get([name])  # the control: this is the moment in which the key is still there
    at = now()
    for _ in range(LARGEST_ATTEMPTS + 4):
        with app.app_context(), frozen(at):
            run_all_due()
            db.session.remove()
        at += timedelta(minutes=2)
    assert store.get([name])
    monkeypatch.setattr(KeyStore, "destroy", real)
    with app.app_context(), frozen(at):
        run_all_due()
        waiting = reading().scalars(select(OutboxMessage).where(OutboxMessage.done_at.is_(None))).all()
        db.session.remove()
    assert not store.get([name])
    assert not waiting


def test_an_erasure_that_is_not_committed_destroys_no_key(app):
    learner_id, _ = cast.sign_in_learner(app, openid="oStays")
    with app.app_context():
        with pytest.raises(ZeroDivisionError), writing() as session:
            operations.erase_learner(session, session.get_one(Learner, learner_id))
            raise ZeroDivisionError
        ring = KeyRing(app.config["EDU"].sealing_keys)
        assert operations.identity_of(ring, reading().get_one(Learner, learner_id))[0] == "oStays"
        assert vault_of(reading()).store.counts()[1] == 0
        db.session.remove()


def test_who_signs_in_after_the_key_store_was_lost_gets_a_new_key(app, settings):
    learner_id, _ = cast.sign_in_learner(app, openid="oBack", unionid="uBack")
    KeyStore(settings.keys_url).path.unlink()
    ring = KeyRing(settings.sealing_keys)
    with app.app_context():
        with pytest.raises(CannotOpen):
            operations.identity_of(ring, reading().get_one(Learner, learner_id))
        db.session.remove()
    assert cast.sign_in_learner(app, openid="oBack", unionid="uBack")[0] == learner_id
    with app.app_context():
        assert operations.identity_of(ring, reading().get_one(Learner, learner_id)) == ("oBack", "uBack")
        db.session.remove()


def test_keys_that_earlier_releases_kept_in_the_row_move_out(app, settings):
    ring = KeyRing(settings.sealing_keys)
    learner_id, _ = cast.sign_in_learner(app, openid="oOld", unionid="uOld")
    with app.app_context():
        with writing() as session:  # as it was before the key store
            learner = session.get_one(Learner, learner_id)
            session.delete(session.get_one(LearnerKey, learner_id))
            context = b"learner:%d:key" % learner_id
            learner.person_key = ring.new_person_key(context=context)
            key = ring.open(learner.person_key, context=context)
            learner.openid_sealed = seal_with(key, b"oOld", context=identity_context(learner_id, "openid"))
            learner.unionid_sealed = seal_with(key, b"uOld", context=identity_context(learner_id, "unionid"))
        entry.move_keys_out(settings)
        learner = reading().get_one(Learner, learner_id)
        assert learner.person_key is None
        assert operations.identity_of(ring, learner) == ("oOld", "uOld")
        db.session.remove()


def test_what_a_visitor_typed_is_sealed_too_and_goes_with_the_learner_they_became(app):
    visitor_id, _ = cast.visitor(app, Channel.WEBSITE)
    learner_id, _ = cast.sign_in_learner(app)
    with app.app_context():
        with writing() as session:
            kept = operations.seal_text(session, visitor_id, "打 13800000000 找我")
        assert "13800000000" not in kept
        assert operations.open_text(reading(), kept) == "打 13800000000 找我"
        with writing() as session:
            visitor, learner = (session.get_one(Learner, one) for one in (visitor_id, learner_id))
            operations.merge_visitor(session, visitor, learner)
        assert operations.open_text(reading(), kept) == "打 13800000000 找我"
        with writing() as session:
            operations.erase_learner(session, session.get_one(Learner, learner_id))
        with pytest.raises(CannotOpen):
            operations.open_text(reading(), kept)
        db.session.remove()


# --- restores ------------------------------------------------------------------------------------


def bring_back(app, learner_id: int, kept: dict[str, bytes]) -> None:
    """Make the database know an erased learner again, as restoring an earlier state of it does."""
    with app.app_context():
        with writing() as session:
            session.execute(
                update(Learner)
                .where(Learner.id == learner_id)
                .values(
                    erased_at=None,
                    age_band="18_59",
                    openid_hash=kept["openid_hash"],
                    openid_sealed=kept["openid_sealed"],
                )
            )
            session.add(LearnerKey(learner_id=learner_id, name=kept["name"]))
            session.execute(text("DELETE FROM outbox_message"))
        db.session.remove()


@pytest.fixture
def environ(settings, monkeypatch, app):
    monkeypatch.setattr(entry, "create_app", lambda _: app)
    monkeypatch.setattr("edu_platform.factory.app.create_app", lambda _: app)
    for name in ("environment", "data_dir", "database_url", "wechat_secret", "wechat_base_url"):
        monkeypatch.setenv(f"EDU_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("EDU_SECRET_KEYS", settings.secret_keys[0])
    monkeypatch.setenv("EDU_SEALING_KEYS", settings.sealing_keys[0])


def test_a_database_older_than_an_erasure_is_not_served_until_it_was_done_again(app, client, environ):
    learner_id, headers = somebody(app, client, openid="oGone", unionid="uGone", key="k")
    stays, _ = cast.sign_in_learner(app, openid="oHere")
    kept = remembered(app, learner_id)
    assert client.delete(ME, headers=headers).status_code == 204
    entry.application()
    bring_back(app, learner_id, kept)
    with pytest.raises(entry.RestoredBeforeErasures, match="edu erasures"):
        entry.application()
    done = CliRunner().invoke(erasures.command, [])
    assert done.exit_code == 0, done.output
    assert "1 名" in done.output
    entry.application()
    assert "没有" in CliRunner().invoke(erasures.command, []).output
    with app.app_context():
        again = reading().get_one(Learner, learner_id)
        assert again.erased_at is not None
        assert again.openid_hash is again.openid_sealed is None
        assert reading().get_one(Learner, stays).erased_at is None
        db.session.remove()


def test_a_stranger_who_was_given_the_same_id_after_a_restore_is_nobody_on_the_list(app, client, environ):
    learner_id, headers = somebody(app, client, openid="oGone", unionid="uGone", key="k")
    kept = remembered(app, learner_id)
    client.delete(ME, headers=headers)
    bring_back(app, learner_id, kept)
    with app.app_context():
        with writing() as session:
            session.get_one(Learner, learner_id).created_at = now() + timedelta(seconds=1)
        db.session.remove()
    entry.application()


def test_the_list_says_nothing_of_a_person(app, client, settings):
    learner_id, headers = somebody(app, client, openid="oGone", unionid="uGone", key="k")
    client.delete(ME, headers=headers)
    store = KeyStore(settings.keys_url)
    listed = [one for some in store.erasures() for one in some]
    assert [one.learner_id for one in listed] == [learner_id]
    assert store.counts()[1] == 1
    with app.app_context():
        assert reading().scalar(select(Consent.id)) is None
        db.session.remove()


# --- the store -----------------------------------------------------------------------------------


@pytest.fixture
def store(request, tmp_path) -> Iterator[KeyStore]:
    if request.config.getoption("--database") == "sqlite":
        yield KeyStore(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
        return
    uri = request.getfixturevalue("postgresql").replace("postgresql://", "postgresql+psycopg://")
    admin = create_engine(uri, isolation_level="AUTOCOMMIT")
    name = f"edu_keys_{secrets.token_hex(4)}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    made = KeyStore(admin.url.set(database=name).render_as_string(hide_password=False))
    made.prepare()
    yield made
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.mark.database
def test_the_store_keeps_gives_and_destroys(store):
    store.put({b"a" * 16: b"one", b"b" * 16: b"two"})
    store.put({b"a" * 16: b"newer"})
    assert store.get([b"a" * 16, b"b" * 16, b"c" * 16]) == {b"a" * 16: b"newer", b"b" * 16: b"two"}
    for _ in range(2):
        store.destroy([b"a" * 16], [Erased(7, b"d" * 32)])
    assert store.get([b"a" * 16]) == {}
    assert store.counts() == (1, 1)


def test_another_file_in_the_stores_place_is_the_store_from_then_on(tmp_path):
    """A connection kept from before would write keys into a file that is gone."""
    store, path = KeyStore(f"sqlite:///{tmp_path / 'keys.sqlite3'}"), tmp_path / "keys.sqlite3"
    store.put({b"a" * 16: b"one"})
    store.copy_to(tmp_path / "copy.sqlite3")
    store.put({b"b" * 16: b"two"})
    (tmp_path / "copy.sqlite3").replace(path)
    assert store.get([b"a" * 16, b"b" * 16]) == {b"a" * 16: b"one"}
    store.put({b"c" * 16: b"three"})
    path.unlink()
    assert store.get([b"c" * 16]) == {}
    store.put({b"d" * 16: b"four"})
    assert KeyStore(store.url).get([b"d" * 16]) == {b"d" * 16: b"four"}


def test_a_connection_is_used_by_the_process_alone_that_opened_it(tmp_path):
    store = KeyStore(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    store.put({b"a" * 16: b"one"})
    opened = []
    event.listen(store._engine, "connect", lambda *_: opened.append(os.getpid()))
    for _ in range(3):
        store.get([b"a" * 16])
    assert opened == [], "it was kept"
    child = os.fork()
    if not child:
        found = store.get([b"a" * 16]) == {b"a" * 16: b"one"}
        os._exit(0 if found and opened == [os.getpid()] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.put({b"b" * 16: b"two"})
    assert opened == []


@pytest.mark.database
def test_the_list_comes_whole_however_long_it_is(store):
    some = [Erased(number // 3, secrets.token_bytes(32)) for number in range(1700)]
    store.destroy([], some)
    listed = [one for portion in store.erasures() for one in portion]
    assert len(listed) == 1700
    assert set(listed) == set(some)


@pytest.mark.database
def test_a_destroyed_key_leaves_the_stores_own_files(store, data_dir, tmp_path):
    sealed = canary("sealed-key").encode() * 3
    store.put({b"a" * 16: sealed})
    folder = tmp_path if store.path else data_dir / "postgresql" / "base"

    def here() -> bool:
        if not store.path:
            engine = create_engine(store.url, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text("CHECKPOINT"))
            engine.dispose()
        return any(sealed in path.read_bytes() for path in folder.rglob("*") if path.is_file())

    assert here()
    store.destroy([b"a" * 16])
    store.scrub()
    assert not here()


@pytest.mark.database
def test_a_copy_of_the_store_holds_what_is_there_and_nothing_that_was(store, tmp_path):
    gone = canary("gone").encode()
    store.put({b"a" * 16: gone, b"b" * 16: b"two"})
    store.destroy([b"a" * 16], [Erased(7, b"d" * 32)])
    store.copy_to(tmp_path / "copy.sqlite3")
    assert gone not in (tmp_path / "copy.sqlite3").read_bytes()
    assert (tmp_path / "copy.sqlite3").stat().st_mode & 0o077 == 0
    empty = KeyStore(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    empty.take_over(tmp_path / "copy.sqlite3")
    assert (empty.counts(), empty.get([b"b" * 16])) == ((1, 1), {b"b" * 16: b"two"})
    with pytest.raises(ValueError, match="not empty"):
        store.take_over(tmp_path / "copy.sqlite3")


@pytest.mark.parametrize(
    ("database", "keys"),
    [
        ("sqlite:////x/edu.sqlite3", "sqlite:////x/edu.sqlite3"),
        ("postgresql://u@db/edu", "postgresql://u@db:5432/keys"),
        ("postgresql://u@/edu?host=/run/pg", "postgresql://u@/keys?host=/run/pg"),
    ],
)
def test_keys_beside_the_data_are_refused(database, keys):
    environ = {
        "EDU_ENVIRONMENT": "test",
        "EDU_DATABASE_URL": database,
        "EDU_KEYS_URL": keys,
        "EDU_SECRET_KEYS": "test-only-0123456789-abcdefghijklmnop",
        "EDU_SEALING_KEYS": "test-only-sealing-9876543210-zyxwvuts",
    }
    with pytest.raises(SettingsError, match="EDU_KEYS_URL"):
        Settings.read(environ)
    Settings.read(environ | {"EDU_KEYS_URL": "postgresql://u@elsewhere/keys"})
