"""Looking at what was uploaded, in a child process with little memory and time.

Whatever happens to the child, an error, a crash or its end by the kernel, is one refusal. What a file is, its first
bytes say, never its name: they choose the one decoder that is tried.
Run as `python -m edu_platform.media.inspection picture|film|convert SOURCE TARGET`.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edu_platform.core.errors import FieldError, Invalid

MEMORY = {"picture": 512 * 1024**2, "film": 512 * 1024**2, "convert": 4 * 1024**3}
LARGEST_TARGET = {"picture": 256 * 1024**2, "film": 0, "convert": 8 * 1024**3}
MOST_PIXELS = 40_000_000
MOST_WEBP_PIXELS = 24_000_000
QUICKLY = 8_000_000
"""Pixels beyond which a PNG is packed in less time rather than in less space."""
LARGEST_SIDE = 8_000
LONGEST_FILM_MS = 30 * 60 * 1000
_ENDING = {"picture": (5, 20), "film": (5, 30), "convert": (1800, 3600)}  # CPU seconds, wall seconds


_CONTAINERS = (
    (re.compile(rb".{4}(ftyp|moov|mdat|wide|free|skip)", re.DOTALL), "mov"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "matroska"),
    (re.compile(rb"RIFF.{4}AVI ", re.DOTALL), "avi"),
    (re.compile(rb"FLV\x01"), "flv"),
    (re.compile(rb"\x47[\x00-\xff]{187}\x47", re.DOTALL), "mpegts"),
)
_PICTURES = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP", re.DOTALL)
HEAD = 189
"""How many bytes tell what a file is."""


def is_picture(head: bytes) -> bool:
    """Say whether a file that begins so is a JPEG, PNG, GIF or WebP, or says so."""
    return _PICTURES.match(head) is not None


def container_of(head: bytes) -> str | None:
    """Return the name of the demuxer for a film that begins so; None when it is no film that is taken."""
    return next((name for beginning, name in _CONTAINERS if beginning.match(head)), None)


@dataclass(frozen=True)
class Facts:
    """What the child found."""

    media_type: str
    width: int
    height: int
    duration_ms: int | None = None
    has_sound: bool = False


def inspect_picture(source: Path, target: Path, name: str = "文件") -> Facts:
    """Decode a JPEG, PNG, WebP or GIF and write it anew to `target` without metadata.

    Raise `Invalid` on field `file`, calling the file `name`.
    """
    return _in_child(
        "picture",
        source,
        target,
        f"{name}不是可用的图片：可能已损坏；边长须为 16 到 {LARGEST_SIDE} 像素，总像素不超过四千万（WebP 为两千四百万）。",
    )


def inspect_film(source: Path, name: str = "文件") -> Facts:
    """Probe a film: it must have a picture track that decodes and last at most 30 minutes; raise `Invalid`."""
    return _in_child(
        "film",
        source,
        source,
        f"{name}不是可用的视频：须有能播放的画面，不超过 30 分钟，画面不超过 4096×2304。",
    )


def convert_film(source: Path, target: Path) -> Facts:
    """Bring a film to H.264 Main + AAC-LC in MP4 with its index first; raise `Invalid` when it cannot be."""
    return _in_child("convert", source, target, "视频无法转换，请换一种格式重新上传。")


def _in_child(job: str, source: Path, target: Path, reason: str) -> Facts:
    refusal = Invalid([FieldError("file", reason, "unusable_file")])
    try:
        child = subprocess.run(
            [sys.executable, "-m", "edu_platform.media.inspection", job, str(source), str(target)],
            capture_output=True,
            timeout=_ENDING[job][1],
            check=False,
            cwd=Path(__file__).parents[2],
        )
        found = json.loads(child.stdout) if child.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError) as wrong:
        raise refusal from wrong
    if found is None:
        raise refusal
    return Facts(**found)


# What follows runs in the child.


def _picture(source: Path, target: Path) -> dict[str, Any]:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(source, formats=["JPEG", "PNG", "WEBP", "GIF"]) as opened:
        pixels = opened.width * opened.height
        if max(opened.size) > LARGEST_SIDE or min(opened.size) < 16:
            raise ValueError("too large or too small")
        if opened.format == "WEBP" and pixels > MOST_WEBP_PIXELS:
            raise ValueError("its decoder holds three copies")
        alpha = "A" in opened.getbands() or "transparency" in opened.info
        mode = "RGBA" if alpha else "RGB"
        opened.load()
        # forty million pixels are 160 MB: there is room for two of them, not for three
        upright: Image.Image = opened if opened.mode == mode else opened.convert(mode)
        ImageOps.exif_transpose(upright, in_place=True)
        # A new image has no .info: comments, EXIF, profiles and whatever trailed the file stay behind.
        clean = Image.new(mode, upright.size)
        clean.paste(upright)
    del upright
    if alpha:
        if pixels > QUICKLY:
            clean.save(target, "PNG", compress_level=3)
        else:
            clean.save(target, "PNG", optimize=True)
    else:
        clean.save(target, "JPEG", quality=88, optimize=True, progressive=True)
    return {
        "media_type": "image/png" if alpha else "image/jpeg",
        "width": clean.width,
        "height": clean.height,
    }


def _opened(source: Path) -> Any:
    import av

    with source.open("rb") as file:
        kind = container_of(file.read(HEAD))
    if kind is None:  # playlists and image sequences would make the child open other files
        raise ValueError("no container of films")
    return av.open(str(source), format=kind, options={"protocol_whitelist": "file"})


def _film(source: Path, target: Path) -> dict[str, Any]:
    del target
    with _opened(source) as container:
        picture = container.streams.video[0]
        picture.thread_type = "NONE"  # each thread would hold frames of its own
        if container.duration is None or not 0 < container.duration / 1000 <= LONGEST_FILM_MS:
            raise ValueError("no duration, or too long")
        if picture.width * picture.height > 4096 * 2304:
            raise ValueError("too large")
        frame = next(container.decode(picture))
        return {
            "media_type": "video/mp4",
            "width": frame.width,
            "height": frame.height,
            "duration_ms": int(container.duration / 1000),
            "has_sound": bool(container.streams.audio),
        }


def _convert(source: Path, target: Path) -> dict[str, Any]:
    import av

    facts = _film(source, target)
    scale = min(1.0, 1280 / facts["width"], 1280 / facts["height"])
    width, height = (max(2, round(facts[side] * scale) // 2 * 2) for side in ("width", "height"))
    options = {"preset": "veryfast", "crf": "23", "profile": "main"}
    with (
        _opened(source) as reader,
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as writer,
    ):
        seen = reader.streams.video[0]
        rate = seen.average_rate or 24
        picture = writer.add_stream("libx264", rate=min(rate, 30), options=options)
        picture.width, picture.height, picture.pix_fmt = width, height, "yuv420p"
        sound = writer.add_stream("aac", rate=44100, layout="stereo") if facts["has_sound"] else None
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=44100)
        streams = [seen, reader.streams.audio[0]] if sound else [seen]
        for packet in reader.demux(streams):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    shaped = frame.reformat(width=width, height=height, format="yuv420p")
                    shaped.pict_type = 0
                    writer.mux(picture.encode(shaped))
                elif sound is not None and isinstance(frame, av.AudioFrame):
                    for piece in resampler.resample(frame):
                        writer.mux(sound.encode(piece))
        writer.mux(picture.encode(None))
        if sound is not None:
            for piece in resampler.resample(None):
                writer.mux(sound.encode(piece))
            writer.mux(sound.encode(None))
    with av.open(str(target)) as made:
        duration = made.duration or 0
    return {**facts, "width": width, "height": height, "duration_ms": int(duration / 1000)}


_JOBS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "picture": _picture,
    "film": _film,
    "convert": _convert,
}


def _limit(job: str) -> None:
    seconds = _ENDING[job][0]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY[job], MEMORY[job]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_TARGET[job], LARGEST_TARGET[job]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _main() -> int:
    job, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    _limit(job)
    with suppress(Exception):
        print(json.dumps(_JOBS[job](source, target)))  # noqa: T201 - the answer to the parent
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main())
