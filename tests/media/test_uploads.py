"""What staff upload: decoded, written anew, or refused."""

import io
import struct
import zlib

import av
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from edu_platform.core.vocabulary import Role
from edu_platform.factory.worker import run_all_due
from tests.cast import staff_member

pytestmark = pytest.mark.database
CANARY = b"CANARY-GPS-36.07N-120.38E"


@pytest.fixture
def editor(app):
    return staff_member(app, Role.EDITOR)[1]


def picture(kind="JPEG", size=(64, 48), **options):
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def film(path, *, codec="mpeg4", frames=24, size=(64, 48)):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), number * 9 % 255, np.uint8), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def upload(client, headers, data, name="a.bin"):
    return client.post("/api/v1/staff/media", data={"file": (io.BytesIO(data), name)}, headers=headers)


def test_a_picture_is_written_anew_without_what_it_carried(client, editor, app, settings):
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    exif[0x0112] = 6
    data = picture(exif=exif, comment=CANARY) + CANARY
    answer = upload(client, editor, data)
    assert answer.status_code == 201, answer.json
    assert (answer.json["width"], answer.json["height"]) == (48, 64), "turned upright"
    kept = client.get(f"/api/v1/staff/media/{answer.json['digest']}/content", headers=editor)
    assert CANARY not in kept.data
    assert Image.open(io.BytesIO(kept.data)).format == "JPEG"


def test_png_text_goes_and_transparency_stays(client, editor):
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", CANARY.decode())
    buffer = io.BytesIO()
    Image.new("RGBA", (32, 32), (1, 2, 3, 4)).save(buffer, "PNG", pnginfo=info)
    answer = upload(client, editor, buffer.getvalue())
    assert answer.json["media_type"] == "image/png"
    kept = client.get(f"/api/v1/staff/media/{answer.json['digest']}/content", headers=editor).data
    assert CANARY not in kept
    assert Image.open(io.BytesIO(kept)).getpixel((0, 0)) == (1, 2, 3, 4)


def bomb():
    """A PNG of a few hundred kilobytes that would unpack to 13,000 × 13,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(13_000 * 3 + 1)) for _ in range(13_000)) + packed.flush()
    header = struct.pack(">IIBBBBB", 13_000, 13_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff" + b"\0" * 200,
        picture()[:400],
        b"GIF89a<script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        picture(size=(8, 8)),
        b"ftypisom" * 40,
    ],
    ids=["empty", "no-jpeg", "cut", "gif-script", "svg", "playlist", "no-png", "tiny", "no-film"],
)
def test_what_is_no_picture_and_no_film_is_refused_by_field(client, editor, data):
    answer = upload(client, editor, data)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "file"


def test_a_bomb_is_refused_and_the_house_stands(client, editor):
    assert upload(client, editor, bomb()).status_code == 422
    assert client.get("/healthz").status_code == 200


def test_a_film_is_brought_to_h264_by_the_worker(client, editor, app, tmp_path):
    answer = upload(client, editor, film(tmp_path / "a.avi"))
    assert answer.status_code == 201, answer.json
    assert answer.json["state"] == "processing"
    with app.app_context():
        assert run_all_due() == 1
    digest = answer.json["digest"]
    assert client.get(f"/api/v1/staff/media/{digest}", headers=editor).json["state"] == "ready"
    data = client.get(f"/api/v1/staff/media/{digest}/content", headers=editor).data
    with av.open(io.BytesIO(data)) as made:
        assert made.streams.video[0].codec_context.name == "h264"
        assert made.streams.video[0].codec_context.profile == "Main"
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_same_film_twice_is_one_file_and_one_job(client, editor, app, tmp_path):
    data = film(tmp_path / "a.avi")
    first, second = (upload(client, editor, data).json for _ in range(2))
    assert first["digest"] == second["digest"]
    with app.app_context():
        assert run_all_due() == 1


def test_too_large_is_413_and_says_how_much(client, editor, app, monkeypatch):
    monkeypatch.setitem(app.config, "EDU", _smaller(app.config["EDU"]))
    answer = upload(client, editor, picture(size=(400, 400)))
    assert answer.status_code == 413
    assert "2048" in answer.json["detail"]


def _smaller(settings):
    from dataclasses import replace

    return replace(settings, max_upload_bytes=2048)
