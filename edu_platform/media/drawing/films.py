"""Films: a script in, H.264 and AAC out, with captions burnt in and a transcript beside.

A film is a list of scenes and an ending that says what to do, the hotline and the programme's name.
`film_scripts` reads scripts, `stage` draws a scene at a time, `sound` makes the pad; here they become
a file. The same script, house and illustrations give the same bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import skia
from numpy.typing import NDArray

from edu_platform.media.drawing import palette, stage
from edu_platform.media.drawing.film_scripts import FilmScript, check_illustrations
from edu_platform.media.drawing.frames import Order, drawn_elsewhere
from edu_platform.media.drawing.illustrations import finder, part_finder
from edu_platform.media.drawing.lettering import set_text
from edu_platform.media.drawing.motion import arrive, settle, smooth, wave, window
from edu_platform.media.drawing.palette import GROUNDS, INK, fill, stroke
from edu_platform.media.drawing.posters import House
from edu_platform.media.drawing.problems import CannotDrawError, Problem
from edu_platform.media.drawing.sheet import draw_mark, draw_receiver
from edu_platform.media.drawing.sound import RATE, make_pad
from edu_platform.media.drawing.stage import CAPTION_TOP, HEIGHT, WIDTH, Camera, Caption, Scene

FRAMES_PER_SECOND: Final = 24
LEAST_MOVING_SHARE: Final = 0.02
"""A scene in which less of the picture moves than this is a slide, not a scene."""

_X264: Final = "threads=1:weightp=0:bframes=0"
"""One thread and no weighted prediction: with more, x264 was seen to give other bytes at a repetition."""


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What is to be known of a rendered film; captions are (start ms, end ms, text)."""

    duration_ms: int
    width: int
    height: int
    captions: tuple[tuple[int, int, str], ...]
    transcript: str


@dataclass(frozen=True, slots=True)
class _Reel:
    """A script with the house's words filled in, and where its scenes begin, in frames."""

    scenes: tuple[Scene, ...]
    starts: tuple[int, ...]
    frames: int
    claim: str
    call: str
    house: House

    def at(self, frame: int) -> tuple[int, float]:
        """Give the scene of a frame and the time within it."""
        index = max(i for i, start in enumerate(self.starts) if start <= frame)
        return index, (frame - self.starts[index]) / FRAMES_PER_SECOND


def _reel(script: FilmScript, house: House) -> _Reel:
    def filled(text: str) -> str:
        return text.replace("{hotline}", house.hotline)

    scenes: list[Scene] = []
    for scene in script.scenes:
        captions = tuple(replace(caption, text=filled(caption.text)) for caption in scene.captions)
        elements = tuple(replace(element, text=filled(element.text)) for element in scene.elements)
        scenes.append(replace(scene, captions=captions, elements=elements))
    call = filled(script.ending.call)
    scenes.append(
        Scene(
            ground=script.ending.ground,
            place="plain",
            seconds=script.ending.seconds,
            captions=(Caption(0.0, script.ending.seconds, call),),
            elements=(),
            camera=Camera((WIDTH / 2, CAPTION_TOP / 2, 1.0), (WIDTH / 2, CAPTION_TOP / 2, 1.0)),
            turn="wipe",
        )
    )
    starts: list[int] = []
    frames = 0
    for scene in scenes:
        starts.append(frames)
        frames += round(scene.seconds * FRAMES_PER_SECOND)
    return _Reel(tuple(scenes), tuple(starts), frames, filled(script.ending.claim), call, house)


def _draw_frame(canvas: skia.Canvas, reel: _Reel, frame: int, illustrations: Path) -> None:
    index, time = reel.at(frame)
    scene = reel.scenes[index]
    last = index == len(reel.scenes) - 1
    if last:
        _draw_ending(canvas, reel, time)
    else:
        stage.draw_scene(canvas, scene, time, illustrations=illustrations)
    stage.draw_turn(canvas, scene, None if last else reel.scenes[index + 1], index == 0, time)
    stage.draw_caption(canvas, scene, time)


def _draw_ending(canvas: skia.Canvas, reel: _Reel, time: float) -> None:
    """Draw what to do, the hotline and who says so."""
    scene = reel.scenes[-1]
    ground = GROUNDS[scene.ground]
    light = ground.text == palette.WHITE
    canvas.drawRect(skia.Rect.MakeWH(WIDTH, CAPTION_TOP), fill(ground.base))
    canvas.save()
    canvas.clipRect(skia.Rect.MakeWH(WIDTH, CAPTION_TOP))
    canvas.translate(WIDTH / 2, 210)
    canvas.rotate(3 * time)
    for ray in range(16):
        path = skia.Path()
        for reach, angle in (
            (0.0, 0.0),
            (1100.0, ray * math.pi / 8 - 0.1),
            (1100.0, ray * math.pi / 8 + 0.1),
        ):
            point = reach * math.cos(angle), reach * math.sin(angle)
            path.lineTo(*point) if reach else path.moveTo(*point)
        path.close()
        canvas.drawPath(path, fill(palette.mix(ground.base, ground.shade, 0.45)))
    canvas.restore()
    claim = stage.set_claim(reel.claim)
    if claim is not None:
        rise = settle(time / 0.7)
        top = 184 - claim.height / 2 + 60 * (1 - rise)
        claim.draw(
            canvas,
            0,
            top,
            fill(palette.fade(ground.accent, smooth(time / 0.4))),
            align=0.5,
            width=WIDTH,
        )
    number = set_text(reel.house.hotline, 600, 96, weight=900)
    if number is not None:
        pop = settle((time - 0.5) / 0.6) if time > 0.5 else 0.0
        wide, tall = number.width + 220, 132.0
        body, letters = (palette.PAPER, ground.shade if light else INK) if light else (INK, palette.SUN)
        canvas.save()
        canvas.translate(WIDTH / 2, 386)
        pulse = 1 + 0.02 * wave(time, 1.2)
        canvas.scale(pop * pulse, pop * pulse)
        canvas.drawRoundRect(
            skia.Rect.MakeXYWH(-wide / 2, -tall / 2, wide, tall), tall / 2, tall / 2, fill(body)
        )
        canvas.save()
        canvas.translate(-wide / 2 + 82, 0)
        canvas.rotate(11 * window(time % 1.4, 0.0, 0.8, 0.1) * wave(time, 0.13))
        draw_receiver(canvas, -36, -44, 72, letters)
        canvas.restore()
        number.draw(canvas, -wide / 2 + 148, -number.height / 2 - 2, fill(letters))
        canvas.restore()
    name = set_text(reel.house.programme, 700, 40, weight=800)
    issuer = set_text(reel.house.issuer, 1100, 26, weight=500)
    appear = smooth((time - 0.9) / 0.5)
    if name is not None and issuer is not None and appear > 0:
        left = (WIDTH - name.width - issuer.width - 92) / 2
        y = 516 + 14 * (1 - arrive((time - 0.9) / 0.5))
        canvas.saveLayerAlpha(None, round(255 * appear))
        draw_mark(canvas, left, y - 24, 48, (ground.accent, ground.base))
        name.draw(canvas, left + 58, y - name.height / 2, fill(ground.text))
        x = left + 58 + name.width + 17
        canvas.drawLine(x, y - 18, x, y + 18, stroke(ground.text, 2))
        issuer.draw(canvas, x + 17, y - issuer.height / 2, fill(ground.text))
        canvas.restore()


def _canvas(size: tuple[int, int]) -> tuple[NDArray[np.uint8], Any, Any]:
    """Make pixels to draw into, the surface over them, and its canvas in stage units."""
    width, height = size
    pixels = np.zeros((height, width, 4), dtype=np.uint8)
    info = skia.ImageInfo.Make(
        width, height, skia.ColorType.kBGRA_8888_ColorType, skia.AlphaType.kOpaque_AlphaType
    )
    surface = skia.Surface.MakeRasterDirect(info, pixels)
    canvas = surface.getCanvas()
    canvas.scale(width / WIDTH, height / HEIGHT)
    return pixels, surface, canvas


def _checked(script: FilmScript, illustrations: Path) -> None:
    problems = check_illustrations(script, finder(illustrations), part_finder(illustrations))
    if problems:
        raise CannotDrawError(problems)


def render_film(
    script: FilmScript,
    target: Path,
    *,
    house: House,
    illustrations: Path,
    progress: Callable[[float], None] | None = None,
    size: tuple[int, int] | None = None,
) -> FilmFacts:
    """Render a film to an mp4 at `target`: H.264 Main yuv420p at 24 frames a second, AAC-LC, moov first.

    `progress` is called with the share done, 0 to 1. The file appears only when it is whole. Raises
    CannotDrawError if an illustration is missing or the size has odd sides.
    """
    width, height = size or script.size
    if width % 2 or height % 2 or width * 9 != height * 16:
        raise CannotDrawError([Problem("size", "尺寸应为 16:9，宽高为偶数")])
    _checked(script, illustrations)
    reel = _reel(script, house)
    part = target.with_name(target.name + ".part")
    try:
        order = Order(script, house, illustrations.absolute(), (width, height))
        _encode(reel, order, part, progress=progress)
        os.replace(part, target)  # noqa: PTH105 - the atomic rename
    finally:
        part.unlink(missing_ok=True)
    return film_facts(script, house=house, size=(width, height))


class _Encoder:
    """A film being written: frames and the sound that belongs to them, in their order."""

    def __init__(self, container: Any, reel: _Reel, sound: str, size: tuple[int, int]) -> None:
        self._container = container
        self._video = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.thread_count = 1
        context.gop_size = FRAMES_PER_SECOND * 2
        # BT.709, limited range, said in the stream so that no player guesses.
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        self._video.options = {
            "preset": "superfast",
            "crf": "26",
            "profile": "main",
            "x264-params": _X264,
        }
        self._audio = container.add_stream("aac", rate=RATE, layout="stereo")
        self._audio.bit_rate = 96_000
        self._chunks = _sound(reel, sound)
        self._heard = 0

    def add(self, number: int, planes: bytes) -> None:
        """Encode one frame (planar YUV 4:2:0) and the sound up to its end."""
        rows = np.frombuffer(planes, np.uint8).reshape(-1, self._video.width)
        frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
        self._container.mux(self._video.encode(frame))
        while self._heard < (number + 1) * RATE / FRAMES_PER_SECOND:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            sound = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = RATE, self._heard, Fraction(1, RATE)
            self._heard += chunk.shape[1]
            self._container.mux(self._audio.encode(sound))

    def finish(self) -> None:
        """Encode what is still held back."""
        self._container.mux(self._video.encode(None))
        self._container.mux(self._audio.encode(None))


def frames(script: FilmScript, house: House, illustrations: Path, size: tuple[int, int]) -> Iterator[bytes]:
    """Draw every frame of a film and yield it as planar YUV 4:2:0 (BT.709, limited range), rows without padding."""
    reel = _reel(script, house)
    pixels, _, canvas = _canvas(size)
    for number in range(reel.frames):
        canvas.save()
        _draw_frame(canvas, reel, number, illustrations)
        canvas.restore()
        drawn = av.VideoFrame.from_numpy_buffer(pixels, format="bgra").reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
        )
        yield drawn.to_ndarray().tobytes()


def _encode(reel: _Reel, order: Order, part: Path, *, progress: Callable[[float], None] | None) -> None:
    """Encode the frames as another process draws them."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with (
        av.open(str(part), "w", format="mp4", options=options) as container,
        drawn_elsewhere(order, reel.frames) as drawn,
    ):
        encoder = _Encoder(container, reel, order.script.sound, order.size)
        for number, planes in enumerate(drawn):
            encoder.add(number, planes)
            if progress is not None and number % FRAMES_PER_SECOND == 0:
                progress(number / reel.frames)
        encoder.finish()
    if progress is not None:
        progress(1.0)


def _sound(reel: _Reel, kind: str) -> Iterator[NDArray[np.float32]]:
    """Give the sound in pieces of an AAC frame; silence is a track too, so that players agree."""
    seconds = reel.frames / FRAMES_PER_SECOND
    if kind == "pad":
        whole = make_pad(seconds, [start / FRAMES_PER_SECOND for start in reel.starts])
    else:
        whole = np.zeros((2, round(seconds * RATE)), dtype=np.float32)
    for start in range(0, whole.shape[1], 1024):
        yield np.ascontiguousarray(whole[:, start : start + 1024])


def film_facts(script: FilmScript, *, house: House, size: tuple[int, int] | None = None) -> FilmFacts:
    """Give a film's facts without rendering it."""
    reel = _reel(script, house)
    captions: list[tuple[int, int, str]] = []
    lines: list[str] = []
    for scene, start in zip(reel.scenes, reel.starts, strict=True):
        begin = start * 1000 / FRAMES_PER_SECOND
        for caption in scene.captions:
            captions.append(
                (round(begin + caption.start * 1000), round(begin + caption.end * 1000), caption.text)
            )
            lines.append(caption.text)
        shown = [element.text for element in scene.elements if element.text]
        if shown:
            lines.append(f"（画面文字：{'；'.join(shown)}）")
    lines.append(f"{reel.claim}。客服热线 {house.hotline}。{house.programme}，{house.issuer}。")
    width, height = size or script.size
    duration = round(reel.frames * 1000 / FRAMES_PER_SECOND)
    return FilmFacts(duration, width, height, tuple(captions), "\n".join(lines))


def film_still(
    script: FilmScript,
    *,
    house: House,
    illustrations: Path,
    size: tuple[int, int] | None = None,
    scene: int | None = None,
    share: float = 0.72,
) -> bytes:
    """Draw one frame as JPEG: the poster scene (counted from 1) or `scene`, at a share of its time."""
    _checked(script, illustrations)
    reel = _reel(script, house)
    index = (script.poster_scene if scene is None else scene) - 1
    _, surface, canvas = _canvas(size or script.size)
    frame = reel.starts[index] + int(reel.scenes[index].seconds * FRAMES_PER_SECOND * share)
    _draw_frame(canvas, reel, frame, illustrations)
    return bytes(surface.makeImageSnapshot().encodeToData(skia.EncodedImageFormat.kJPEG, 88))


def moving_share(script: FilmScript, scene: int, *, illustrations: Path) -> float:
    """Measure which share of a scene's picture really moves: its elements, not captions or camera.

    `scene` counts from 1. The picture above the captions is drawn four times a second with the
    camera held still; a pixel counts if any channel changes by a tenth of its range.
    """
    chosen = script.scenes[scene - 1]
    size = (320, 180)
    pixels, _, canvas = _canvas(size)
    rows = int(CAPTION_TOP / HEIGHT * size[1])
    low: NDArray[np.int16] | None = None
    high: NDArray[np.int16] | None = None
    for step in range(int(chosen.seconds * 4) + 1):
        canvas.save()
        stage.draw_scene(canvas, chosen, step / 4, illustrations=illustrations, drifting=False)
        canvas.restore()
        seen = pixels[:rows, :, :3].astype(np.int16)
        low = seen if low is None else np.minimum(low, seen)
        high = seen if high is None else np.maximum(high, seen)
    assert low is not None
    assert high is not None
    return float(((high - low).max(axis=2) >= 26).mean())
