"""Files that lie in an S3 store are in a backup, and a restore puts them back where they were, public ones in public."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import pytest

from edu_platform.backup.operations import making
from edu_platform.config.settings import Settings
from edu_platform.core.db import db
from edu_platform.factory.app import create_app
from edu_platform.media.storage import NoSuchFile, store_of, whole
from tests.backup.conftest import SECRETS, Installation
from tests.backup.test_backup import PICTURE, keep_picture
from tests.faults.proxy import FaultProxy
from tests.services import BUCKET, s3, s3_settings


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture
def proxy(server):
    with FaultProxy(("127.0.0.1", server)) as made:
        yield made


@pytest.fixture
def in_store(installation, proxy, monkeypatch):
    """The installation, its files in the store."""
    environ = SECRETS | s3_settings(proxy.port)
    environ |= {
        "EDU_DATA_DIR": str(installation.settings.data_dir),
        "EDU_DATABASE_URL": installation.settings.database_url,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read(environ)
    made = Installation(installation.folder, settings, create_app(settings))
    yield made
    with made.app.app_context():
        db.session.remove()
        db.engine.dispose()


def seen_by_everybody(proxy, key):
    """What somebody without any key gets from the store."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{proxy.port}/{BUCKET}/public/{key}", timeout=5
        ) as answer:
            return answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.database
@pytest.mark.once
def test_files_in_a_store_come_back_after_everything_was_lost(in_store, proxy):
    store = store_of(in_store.settings)
    key = keep_picture(in_store)
    assert seen_by_everybody(proxy, key) == PICTURE
    done = in_store.backup()
    assert done.exit_code == 0, done.output
    assert "文件 1 个" in done.output

    in_store.wipe()
    store.delete(key)
    with pytest.raises(NoSuchFile):
        whole(store, key)
    assert seen_by_everybody(proxy, key) in {403, 404}

    again = in_store.restore(in_store.newest())
    assert again.exit_code == 0, again.output
    assert whole(store, key) == PICTURE
    assert seen_by_everybody(proxy, key) == PICTURE


@pytest.mark.database
@pytest.mark.once
@pytest.mark.control
def test_without_the_backups_own_copy_a_lost_file_is_missed(in_store):
    """The control: what the store lost is not in the store, and the restore says so."""
    key = keep_picture(in_store, b"\x89PNG another")
    assert in_store.backup().exit_code == 0
    store_of(in_store.settings).delete(key)
    (copied,) = (in_store.copies / "files").rglob(key)
    copied.unlink()
    done = in_store.restore(in_store.newest(), "--replace")
    assert done.exit_code == 1
    assert f"1 个文件损坏或缺失，如 {key}" in done.output


def test_a_store_that_is_away_makes_no_backup(in_store, proxy):
    keep_picture(in_store, b"\x89PNG a third")
    proxy.mode = "refuse"
    refused = in_store.backup()
    assert refused.exit_code == 1, refused.output
    assert "文件存储没有应答" in refused.output
    assert making.finished(in_store.copies) == []
    proxy.mode = "pass"
    assert in_store.backup().exit_code == 0


def test_what_a_store_gives_instead_of_a_file_is_not_taken_for_it(in_store, proxy):
    key = keep_picture(in_store, b"\x89PNG a fifth")
    proxy.mode = "garble"
    done = in_store.backup()
    assert done.exit_code == 0
    assert f"缺少 1 个文件，如 {key}" in done.output
    proxy.mode = "pass"
    time.sleep(1.1)
    assert "缺少" not in in_store.backup().output, "the next one has it"


def test_a_store_that_goes_away_during_a_restore_is_said_and_the_next_one_ends_it(in_store, proxy):
    key = keep_picture(in_store, b"\x89PNG a fourth")
    assert in_store.backup().exit_code == 0
    in_store.wipe()
    store_of(in_store.settings).delete(key)
    proxy.mode = "refuse"
    refused = in_store.restore(in_store.newest())
    assert refused.exit_code == 1
    assert "文件存储没有应答" in refused.output and "--replace" in refused.output
    proxy.mode = "pass"
    done = in_store.restore(in_store.newest(), "--replace")
    assert done.exit_code == 0, done.output
    assert whole(store_of(in_store.settings), key) == b"\x89PNG a fourth"
