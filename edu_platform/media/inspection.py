"""Looking at what was uploaded, in a child process with little memory and time.

Whatever happens to the child, an error, a crash or its end by the kernel, is one refusal.
Run as `python -m edu_platform.media.inspection picture|film|convert SOURCE TARGET`.
"""

from __future__ import annotations

import json
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

MEMORY = 1024**3
MOST_PIXELS = 40_000_000
LARGEST_SIDE = 8_000
LONGEST_FILM_MS = 30 * 60 * 1000
_ENDING = {"picture": (5, 20), "film": (10, 30), "convert": (1800, 3600)}  # CPU seconds, wall seconds


@dataclass(frozen=True)
class Facts:
    """What the child found."""

    media_type: str
    width: int
    height: int
    duration_ms: int | None = None
    has_sound: bool = False


def inspect_picture(source: Path, target: Path) -> Facts:
    """Decode a JPEG, PNG, WebP or GIF and write it anew to `target` without metadata; raise `Invalid` on field `file`."""
    return _in_child(
        "picture", source, target, "不是可用的图片：须为 JPEG、PNG 或 WebP，且不超过四千万像素。"
    )


def inspect_film(source: Path) -> Facts:
    """Probe a film: it must have a picture track that decodes and last at most 30 minutes; raise `Invalid`."""
    return _in_child("film", source, source, "不是可用的视频：须能播放，且不超过 30 分钟。")


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
        if max(opened.size) > LARGEST_SIDE or min(opened.size) < 16:
            raise ValueError("too large or too small")
        alpha = "A" in opened.getbands() or "transparency" in opened.info
        upright = ImageOps.exif_transpose(opened).convert("RGBA" if alpha else "RGB")
    # A new image has no .info: comments, EXIF, profiles and whatever trailed the file stay behind.
    clean = Image.new(upright.mode, upright.size)
    clean.paste(upright)
    if alpha:
        clean.save(target, "PNG", optimize=True)
    else:
        clean.save(target, "JPEG", quality=88, optimize=True, progressive=True)
    return {
        "media_type": "image/png" if alpha else "image/jpeg",
        "width": clean.width,
        "height": clean.height,
    }


def _film(source: Path, target: Path) -> dict[str, Any]:
    import av

    del target
    # only containers that hold films: playlists and image sequences would make the child open other files
    with av.open(str(source), format=None, options={"protocol_whitelist": "file"}) as container:
        if not set(container.format.name.split(",")) & {
            "mov",
            "mp4",
            "matroska",
            "webm",
            "avi",
            "mpegts",
            "flv",
        }:
            raise ValueError(f"a container of kind {container.format.name}")
        picture = container.streams.video[0]
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
        av.open(str(source), options={"protocol_whitelist": "file"}) as reader,
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


def _main() -> int:
    job, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    seconds = _ENDING[job][0]
    memory = MEMORY if job == "picture" else 4 * MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with suppress(Exception):
        print(json.dumps(_JOBS[job](source, target)))  # noqa: T201 - the answer to the parent
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main())
