"""Files over HTTP."""

import email

import pytest

from edu_platform.core.db import writing
from edu_platform.media.models import FileKind
from edu_platform.media.operations import hide_files, keep, show_files, url_of
from edu_platform.media.storage import store_of

pytestmark = pytest.mark.database
DATA = bytes(i * 7 % 256 for i in range(100_000))


@pytest.fixture
def url(app, settings):
    with app.app_context(), writing() as session:
        store = store_of(settings)
        file = keep(session, store, DATA, kind=FileKind.FILM, media_type="video/mp4")
        for holder in ("piece:1", "piece:2", "piece:2"):
            show_files(session, store, holder=holder, digests=[file.digest])
        return url_of(file)


def test_a_whole_file(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.data == DATA
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == "100000"
    assert answer.headers["ETag"].startswith('"')


def test_one_range(client, url):
    answer = client.get(url, headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.data) == (206, DATA[10:20])
    assert answer.headers["Content-Range"] == "bytes 10-19/100000"
    assert answer.headers["Content-Length"] == "10"


def test_several_ranges_come_as_parts(client, url):
    answer = client.get(url, headers={"Range": "bytes=0-0,50000-50009,-1"})
    assert answer.status_code == 206
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    message = email.message_from_bytes(
        b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.data
    )
    parts = message.get_payload()
    assert [p["Content-Range"] for p in parts] == [
        "bytes 0-0/100000",
        "bytes 50000-50009/100000",
        "bytes 99999-99999/100000",
    ]
    assert "Content-Range" not in answer.headers
    raw = answer.data.split(b"\r\n\r\n", 2)[2]
    assert raw.startswith(DATA[50000:50010])


def test_outside_the_file_is_416_with_its_length(client, url):
    answer = client.get(url, headers={"Range": "bytes=100000-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */100000"
    assert answer.json["code"] == "range_not_satisfiable"


def test_head_ignores_the_range_and_sends_no_body(client, url):
    answer = client.head(url, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "100000"


def test_if_range_of_another_version_gets_the_whole(client, url):
    assert client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    etag = client.head(url).headers["ETag"]
    assert client.get(url, headers={"Range": "bytes=0-9", "If-Range": etag}).status_code == 206


def test_not_again(client, url):
    etag = client.head(url).headers["ETag"]
    answer = client.get(url, headers={"If-None-Match": f'W/{etag}, "x"', "Range": "bytes=0-9"})
    assert (answer.status_code, answer.data) == (304, b"")
    assert client.get(url, headers={"If-Match": '"x"'}).status_code == 412


def test_what_nobody_holds_any_more_is_gone(app, settings, client, url):
    digest = url.rsplit("/", 1)[1].partition(".")[0]
    for holder, status in (("piece:1", 200), ("piece:1", 200), ("piece:2", 404)):
        with app.app_context(), writing() as session:
            hide_files(session, store_of(settings), holder=holder, digests=[digest])
        assert client.get(url).status_code == status
    assert not (settings.data_dir / "media" / "public" / url.rsplit("/", 1)[1]).exists()


@pytest.mark.parametrize(
    "name", ["x", "..%2f..%2finstallation.env", "a" * 64 + ".mp4", "%00", "a" * 64 + ".mp4.exe"]
)
def test_no_other_name_reaches_a_file(client, url, name):
    assert client.get(f"/media/{name}").status_code == 404


def test_the_right_digest_under_a_wrong_ending_is_not_found(client, url):
    assert client.get(url.replace(".mp4", ".jpg")).status_code == 404
