"""Mini-program codes: what the client refuses itself, what WeChat refuses, and the picture."""

from __future__ import annotations

import io
import string

import pytest
import segno
from PIL import Image

from edu_platform.wechat.client import SCENE_PATTERN
from edu_platform.wechat.errors import InvalidArgument, RateLimited, Refused, Unavailable

UNLIMITED = "/wxa/getwxacodeunlimit"


def code_of(stub, body, path=UNLIMITED):
    return stub.post(path, body).json()["errcode"]


def test_a_code_is_a_jpeg_of_the_width_asked_for(client):
    image = Image.open(io.BytesIO(client.unlimited_code("c:7Gk2Qz", width=300)))
    assert (image.format, image.size) == ("JPEG", (300, 300))


def test_a_clear_ground_is_png(client):
    image = Image.open(io.BytesIO(client.unlimited_code("c:7Gk2Qz", hyaline=True)))
    assert (image.format, image.mode) == ("PNG", "RGBA")
    assert image.getpixel((1, 1))[3] == 0


def test_the_picture_says_scene_page_and_app(stub, client):
    width = 430
    image = Image.open(io.BytesIO(client.unlimited_code("c:7Gk2Qz", page="pages/index/index", width=width)))
    text = (
        f"https://standin.invalid/unlimited?appid={stub.appid}"
        "&scene=c%3A7Gk2Qz&page=pages%2Findex%2Findex&env=release"
    )
    matrix = list(segno.make(text, error="m", micro=False).matrix_iter(border=4))
    grey = image.convert("L")
    module = width / len(matrix)
    drawn = [
        [
            int(grey.getpixel((int((x + 0.5) * module), int((y + 0.5) * module))) < 128)
            for x in range(len(matrix))
        ]
        for y in range(len(matrix))
    ]
    assert drawn == [[int(dark) for dark in row] for row in matrix]


def test_different_scenes_give_different_pictures(client):
    assert client.unlimited_code("c:1") == client.unlimited_code("c:1") != client.unlimited_code("c:2")


@pytest.mark.parametrize("scene", ["", "a" * 33, "中", "a%20", "a b", "a\n", '"', "c:1\n"])
def test_a_bad_scene_is_refused_before_the_call(stub, client, scene):
    with pytest.raises(InvalidArgument) as refused:
        client.unlimited_code(scene)
    assert refused.value.field == "scene"
    assert stub.get("calls")["calls"] == []


def test_the_pattern_is_wechats_set():
    allowed = {each for each in map(chr, range(0x250)) if SCENE_PATTERN.fullmatch(each)}
    assert allowed == set(string.ascii_letters + string.digits + "!#$&'()*+,/:;=?@-._~")
    assert SCENE_PATTERN.fullmatch("a" * 32)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"page": "/pages/index/index"}, "page"),
        ({"page": "pages/index/index?a=1"}, "page"),
        ({"page": ""}, "page"),
        ({"width": 279}, "width"),
        ({"width": 1281}, "width"),
    ],
)
def test_page_and_width_are_checked_before_the_call(stub, client, change, field):
    with pytest.raises(InvalidArgument) as refused:
        client.unlimited_code("c:1", **change)
    assert refused.value.field == field
    assert stub.get("calls")["calls"] == []


def test_an_unknown_page_is_refused_unless_the_check_is_off(stub, client):
    with pytest.raises(Refused) as refused:
        client.unlimited_code("c:1", page="pages/new/new")
    assert refused.value.errcode == 41030
    assert client.unlimited_code("c:1", page="pages/new/new", check_path=False)
    stub.set("pages", pages=["pages/new/new"])
    assert client.unlimited_code("c:1", page="pages/new/new")


def test_an_unknown_environment_is_refused(client):
    with pytest.raises(Refused) as refused:
        client.unlimited_code("c:1", env_version="staging")
    assert refused.value.errcode == 40097


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"scene": "a" * 33}, 40169),
        ({"scene": ""}, 40169),
        ({}, 40169),
        (b"scene=c1", 40169),
        ({"scene": "中"}, 40129),
        ({"scene": "a%20"}, 40129),
        ({"scene": "scancode_time=1"}, 85096),
        ({"scene": "c:1", "page": "/pages/index/index"}, 41030),
        ({"scene": "c:1", "env_version": "x"}, 40097),
        ({"scene": "c:1", "width": 100}, 40097),
        (b"", 44002),
    ],
)
def test_what_the_stand_in_refuses(stub, body, errcode):
    assert code_of(stub, body) == errcode


def test_the_minute_quota_is_reported(stub, client):
    stub.set("limits", path=UNLIMITED, count=2, errcode=45009)
    for _ in "12":
        client.unlimited_code("c:1")
    with pytest.raises(RateLimited):
        client.unlimited_code("c:1")
    stub.set("clock", advance=61)
    client.unlimited_code("c:1")


@pytest.mark.parametrize(
    "fault", [{"truncate": True}, {"html": True}, {"status": 502, "html": True}], ids=str
)
def test_a_broken_picture_is_fetched_again(stub, client, fault):
    whole = client.unlimited_code("c:1")
    stub.set("faults", path=UNLIMITED, process=True, count=2, **fault)
    assert client.unlimited_code("c:1") == whole
    stub.set("faults", path=UNLIMITED, process=True, count=3, **fault)
    with pytest.raises(Unavailable):
        client.unlimited_code("c:1")


def test_a_token_that_expired_meanwhile_is_replaced(stub, client):
    client.unlimited_code("c:1")
    stub.set("tokens/expire")
    assert client.unlimited_code("c:1").startswith(b"\xff\xd8\xff")


def test_limited_codes_are_counted_and_run_out(stub):
    first = stub.post("/wxa/getwxacode", {"path": "pages/index/index?a=1", "width": 280})
    assert (first.headers["Content-Type"], first.headers["Num-Used"]) == ("image/jpeg", "1")
    second = stub.post("/cgi-bin/wxaapp/createwxaqrcode", {"path": "pages/index/index"})
    assert second.headers["Num-Used"] == "2"
    stub.set("codes_drawn", count=99_999)
    assert stub.post("/wxa/getwxacode", {"path": "p"}).headers["Num-Used"] == "100000"
    assert code_of(stub, {"path": "p"}, "/wxa/getwxacode") == 45029
    assert code_of(stub, {"path": ""}, "/wxa/getwxacode") == 40159
    assert code_of(stub, b"path=x", "/wxa/getwxacode") == 40159


DAY = 86_400


@pytest.mark.parametrize(
    ("path", "change", "errcode"),
    [
        ("/wxa/generate_urllink", {}, 0),
        ("/wxa/generate_urllink", {"expire_interval": 31}, 85401),
        ("/wxa/generate_urllink", {"expire_type": 0}, 85401),
        ("/wxa/generate_urllink", {"expire_type": 0, "expire_time": 1_800_000_000 + 30 * DAY}, 0),
        ("/wxa/generate_urllink", {"expire_type": 0, "expire_time": 1_800_000_000 + 30 * DAY + 1}, 85401),
        ("/wxa/generate_urllink", {"path": "pages/none"}, 40165),
        ("/wxa/generate_urllink", {"query": "a=中"}, 40212),
        ("/wxa/generate_urllink", {"query": "a=%E4"}, 0),
        ("/wxa/generate_urllink", {"env_version": "x"}, 85402),
        ("/wxa/generatescheme", {"jump_wxa": {"path": "pages/index/index", "query": "a=1"}}, 0),
        ("/wxa/generatescheme", {"jump_wxa": {"path": "pages/none"}}, 40165),
        ("/wxa/generatescheme", {"expire_interval": 31}, 85401),
        ("/wxa/generatescheme", {"jump_wxa": 1}, 47001),
    ],
)
def test_links(stub, path, change, errcode):
    stub.set("clock", at=1_800_000_000)
    answer = stub.post(path, {"expire_type": 1, "expire_interval": 30} | change).json()
    assert answer["errcode"] == errcode
    assert (("url_link" in answer) or ("openlink" in answer)) == (errcode == 0)


def test_the_hundred_and_first_link_within_a_second_is_limited(stub):
    stub.set("clock", at=1_800_000_000)
    stub.set("limits", path="/wxa/links", count=3, seconds=1, errcode=44990)
    body = {"expire_type": 1, "expire_interval": 1}
    paths = ["/wxa/generate_urllink", "/wxa/generatescheme"] * 2
    assert [code_of(stub, body, path) for path in paths] == [0, 0, 0, 44990]
    stub.set("clock", advance=1)
    assert code_of(stub, body, paths[0]) == 0
