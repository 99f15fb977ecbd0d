"""The folder and a real S3 server keep the same promises."""

import contextlib
import io
import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edu_platform.config.settings import Storage
from edu_platform.media.storage import FolderStore, NoSuchFile, S3Store, whole

KEY = "ab" * 32 + ".bin"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    config = folder / "s3.json"
    config.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "edu",
                        "credentials": [{"accessKey": "edu", "secretKey": "edu-secret"}],
                        "actions": ["Admin", "Read", "Write", "List"],
                    }
                ]
            }
        )
    )
    ports = _free_ports(4)
    server = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-s3", f"-s3.port={ports[0]}", f"-s3.config={config}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={ports[1]}", f"-volume.port={ports[2]}",
            f"-filer.port={ports[3]}", "-master.volumeSizeLimitMB=64", "-volume.max=8",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield f"http://127.0.0.1:{ports[0]}"
    server.kill()
    server.wait()


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        # SeaweedFS also takes each port + 10000 for gRPC
        return [one.getsockname()[1] % 20000 + 20000 for one in sockets]


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    return FolderStore(tmp_path) if request.param == "folder" else request.getfixturevalue("s3_store")


@pytest.fixture
def s3_store(s3, settings):
    built = S3Store(
        replace(
            settings,
            storage=Storage.S3,
            s3_endpoint=s3,
            s3_bucket="edu",
            s3_access_key="edu",
            s3_secret_key="edu-secret",
        )
    )
    deadline = time.monotonic() + 60
    while True:  # the first write right after its start may fail
        try:
            with contextlib.suppress(
                built._client.exceptions.BucketAlreadyExists, built._client.exceptions.BucketAlreadyOwnedByYou
            ):
                built._client.create_bucket(Bucket="edu")
            built._client.put_object(Bucket="edu", Key="warm", Body=b"up")
            return built
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


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
    store.unpublish(KEY)
    store.unpublish(KEY)
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(NoSuchFile):
        store.size(KEY)
    with pytest.raises(NoSuchFile):
        store.read(KEY, 0, 1)


def test_wrong_keys_are_refused_by_a_real_server(s3, s3_store, settings):
    s3_store.check()
    stranger = S3Store(
        replace(settings, s3_endpoint=s3, s3_bucket="edu", s3_access_key="edu", s3_secret_key="wrong")
    )
    with pytest.raises(Exception, match="Signature|Forbidden|403"):
        stranger.check()


def test_a_folder_that_cannot_be_written_is_not_ready(tmp_path):
    (tmp_path / "files").write_text("a file where a folder should be")
    with pytest.raises(OSError):
        FolderStore(tmp_path).check()
