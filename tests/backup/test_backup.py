"""A backup made while people are at work brings everything back, and is never taken for one when it is not."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysqlite3
import pytest
from sqlalchemy import create_engine, text

from edu_platform.backup import rules
from edu_platform.backup.operations import making
from edu_platform.backup.operations import sqlite as sqlite_copy
from edu_platform.backup.operations.files import pool_path
from edu_platform.backup.operations.fingerprints import take
from edu_platform.core.clock import frozen, now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.sealing import KeyRing
from edu_platform.media.models import FileKind
from edu_platform.media.operations import keep, key_of, show_files
from edu_platform.media.storage import store_of, whole
from edu_platform.people import operations
from edu_platform.people.keystore import KeyStore, vault_of
from edu_platform.people.models import Learner, LearnerKey
from edu_platform.reach.tasks import fold_all
from tests.backup.conftest import erase, somebody

PICTURE = b"\x89PNG a picture " * 1000


def keep_picture(installation, content: bytes = PICTURE) -> str:
    store = store_of(installation.settings)
    with installation.app.app_context():
        with writing() as session:
            file = keep(session, store, content, kind=FileKind.PICTURE, media_type="image/png")
            show_files(session, store, holder="piece:1", digests=[file.digest])
            key = key_of(file)
        db.session.remove()
    return key


def fold(installation) -> None:
    with installation.app.app_context():
        fold_all()
        db.session.remove()


class Crowd(threading.Thread):
    """Somebody who goes on sending beacons while the backup is made."""

    def __init__(self, installation, headers) -> None:
        super().__init__(daemon=True)
        self._installation, self._headers = installation, headers
        self.acknowledged, self.enough = 0, threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            self.acknowledged += self._installation.beacons(self._headers)


@pytest.mark.database
def test_what_was_acknowledged_before_a_backup_under_load_comes_back(installation):
    learner_id, headers = somebody(installation.app, openid="oBackedUp", unionid="uBackedUp")
    key = keep_picture(installation)
    before = installation.beacons(headers, 50)
    fold(installation)
    crowd = Crowd(installation, headers)
    crowd.start()
    while crowd.acknowledged < 40:
        time.sleep(0.01)
    before += crowd.acknowledged
    done = installation.backup()
    crowd.enough.set()
    crowd.join()
    assert done.exit_code == 0, done.output
    recorded = json.loads((installation.newest() / "manifest.json").read_text())["tables"]["beacon"]["rows"]
    assert before <= recorded <= 50 + crowd.acknowledged
    installation.wipe()
    again = installation.restore(installation.newest())
    assert again.exit_code == 0, again.output
    assert "逐表校验一致" in again.output
    assert installation.count("beacon") == recorded
    with installation.app.app_context():
        ring = KeyRing(installation.settings.sealing_keys)
        assert operations.identity_of(ring, reading().get_one(Learner, learner_id)) == (
            "oBackedUp",
            "uBackedUp",
        )
        db.session.remove()
    assert whole(store_of(installation.settings), key) == PICTURE
    assert (installation.settings.data_dir / "media" / "public" / key).read_bytes() == PICTURE
    assert installation.beacons(headers) == 20  # the platform goes on with it


@pytest.mark.control
def test_copying_the_file_of_a_live_database_would_lose_what_was_acknowledged(installation):
    """The control: on SQLite what was committed last stands in the log beside the file."""
    if not installation.settings.on_sqlite:
        return
    _, headers = somebody(installation.app)
    acknowledged = installation.beacons(headers, 50)
    file = Path(installation.settings.database_url.removeprefix("sqlite:///"))
    careless = installation.folder / "careless.sqlite3"
    shutil.copyfile(file, careless)
    with pysqlite3.connect(careless) as copied:
        try:
            found = copied.execute("SELECT count(*) FROM beacon").fetchone()[0]
        except pysqlite3.DatabaseError:
            found = 0
    copied.close()
    assert found < acknowledged


@pytest.mark.database
def test_whoever_was_erased_since_the_backup_is_erased_again(installation):
    gone_id, gone = somebody(installation.app, openid="oGone")
    stays_id, _ = somebody(installation.app, openid="oStays")
    assert installation.backup().exit_code == 0
    erase(installation.app, gone)
    done = installation.restore(installation.newest(), "--replace")
    assert done.exit_code == 0, done.output
    assert "1 名学习者的注销" in done.output
    with installation.app.app_context():
        assert reading().get_one(Learner, gone_id).erased_at is not None
        assert reading().get_one(Learner, stays_id).erased_at is None
        db.session.remove()


@pytest.mark.database
def test_a_backup_holds_nothing_personal_in_clear_and_no_key(installation):
    learner_id, headers = somebody(installation.app, openid="oCANARY-in-backup", unionid="uCANARY-in-backup")
    answer = installation.app.test_client().post(
        "/api/v1/me/consents",
        json={"purpose": "statistics", "version": "2026-01"},
        headers=headers | {"Idempotency-Key": "CANARY-key-in-backup"},
    )
    assert answer.status_code == 201
    with installation.app.app_context():
        with writing() as session:
            operations.seal_text(session, learner_id, "CANARY-own-words")
        name = reading().get_one(LearnerKey, learner_id).name
        key = vault_of(reading()).store.get([name])[name]
        db.session.remove()
    assert installation.backup().exit_code == 0
    kept = [path for path in installation.copies.rglob("*") if path.is_file()]
    assert not [path.name for path in kept if b"CANARY" in plain(path) or key in plain(path)]
    apart = installation.folder / "copies-keys" / "keys.sqlite3"
    assert key in apart.read_bytes()  # the control: it is found where it is
    erase(installation.app, headers)
    time.sleep(1.1)
    assert installation.backup().exit_code == 0
    assert key not in apart.read_bytes()
    assert [path.name for path in apart.parent.iterdir()] == ["keys.sqlite3"]


def plain(path: Path) -> bytes:
    """A dump is compressed: what `pg_restore` makes of it."""
    if path.suffix != ".dump":
        return path.read_bytes()
    return subprocess.run(["pg_restore", "-f", "-", str(path)], capture_output=True, check=True).stdout


@pytest.mark.parametrize("keys", ["copies/keys", "copies", "."])
def test_keys_and_data_are_never_kept_together(installation, keys):
    refused = installation.backup("--keys", str(installation.folder / keys))
    assert refused.exit_code == 1
    assert "分开" in refused.output
    assert not installation.copies.exists() or not list(installation.copies.glob("*/manifest.json"))


@pytest.mark.database
def test_a_damaged_backup_is_refused_and_what_is_there_stays(installation):
    _, headers = somebody(installation.app)
    installation.beacons(headers)
    assert installation.backup().exit_code == 0
    copied = next(path for path in installation.newest().iterdir() if path.name.startswith("database."))
    with copied.open("r+b") as file:
        file.seek(copied.stat().st_size // 2)
        file.write(b"\0\1\2\3")
    installation.beacons(headers)
    refused = installation.restore(installation.newest(), "--replace")
    assert refused.exit_code == 1
    assert "损坏" in refused.output
    assert installation.count("beacon") == 40


@pytest.mark.database
def test_a_database_that_holds_something_is_not_overwritten_unasked(installation):
    _, headers = somebody(installation.app)
    assert installation.backup().exit_code == 0
    installation.beacons(headers)
    refused = installation.restore(installation.newest())
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    assert installation.count("beacon") == 20


@pytest.mark.database
def test_a_running_platform_is_not_restored_over(installation):
    assert installation.backup().exit_code == 0
    url = installation.settings.database_url
    if installation.settings.on_sqlite:
        file = url.removeprefix("sqlite:///")
        code = f"import sqlite3,sys; c=sqlite3.connect({file!r}); c.execute('SELECT 1 FROM learner').fetchall(); print('open', flush=True); sys.stdin.read()"
        user = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert user.stdout.readline() == "open\n"
        refused = installation.restore(installation.newest(), "--replace")
        user.communicate("")
    else:
        engine = create_engine(url)
        with engine.connect():
            refused = installation.restore(installation.newest(), "--replace")
        engine.dispose()
    assert refused.exit_code == 1
    assert "停止平台" in refused.output
    done = installation.restore(installation.newest(), "--replace")
    assert done.exit_code == 0, done.output


def finished(installation) -> list[str]:
    return (
        [path.name for path in making.finished(installation.copies)] if installation.copies.exists() else []
    )


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        pysqlite3.OperationalError("database or disk is full"),
    ],
)
def test_a_full_disk_leaves_no_backup_and_says_so(installation, monkeypatch, failure):
    def full(*_):
        raise failure

    monkeypatch.setattr(making, "copy_files", full)
    refused = installation.backup()
    assert refused.exit_code == 1
    assert "磁盘已满" in refused.output
    assert finished(installation) == []
    assert not list(installation.copies.glob(".unfinished-*"))
    monkeypatch.undo()


def test_a_backup_cut_off_by_a_kill_is_none_and_the_next_one_clears_it_away(installation):
    left = installation.copies / ".unfinished-20260101T000000Z"
    left.mkdir(parents=True)
    (left / "database.sqlite3").write_bytes(b"half")
    refused = installation.restore(left)
    assert refused.exit_code == 1
    assert "不是完整的备份" in refused.output
    assert installation.backup().exit_code == 0
    assert not left.exists()
    assert len(finished(installation)) == 1


def test_two_backups_at_once_are_one(installation):
    installation.copies.mkdir()
    with making._alone(installation.copies):
        refused = installation.backup()
    assert refused.exit_code == 1
    assert "正在进行" in refused.output


def test_old_backups_go_with_the_files_that_only_they_had(installation):
    first = keep_picture(installation, b"\x89PNG first")
    with frozen(now() - timedelta(days=40)):
        assert installation.backup().exit_code == 0
    with installation.app.app_context():
        with writing() as session:
            session.execute(text("DELETE FROM public_link"))
            session.execute(text("DELETE FROM media_file"))
        db.session.remove()
    second = keep_picture(installation, b"\x89PNG second")
    old = finished(installation)
    assert installation.backup("--keep-days", "50").exit_code == 0
    assert set(old) < set(finished(installation))
    assert pool_path(installation.copies, first).exists()
    with frozen(now() + timedelta(seconds=2)):
        done = installation.backup("--keep-days", "30")
    assert "已删除 1 份" in done.output
    assert not set(old) & set(finished(installation))
    assert not pool_path(installation.copies, first).exists()
    assert pool_path(installation.copies, second).exists()


def test_what_is_overdue():
    at = datetime(2026, 3, 31, tzinfo=UTC)
    names = ["20260101T000000Z", "20260301T000000Z", "20260330T000000Z", "20260101T000000Z-base", "notes"]
    assert rules.overdue(names, at=at, keep=timedelta(days=20)) == {"20260101T000000Z", "20260301T000000Z"}
    assert rules.overdue(["20200101T000000Z"], at=at, keep=timedelta(days=1)) == set()


@pytest.mark.database
def test_figures_that_do_not_fit_the_log_are_named_after_a_restore(installation):
    _, headers = somebody(installation.app)
    installation.beacons(headers)
    fold(installation)
    with installation.app.app_context():
        with writing() as session:
            on_table = "" if installation.settings.on_sqlite else " ON beacon"
            session.execute(text(f"DROP TRIGGER beacon_no_delete{on_table}"))
            session.execute(text("DELETE FROM beacon WHERE id = 1"))
        db.session.remove()
    assert installation.backup().exit_code == 0
    done = installation.restore(installation.newest(), "--replace")
    assert done.exit_code == 1
    assert "统计与明细不符" in done.output


def test_one_changed_value_changes_a_fingerprint(tmp_path):
    file = tmp_path / "one.sqlite3"
    connection = pysqlite3.connect(file, isolation_level=None)
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(n, str(n), b"x") for n in range(5000)])
    seen = {take(connection, sqlite=True, progress=lambda *_: None)["t"].sha256}
    for change in (
        "UPDATE t SET a = 'x' WHERE id = 4999",
        "UPDATE t SET b = 'x' WHERE id = 0",
        "DELETE FROM t WHERE id = 17",
    ):
        connection.execute(change)
        seen.add(take(connection, sqlite=True, progress=lambda *_: None)["t"].sha256)
    connection.close()
    assert len(seen) == 4


def test_a_copy_that_lacks_a_row_is_no_copy(tmp_path):
    source, target = tmp_path / "a.sqlite3", tmp_path / "b.sqlite3"
    for file in (source, target):
        connection = pysqlite3.connect(file, isolation_level=None)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(10)])
        prints = take(connection, sqlite=True, progress=lambda *_: None)
        if file is target:
            connection.execute("DELETE FROM t WHERE id = 3")
        connection.close()
    sqlite_copy.check(source, prints, lambda *_: None)
    with pytest.raises(making.BackupFailed, match="不一致：t"):
        sqlite_copy.check(target, prints, lambda *_: None)


def test_without_the_key_store_and_its_copy_people_are_sealed_anew_when_they_come_back(installation):
    learner_id, _ = somebody(installation.app, openid="oLost")
    assert installation.backup().exit_code == 0
    installation.wipe()
    shutil.rmtree(installation.folder / "copies-keys")
    done = installation.restore(installation.newest())
    assert done.exit_code == 0, done.output
    assert "重新封存" in done.output
    assert KeyStore(installation.settings.keys_url).counts() == (0, 0)
    assert somebody(installation.app, openid="oLost")[0] == learner_id
    assert KeyStore(installation.settings.keys_url).counts()[0] == 1
