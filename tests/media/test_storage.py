"""The folder and a real S3 server keep the same promises."""

import io
import time
from dataclasses import replace

import pytest

from edu_platform.config.settings import Storage
from edu_platform.media.storage import FolderStore, NoSuchFile, S3Store, whole
from tests.services import ACCESS_KEY, BUCKET, SECRET_KEY, s3

KEY = "ab" * 32 + ".bin"


@pytest.fixture(scope="module")
def s3_port(tmp_path_factory):
    with s3(tmp_path_factory.mktemp("s3")) as port:
        yield port


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    return FolderStore(tmp_path) if request.param == "folder" else request.getfixturevalue("s3_store")


@pytest.fixture
def s3_store(s3_port, settings):
    return S3Store(
        replace(
            settings,
            storage=Storage.S3,
            s3_endpoint=f"http://127.0.0.1:{s3_port}",
            s3_bucket=BUCKET,
            s3_access_key=ACCESS_KEY,
            s3_secret_key=SECRET_KEY,
        )
    )


def test_what_is_put_is_read_whole_and_in_part(store):
    store.put(KEY, io.BytesIO(b"0123456789"), media_type="application/octet-stream")
    assert whole(store, KEY) == b"0123456789"
    assert b"".join(store.read(KEY, 3, 4)) == b"3456"
    assert store.size(KEY) == 10
    store.check()


def test_writing_again_changes_nothing(store):
    store.put(KEY, io.BytesIO(b"first"), media_type="text/plain")
    before = whole(store, KEY)
    store.put(KEY, io.BytesIO(b"second"), media_type="text/plain")
    assert whole(store, KEY) == before


def test_publishing_and_forgetting(store):
    store.put(KEY, io.BytesIO(b"x"), media_type="text/plain")
    store.publish(KEY)
    store.publish(KEY)
    assert [(key, abs(since - time.time()) < 60) for key, since in store.published().items()] == [(KEY, True)]
    store.unpublish(KEY)
    assert store.published() == {}
    store.unpublish(KEY)
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(NoSuchFile):
        store.size(KEY)
    with pytest.raises(NoSuchFile):
        store.read(KEY, 0, 1)


def test_wrong_keys_are_refused_by_a_real_server(s3_port, s3_store, settings):
    s3_store.check()
    endpoint = f"http://127.0.0.1:{s3_port}"
    stranger = S3Store(
        replace(settings, s3_endpoint=endpoint, s3_bucket=BUCKET, s3_access_key="edu", s3_secret_key="wrong")
    )
    with pytest.raises(Exception, match="Signature|Forbidden|403"):
        stranger.check()


def test_a_folder_that_cannot_be_written_is_not_ready(tmp_path):
    (tmp_path / "files").write_text("a file where a folder should be")
    with pytest.raises(OSError):
        FolderStore(tmp_path).check()
