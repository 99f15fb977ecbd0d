"""Hostile and odd files, made here: bombs, files cut short or changed, one kind posing as another, and what must not survive.

Everything is made from its name and a seed, so that a file that breaks something can be made again.
"""

from __future__ import annotations

import io
import random
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import av
import numpy as np
from PIL import Image, PngImagePlugin

CANARY = b"CANARY-36.07N-120.38E"
SCRIPT = b"<script>alert(document.domain)</script>"
Maker = Callable[[], bytes]


# -- parts -----------------------------------------------------------------------------------------------------


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, colour: int = 2, rows: int | None = None, before: bytes = b"", after: bytes = b"",
        interlaced: int = 0) -> bytes:  # fmt: skip
    """A PNG that says it has this size; `rows` of it are there."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    packed = zlib.compressobj(9)
    row = bytes(width * channels + 1)
    data = b"".join(packed.compress(row) for _ in range(height if rows is None else rows)) + packed.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + before + png_chunk(b"IDAT", data) + after
        + png_chunk(b"IEND", b"")
    )  # fmt: skip


def zeros(length: int) -> bytes:
    """That many zeros, packed, without holding them."""
    packed = zlib.compressobj(9)
    return b"".join(packed.compress(bytes(1 << 20)) for _ in range(length >> 20)) + packed.flush()


@cache
def picture(kind: str, side: int = 64, **options: object) -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise((side, side), 50)
    noise.convert("P" if kind == "GIF" else "RGB").save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def film(kind: str, codec: str = "mpeg4", side: int = 64, frames: int = 8) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film"
        with av.open(str(path), "w", format=kind) as container:
            stream = container.add_stream(codec, rate=24)
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            for number in range(frames):
                shade = np.full((side, side, 3), number * 29 % 255, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(shade, format="rgb24")))
            container.mux(stream.encode(None))
        return path.read_bytes()


def jpeg_segments(data: bytes) -> list[tuple[int, int]]:
    """(marker, offset) of each segment up to the first scan."""
    found, at = [], 2
    while at < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        found.append((marker, at))
        if marker == 0xDA:
            break
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return found


def resized_jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose frame header says another size."""
    data = bytearray(picture("JPEG"))
    at = next(offset for marker, offset in jpeg_segments(bytes(data)) if marker in {0xC0, 0xC2})
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def scans_without_end(times: int = 4000, side: int = 4000) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "JPEG", progressive=True, quality=5)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + b"\xff\xd9"


def frames_without_end(kind: str, frames: int, side: int) -> bytes:
    buffer = io.BytesIO()
    first, *others = [Image.new("P", (side, side), number % 2) for number in range(frames)]
    first.save(buffer, kind, save_all=True, append_images=others, duration=10)
    return buffer.getvalue()


def atom(kind: bytes, data: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">I", len(data) + 8 if size is None else size) + kind + data


FTYP = atom(b"ftyp", b"isom\0\0\2\0isomiso2mp41")


def patched(data: bytes, find: bytes, offset: int, new: bytes) -> bytes:
    at = data.index(find) + offset
    return data[:at] + new + data[at + len(new) :]


def archive(names: list[str], *, content: bytes = b"x", link: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            info = zipfile.ZipInfo(name)
            if link:
                info.external_attr = 0o120777 << 16
            made.writestr(info, content)
    return buffer.getvalue()


# -- whole files -----------------------------------------------------------------------------------------------

# must be refused
BOMBS: dict[str, Maker] = {
    "png 9400² RGBA": lambda: png(9_400, 9_400, colour=6),
    "png 13000² RGB": lambda: png(13_000, 13_000),
    "png 14000² RGB, no rows": lambda: png(14_000, 14_000, rows=1),
    "png 2³¹ wide": lambda: png(16, 16).replace(struct.pack(">II", 16, 16), struct.pack(">II", 2**31 - 1, 16)),
    "png one row of 8001": lambda: png(8_001, 16),
    "png text of 200 MB": lambda: png(32, 32, before=png_chunk(b"zTXt", b"a\0\0" + zeros(200 << 20))),
    "png profile of 200 MB": lambda: png(32, 32, before=png_chunk(b"iCCP", b"a\0\0" + zeros(200 << 20)), rows=0),
    "jpeg 65500²": lambda: resized_jpeg(65_500, 65_500),
    "jpeg 10000²": lambda: resized_jpeg(10_000, 10_000),
    "jpeg of 4000 scans": scans_without_end,
    "gif 65535²": lambda: patched(picture("GIF"), b"GIF8", 6, b"\xff\xff\xff\xff"),
    "webp 16383²": lambda: patched(picture("WEBP"), b"\x9d\x01\x2a", 3, struct.pack("<HH", 16_383, 16_383)),
    "mp4 of 1 TB of samples": lambda: patched(film("mp4"), b"stsz", 8, struct.pack(">II", 0, 0xFFFFFFF0)),
    "mp4 65535²": lambda: patched(film("mp4"), b"mp4v", 28, b"\xff\xff\xff\xff")[:600],
    "mp4 of atoms in atoms": lambda: FTYP + _nested(b"moov", 20_000),
    "mp4 with an atom without end": lambda: FTYP + atom(b"moov", b"\0" * 64, size=0xFFFFFFFF),
    "mp4 that is all header": lambda: FTYP + atom(b"moov", atom(b"udta", b"\0" * 4_000_000)),
    "mp4 that points at a file": lambda: FTYP + atom(b"moov", atom(b"rmra", atom(b"rmda", atom(b"rdrf", b"\0\0\0\0url \0\0\0\x14file:///etc/passwd\0")))),
    "mkv without end": lambda: b"\x1a\x45\xdf\xa3" + b"\x01" + b"\xff" * 7 + b"\x42" * 5_000,
    "mkv of elements in elements": lambda: film("matroska")[:60] + b"\x18\x53\x80\x67\x01" * 60_000,
    "avi that says 4 GB": lambda: b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xffhdrlavih" + b"\xff" * 2_000,
    "flv of nothing": lambda: b"FLV\x01\x05\0\0\0\x09" + b"\xff" * 60_000,
    "ts of nothing": lambda: (b"\x47" + b"\x1f\xff\x10" + b"\0" * 184) * 3_000,
}  # fmt: skip


def _nested(kind: bytes, depth: int) -> bytes:
    whole = b"".join(struct.pack(">I", (depth - level) * 8) + kind for level in range(depth))
    return whole[:-8] + struct.pack(">I", 8) + kind


# must be refused for what they are, whatever they are called
POSING: dict[str, Maker] = {
    "svg with script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>",
    "svg, declared": lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "svg in UTF-16": lambda: "<svg xmlns='http://www.w3.org/2000/svg'/>".encode("utf-16"),
    "html": lambda: b"<!doctype html>" + SCRIPT,
    "html after blanks": lambda: b"\n" * 200 + b"<html>" + SCRIPT,
    "javascript": lambda: b"alert(1)//" + b" " * 200,
    "playlist m3u8": lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "ffconcat": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "dash": lambda: b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>',
    "sdp": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\nc=IN IP4 127.0.0.1\n",
    "rtsp link": lambda: b"rtsptext\r\nrtsp://127.0.0.1/x\r\n",
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nclippath\n",
    "pdf": lambda: b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "bmp": lambda: _saved("BMP"),
    "tiff": lambda: _saved("TIFF"),
    "ico": lambda: _saved("ICO"),
    "tga": lambda: _saved("TGA"),
    "pcx": lambda: _saved("PCX"),
    "jpeg 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 200,
    "avif": lambda: atom(b"ftyp", b"avif\0\0\0\0avifmif1") + atom(b"meta", b"\0" * 40),
    "psd": lambda: b"8BPS\0\1" + b"\0" * 200,
    "zip": lambda: archive(["a.png"], content=picture("PNG")),
    "zip of odd places": lambda: archive(["../../../etc/cron.d/x", "/etc/passwd", "C:\\x", "a/../../b", "\u202egnp.a"]),
    "zip of a link": lambda: archive(["passwd"], content=b"/etc/passwd", link=True),
    "gzip": lambda: b"\x1f\x8b\x08\0" + b"\0" * 200,
    "program": lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 200,
    "program of windows": lambda: b"MZ\x90\0" + b"\0" * 200,
    "shell": lambda: b"#!/bin/sh\ntouch /tmp/owned\n",
    "mp3": lambda: b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\0" * 100,
    "png's name only": lambda: b"\x89PNG",
    "nothing but zeros": lambda: bytes(5_000),
    "one byte": lambda: b"\xff",
    "jpeg's beginning": lambda: b"\xff\xd8\xff" + b"\0" * 500,
    "gif's beginning, then script": lambda: b"GIF89a" + b"/*" + SCRIPT + b"*/=1;alert(1)//",
    "png's beginning, then html": lambda: b"\x89PNG\r\n\x1a\n" + SCRIPT * 20,
    "webp's beginning, then html": lambda: b"RIFF\x99\0\0\0WEBP" + SCRIPT * 20,
    "mp4's beginning, then playlist": lambda: FTYP + b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "mp4 of sound alone": lambda: FTYP + atom(b"moov", atom(b"mvhd", b"\0" * 100)),
}  # fmt: skip


def _saved(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = exif[0x9286] = CANARY.decode()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[29] = "N", CANARY.decode()
    return exif


def _info() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", CANARY.decode())
    info.add_text("Zipped", CANARY.decode(), zip=True)
    info.add_itxt("XML:com.adobe.xmp", f"<x>{CANARY.decode()}</x>")
    info.add(b"prVt", CANARY)
    return info


def _after_first(data: bytes, segment: bytes) -> bytes:
    return data[:2] + segment + data[2:]


# good pictures with what must not be kept: taken, and nothing of CANARY or SCRIPT is left
CARRYING: dict[str, Maker] = {
    "jpeg exif and gps": lambda: picture("JPEG", exif=_exif().tobytes()),
    "jpeg comment": lambda: picture("JPEG", comment=CANARY + SCRIPT),
    "jpeg xmp": lambda: _after_first(picture("JPEG"), b"\xff\xe1" + struct.pack(">H", 2 + 29 + len(CANARY)) + b"http://ns.adobe.com/xap/1.0/\0" + CANARY),
    "jpeg iptc": lambda: _after_first(picture("JPEG"), b"\xff\xed" + struct.pack(">H", 2 + len(CANARY)) + CANARY),
    "jpeg in app9": lambda: _after_first(picture("JPEG"), b"\xff\xe9" + struct.pack(">H", 2 + len(SCRIPT)) + SCRIPT),
    "jpeg profile": lambda: picture("JPEG", icc_profile=CANARY * 8),
    "jpeg and html": lambda: picture("JPEG") + SCRIPT,
    "jpeg and jar": lambda: picture("JPEG") + archive([CANARY.decode()], content=CANARY),
    "png texts": lambda: picture("PNG", pnginfo=_info()),
    "png exif": lambda: picture("PNG", exif=_exif().tobytes()),
    "png and zip": lambda: picture("PNG") + archive(["x"], content=CANARY) + CANARY,
    "png with script in pixels": lambda: _pixels(SCRIPT),
    "gif comment": lambda: picture("GIF", comment=CANARY),
    "gif and jar": lambda: picture("GIF") + archive([CANARY.decode()]),
    "gif and javascript": lambda: picture("GIF") + b"*/=1;" + SCRIPT,
    "webp exif": lambda: picture("WEBP", exif=_exif().tobytes()),
    "webp xmp": lambda: picture("WEBP", xmp=CANARY),
    "gif of 400 frames": lambda: frames_without_end("GIF", 400, 128) + CANARY,
    "apng of 60 frames": lambda: frames_without_end("PNG", 60, 128) + CANARY,
}  # fmt: skip


def _pixels(text: bytes) -> bytes:
    """A PNG whose raw pixels spell a text (not kept, because it is written anew with filters of its own)."""
    data = (text * 40)[: 32 * 32 * 3]
    rows = b"".join(b"\0" + data[at : at + 96] for at in range(0, len(data) - 95, 96))
    head = struct.pack(">IIBBBBB", 32, len(rows) // 97, 8, 2, 0, 0, 0)
    store = zlib.compress(rows, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", store) + png_chunk(b"IEND", b"")
    )


NAMES = [
    "../../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/shadow", "a.png\0.html", "a.png.php", "a.svg", ".htaccess",
    "C:\\x.png", "\u202egnp.exe", "a" * 5_000 + ".png", "con.png", "", ".", "..", "a\r\nSet-Cookie: x=1.png", "<img src=x onerror=alert(1)>.png",
    "照片（1）.png", "${jndi:ldap://127.0.0.1/x}.png", "; touch owned ;.png", "%2e%2e%2fetc%2fpasswd", "\ud83d.png",
]  # fmt: skip

BASES: dict[str, Maker] = {
    "jpeg": lambda: picture("JPEG"),
    "progressive jpeg": lambda: picture("JPEG", progressive=True, optimize=True),
    "png": lambda: picture("PNG"),
    "interlaced png": lambda: png(24, 24, interlaced=1),
    "gif": lambda: picture("GIF"),
    "animated gif": lambda: frames_without_end("GIF", 5, 40),
    "webp": lambda: picture("WEBP"),
    "lossless webp": lambda: picture("WEBP", lossless=True),
    "mp4": lambda: film("mp4"),
    "h264 mp4": lambda: film("mp4", "libx264"),
    "mkv": lambda: film("matroska"),
    "avi": lambda: film("avi"),
    "flv": lambda: film("flv", "flv"),
    "ts": lambda: film("mpegts", "mpeg2video"),
}


def mutated(seed: int) -> tuple[str, bytes]:
    """A good file with something wrong: cut, bytes changed, a run removed, repeated or filled, numbers at their ends."""
    draw = random.Random(seed)
    name = draw.choice(sorted(BASES))
    data = bytearray(BASES[name]())
    for _ in range(draw.choice((1, 1, 2, 5, 20))):
        at = draw.randrange(len(data) or 1)
        match draw.randrange(7):
            case 0:
                del data[at:]
            case 1:
                data[at : at + 1] = draw.randbytes(1)
            case 2:
                data[at : at + 4] = draw.choice(
                    (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\x80\0\0\0")
                )
            case 3:
                del data[at : at + draw.randrange(1, 64)]
            case 4:
                data[at:at] = data[at : at + draw.randrange(1, 512)] * draw.choice((1, 3, 50))
            case 5:
                data[at : at + 16] = draw.randbytes(16)
            case _:
                other = BASES[draw.choice(sorted(BASES))]()
                data[at:] = other[draw.randrange(len(other)) :]
        if not data:
            break
    return f"{name} {seed}", bytes(data)


def mutants(count: int, *, first: int = 0) -> Iterator[tuple[str, bytes]]:
    for seed in range(first, first + count):
        yield mutated(seed)
