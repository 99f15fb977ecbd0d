"""The stage of a film: backdrops, elements that come, move and go, the camera and the captions.

A stage is 1280 by 720 units, whatever the size of the film; the lowest 152 hold the captions. Every
element is a function of the time within its scene, so that any frame can be drawn by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.characters import Act, draw_figure, pose_at
from edu_platform.media.drawing.illustrations import SIDE, load_illustration
from edu_platform.media.drawing.lettering import Setting, fit_text
from edu_platform.media.drawing.motion import (
    Change,
    arrive,
    clamp,
    depart,
    follow,
    settle,
    smooth,
    wave,
    window,
)
from edu_platform.media.drawing.palette import GROUNDS, INK, PAPER, fill, stroke

WIDTH: Final = 1280.0
HEIGHT: Final = 720.0
CAPTION_TOP: Final = 568.0
FLOOR: Final = 548.0
CAPTION_SIZE: Final = 52.0
CAPTION_COLUMNS: Final = 14
CAPTION_LINES: Final = 2
ENTRANCES: Final = ("left", "right", "up", "down", "pop", "stamp", "fade", "none")
LEAVINGS: Final = ("left", "right", "up", "down", "pop", "fade", "none")
IDLES: Final = ("bob", "sway", "pulse", "shake", "spin", "none")
MOVES: Final = ("move", "grow", "turn", "fade", "shake", "bounce")
PLACES: Final = ("plain", "room", "street", "office", "campus")
TONES: Final = ("plain", "alarm", "good")
MARKS: Final = ("check", "cross", "question", "bang")
TURNS: Final = ("wipe", "cut")
_TURN_SECONDS: Final = 0.32
_MARGIN: Final = 60.0
"""How far a backdrop reaches beyond the stage, for the camera."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of an element or a part: where to (units, factor, degrees or opacity), when, how long."""

    do: str
    at: float
    seconds: float
    to: tuple[float, float] = (0.0, 0.0)
    start: tuple[float, float] | None = None
    pivot: tuple[float, float] = (SIDE / 2, SIDE / 2)


@dataclass(frozen=True, slots=True)
class Element:
    """Something on the stage. What `size` measures depends on the kind: see the guide for authors."""

    kind: str
    x: float
    y: float
    size: float
    enter: str
    enter_at: float
    leave: str
    leave_at: float
    idle: str
    moves: tuple[Move, ...] = ()
    parts: Mapping[str, tuple[Move, ...]] = field(default_factory=dict)
    who: str = ""
    facing: int = 1
    acts: tuple[Act, ...] = ()
    name: str = ""
    text: str = ""
    tone: str = "plain"
    tail: str = "none"
    disc: str = ""
    count: int = 0
    end: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera looks and how near, at the start and the end of a scene."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption within its scene, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: its ground and place, how long it lasts, what is said and what is on stage."""

    ground: str
    place: str
    seconds: float
    captions: tuple[Caption, ...]
    elements: tuple[Element, ...]
    camera: Camera
    turn: str


def set_caption(text: str) -> Setting | None:
    """Set a caption in at most two lines of fourteen characters; None if it is longer."""
    return fit_text(
        text,
        CAPTION_SIZE * CAPTION_COLUMNS,
        CAPTION_SIZE * 3,
        largest=CAPTION_SIZE,
        smallest=CAPTION_SIZE,
        weight=700,
        leading=1.26,
        most_lines=CAPTION_LINES,
    )


def set_claim(text: str) -> Setting | None:
    """Set what to do in the ending, above the number's pill; None if it is too long."""
    return fit_text(
        text,
        WIDTH - 240,
        236.0,
        largest=128.0,
        smallest=60.0,
        weight=900,
        leading=1.18,
        most_lines=2,
        step=4.0,
        by_sense=True,
    )


def set_plate(text: str, width: float, kind: str) -> Setting | None:
    """Set the words of a bubble or a sign into its width."""
    pad = 64.0 if kind == "bubble" else 56.0
    return fit_text(
        text,
        width - pad,
        240.0,
        largest=64.0 if kind == "sign" else 44.0,
        smallest=32.0,
        weight=900 if kind == "sign" else 700,
        leading=1.28,
        most_lines=3,
        by_sense=True,
    )


@dataclass(frozen=True, slots=True)
class Moment:
    """When an element is drawn, which of its scene it is, and where illustrations are found."""

    time: float
    index: int
    illustrations: Path


# Drawing one frame.


def draw_scene(
    canvas: skia.Canvas, scene: Scene, time: float, *, illustrations: Path, drifting: bool = True
) -> None:
    """Draw a scene's picture (no captions) at a time, in stage units."""
    camera = scene.camera
    share = smooth(time / scene.seconds) if drifting else 0.5
    x, y, zoom = (a + (b - a) * share for a, b in zip(camera.start, camera.end, strict=True))
    pixels = canvas.getTotalMatrix().getScaleX()
    far = backdrop(scene.ground, scene.place, round(WIDTH * pixels))
    canvas.save()
    canvas.clipRect(skia.Rect.MakeWH(WIDTH, CAPTION_TOP))
    # What is far moves less than what is near, and by whole pixels: cheap to draw and to encode.
    canvas.save()
    canvas.resetMatrix()
    shift = (WIDTH / 2 - x) * 0.5 - _MARGIN, (CAPTION_TOP / 2 - y) * 0.5 - _MARGIN
    canvas.drawImage(far, *(round(max(-2 * _MARGIN, min(0.0, s)) * pixels) for s in shift))
    canvas.restore()
    canvas.translate(WIDTH / 2, CAPTION_TOP / 2)
    canvas.scale(zoom, zoom)
    # A camera that only pans moves by whole pixels too: what stands still stays sharp and cheap.
    whole = pixels if zoom == 1.0 else pixels * 16
    canvas.translate(-round(x * whole) / whole, -round(y * whole) / whole)
    for index, element in enumerate(scene.elements):
        _draw_element(canvas, element, Moment(time, index, illustrations))
    canvas.restore()


def _draw_element(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    time = moment.time
    if time < element.enter_at or time > element.leave_at + 0.6:
        return
    came = (time - element.enter_at) / 0.65
    gone = (time - element.leave_at) / 0.5
    shift_x, shift_y, scale, opacity = _coming(element.enter, came, element)
    away_x, away_y, away_scale, away_opacity = _going(element.leave, gone, element)
    base = element.x, element.y
    x = follow(time, base[0], _changes(element.moves, "move", 0)) + shift_x + away_x
    y = follow(time, base[1], _changes(element.moves, "move", 1)) + shift_y + away_y
    scale *= away_scale * follow(time, 1.0, _changes(element.moves, "grow", 0), settle)
    turn = follow(time, 0.0, _changes(element.moves, "turn", 0))
    opacity *= away_opacity * follow(time, 1.0, _changes(element.moves, "fade", 0))
    for move in element.moves:
        if move.do == "shake":
            x += 9 * window(time, move.at, move.seconds) * wave(time, 0.11)
        elif move.do == "bounce" and 0 <= time - move.at <= move.seconds:
            y -= (
                46
                * abs(math.sin(2 * math.pi * (time - move.at) / move.seconds))
                * (1 - (time - move.at) / move.seconds)
            )
    phase = moment.index * 0.27
    lively = smooth((time - element.enter_at - 0.4) / 0.8)
    if element.idle == "bob":
        y += 7 * lively * wave(time, 3.0, phase)
    elif element.idle == "sway":
        turn += 3.2 * lively * wave(time, 2.8, phase)
    elif element.idle == "pulse":
        scale *= 1 + 0.045 * lively * wave(time, 1.3, phase)
    elif element.idle == "shake":
        ring = window((time - element.enter_at) % 1.5, 0.0, 0.8, 0.1)
        turn += 3.5 * ring * wave(time, 0.12)
    elif element.idle == "spin":
        turn += 50 * (time - element.enter_at)
    if scale <= 0.01 or opacity <= 0.01:
        return
    canvas.save()
    canvas.translate(x, y)
    canvas.rotate(turn)
    canvas.scale(scale, scale)
    if opacity < 0.99:
        canvas.saveLayerAlpha(None, round(255 * clamp(opacity)))
    DRAWERS[element.kind](canvas, element, moment)
    if opacity < 0.99:
        canvas.restore()
    canvas.restore()


def _coming(how: str, share: float, element: Element) -> tuple[float, float, float, float]:
    reach = element.size * 0.7 + 80
    rest = 1 - settle(share)
    sides = {
        "left": (-(element.x + reach) * rest, 0.0),
        "right": ((WIDTH - element.x + reach) * rest, 0.0),
        "down": (0.0, -(element.y + reach) * rest),
        "up": (0.0, (CAPTION_TOP - element.y + reach) * rest),
    }
    if how in sides:
        return (*sides[how], 1.0, 1.0)
    if how == "pop":
        return 0.0, 0.0, settle(share), smooth(share * 3)
    if how == "stamp":
        return 0.0, 0.0, 1 + 1.2 * (1 - arrive(share * 1.6)), smooth(share * 4)
    if how == "fade":
        return 0.0, 12 * (1 - arrive(share)), 1.0, smooth(share)
    return 0.0, 0.0, 1.0, 1.0


def _going(how: str, share: float, element: Element) -> tuple[float, float, float, float]:
    if share <= 0:
        return 0.0, 0.0, 1.0, 1.0
    reach = element.size * 0.7 + 80
    off = depart(share)
    sides = {
        "left": (-(element.x + reach) * off, 0.0),
        "right": ((WIDTH - element.x + reach) * off, 0.0),
        "up": (0.0, -(element.y + reach) * off),
        "down": (0.0, (HEIGHT - element.y + reach) * off),
    }
    if how in sides:
        return (*sides[how], 1.0, 1.0)
    if how == "pop":
        return 0.0, 0.0, 1 - smooth(share), 1.0
    return 0.0, 0.0, 1.0, 1 - smooth(share)


def _changes(moves: Sequence[Move], do: str, axis: int) -> list[Change]:
    changes: list[Change] = []
    for move in moves:
        if move.do == do:
            if move.start is not None:
                changes.append(Change(-1.0, 0.0, move.start[axis]))
            changes.append(Change(move.at, move.seconds, move.to[axis]))
    return changes


def _draw_person(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    # Acts speak of the stage, the canvas stands at the element: walks are made relative.
    acts = [
        Act(act.do, act.at, act.seconds, act.to - element.x) if act.do == "walk" else act
        for act in element.acts
    ]
    pose = pose_at(moment.time, 0.0, acts, facing=element.facing, size=element.size, seed=moment.index + 1)
    draw_figure(canvas, element.who, 0.0, element.size, pose)


def _draw_illustration(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    time = moment.time
    drawing = load_illustration(moment.illustrations, element.name)
    if element.disc:
        canvas.drawCircle(0, 0, element.size * 0.64, fill(GROUNDS[element.disc].glow))
        canvas.drawCircle(0, 0, element.size * 0.64, stroke(palette.fade(INK, 0.9), 7))
    scale = element.size / SIDE
    canvas.scale(scale, scale)
    canvas.translate(-SIDE / 2, -SIDE / 2)
    for name, picture in drawing.parts:
        moves = element.parts.get(name, ())
        if not moves:
            canvas.drawPicture(picture)
            continue
        opacity = follow(time, 1.0, _changes(moves, "fade", 0))
        if opacity <= 0.01:
            continue
        canvas.save()
        canvas.translate(
            follow(time, 0.0, _changes(moves, "move", 0)), follow(time, 0.0, _changes(moves, "move", 1))
        )
        pivot = next((move.pivot for move in moves if move.do in {"turn", "grow"}), (SIDE / 2, SIDE / 2))
        canvas.rotate(follow(time, 0.0, _changes(moves, "turn", 0)), *pivot)
        grown = follow(time, 1.0, _changes(moves, "grow", 0), settle)
        canvas.translate(*pivot)
        canvas.scale(grown, grown)
        canvas.translate(-pivot[0], -pivot[1])
        for move in moves:
            if move.do == "shake":
                canvas.translate(12 * window(time, move.at, move.seconds) * wave(time, 0.12), 0)
        if opacity < 0.99:
            canvas.saveLayerAlpha(None, round(255 * opacity))
        canvas.drawPicture(picture)
        if opacity < 0.99:
            canvas.restore()
        canvas.restore()


def _tone(tone: str) -> tuple[int, int, int]:
    """Give body, letters and rim of a plate; every pair is 4.5 : 1 or better."""
    return {
        "plain": (PAPER, INK, INK),
        "alarm": (palette.VERMILION_DEEP, palette.WHITE, INK),
        "good": (palette.GREEN, palette.WHITE, INK),
    }[tone]


def _draw_bubble(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    del moment
    setting = set_plate(element.text, element.size, element.kind)
    if setting is None:
        return
    body, letters, rim = _tone(element.tone)
    width, height = max(setting.width + 64, 130.0), setting.height + 44
    box = skia.Rect.MakeXYWH(-width / 2, -height / 2, width, height)
    path = skia.Path()
    path.addRoundRect(box, 34, 34)
    if element.tail != "none":
        side = -1 if element.tail == "left" else 1
        tail = skia.Path()
        tail.moveTo(side * width * 0.16, height / 2 - 6)
        tail.lineTo(side * width * 0.36, height / 2 + 42)
        tail.lineTo(side * width * 0.36, height / 2 - 6)
        tail.close()
        path = skia.Op(path, tail, skia.PathOp.kUnion_PathOp)
    canvas.drawPath(path, fill(body))
    canvas.drawPath(path, stroke(rim, 7))
    setting.draw(canvas, -setting.width / 2, -setting.height / 2, fill(letters), align=0.5)


def _draw_sign(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    del moment
    setting = set_plate(element.text, element.size, element.kind)
    if setting is None:
        return
    body, letters, rim = _tone(element.tone)
    width, height = setting.width + 56, setting.height + 40
    box = skia.Rect.MakeXYWH(-width / 2, -height / 2, width, height)
    canvas.drawRoundRect(box.makeOffset(6, 9), 20, 20, fill(palette.fade(INK, 0.25)))
    canvas.drawRoundRect(box, 20, 20, fill(body))
    canvas.drawRoundRect(box, 20, 20, stroke(rim, 7))
    setting.draw(canvas, -setting.width / 2, -setting.height / 2, fill(letters), align=0.5)


def _draw_mark(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    time = moment.time
    radius = element.size / 2
    good = element.name == "check"
    body = {"check": palette.LEAF, "cross": palette.VERMILION}.get(element.name, palette.AMBER)
    letters = palette.WHITE if element.name in {"check", "cross"} else INK
    canvas.drawCircle(0, 0, radius, fill(body))
    canvas.drawCircle(0, 0, radius, stroke(INK, 7))
    drawn = smooth((time - element.enter_at - 0.25) / 0.5)
    if drawn <= 0.01:
        return
    path = skia.Path()
    if good:
        path.moveTo(-radius * 0.42, 0)
        path.lineTo(-radius * 0.1, radius * 0.34)
        path.lineTo(radius * 0.46, -radius * 0.34)
    elif element.name == "cross":
        path.moveTo(-radius * 0.36, -radius * 0.36)
        path.lineTo(radius * 0.36, radius * 0.36)
        path.moveTo(radius * 0.36, -radius * 0.36)
        path.lineTo(-radius * 0.36, radius * 0.36)
    elif element.name == "question":
        path.moveTo(-radius * 0.28, -radius * 0.24)
        path.cubicTo(
            -radius * 0.28, -radius * 0.66, radius * 0.34, -radius * 0.66, radius * 0.34, -radius * 0.22
        )
        path.cubicTo(radius * 0.34, radius * 0.02, 0, radius * 0.02, 0, radius * 0.24)
    else:
        path.moveTo(0, -radius * 0.52)
        path.lineTo(0, radius * 0.18)
    paint = skia.Paint(stroke(letters, radius * 0.2))
    if drawn < 1:
        paint.setPathEffect(skia.TrimPathEffect.Make(0.0, drawn, skia.TrimPathEffect.Mode.kNormal))
    canvas.drawPath(path, paint)
    if element.name in {"question", "bang"} and drawn > 0.8:
        canvas.drawCircle(0, radius * 0.52, radius * 0.12, fill(letters))


def _draw_coins(canvas: skia.Canvas, element: Element, moment: Moment) -> None:
    time = moment.time
    across, down = element.end[0] - element.x, element.end[1] - element.y
    flight = max(0.5, min(1.4, element.seconds * 0.5))
    for number in range(element.count):
        leaves = element.enter_at + (element.seconds - flight) * number / max(1, element.count - 1)
        share = (time - leaves) / flight
        if not 0 < share < 1:
            continue
        eased = smooth(share)
        canvas.save()
        canvas.translate(across * eased, down * eased - 130 * math.sin(math.pi * eased))
        canvas.scale(math.cos(share * 9.0) * 0.5 + (0.5 if math.cos(share * 9.0) > 0 else -0.5), 1)
        _coin(canvas, element.size / 2)
        canvas.restore()


def _coin(canvas: skia.Canvas, radius: float) -> None:
    canvas.drawCircle(0, 0, radius, fill(palette.AMBER))
    canvas.drawCircle(0, 0, radius, stroke(INK, radius * 0.17))
    canvas.drawCircle(0, 0, radius * 0.7, stroke(INK, radius * 0.07))
    size = radius * 0.78
    path = skia.Path()
    path.moveTo(-size * 0.42, -size * 0.55)
    path.lineTo(0, -size * 0.05)
    path.lineTo(size * 0.42, -size * 0.55)
    for start, end in (((0, -0.05), (0, 0.55)), ((-0.36, 0.06), (0.36, 0.06)), ((-0.36, 0.3), (0.36, 0.3))):
        path.moveTo(size * start[0], size * start[1])
        path.lineTo(size * end[0], size * end[1])
    canvas.drawPath(path, stroke(INK, size * 0.15))


Drawer = Callable[[skia.Canvas, Element, Moment], None]

DRAWERS: Final[dict[str, Drawer]] = {
    "person": _draw_person,
    "illustration": _draw_illustration,
    "bubble": _draw_bubble,
    "sign": _draw_sign,
    "mark": _draw_mark,
    "coins": _draw_coins,
}
"""The kinds of element."""


# Captions, turns between scenes, backdrops.


def draw_caption(canvas: skia.Canvas, scene: Scene, time: float) -> None:
    """Draw the caption band and what is said at a time."""
    caption = next((c for c in scene.captions if c.start <= time < c.end), None)
    text = caption.text if caption else ""
    appear = smooth((time - caption.start) / 0.16) if caption else 1.0
    pixels = canvas.getTotalMatrix().getScaleX()
    band = _caption_band(text, scene.ground, round(appear, 3), round(WIDTH * pixels))
    canvas.save()
    canvas.resetMatrix()
    canvas.drawImage(band, 0, round(CAPTION_TOP * pixels))
    canvas.restore()


@lru_cache(maxsize=8)
def _caption_band(text: str, ground: str, appear: float, width: int) -> skia.Image:
    """Paint the band with a caption that has come up to a share; most frames show the one before again."""
    scale = width / WIDTH
    info = skia.ImageInfo.Make(
        width,
        math.ceil((HEIGHT - CAPTION_TOP) * scale) + 1,
        skia.ColorType.kBGRA_8888_ColorType,
        skia.AlphaType.kOpaque_AlphaType,
    )
    surface = skia.Surface.MakeRaster(info)
    canvas = surface.getCanvas()
    canvas.clear(INK)
    canvas.scale(scale, scale)
    canvas.drawRect(skia.Rect.MakeWH(WIDTH, 6), fill(GROUNDS[ground].base))
    setting = set_caption(text) if text else None
    if setting is not None:
        middle = (HEIGHT - CAPTION_TOP + 6) / 2
        ink = fill(palette.fade(palette.WHITE, appear))
        top = middle - setting.height / 2 + 8 * (1 - appear)
        setting.draw(canvas, 0, top, ink, align=0.5, width=WIDTH)
    return surface.makeImageSnapshot()


def draw_turn(canvas: skia.Canvas, scene: Scene, following: Scene | None, first: bool, time: float) -> None:
    """Draw the panel that sweeps across the picture from one scene to the next."""
    left = scene.seconds - time
    edge = 0.0
    if following is not None and following.turn == "wipe" and left < _TURN_SECONDS:
        edge, colour = smooth(1 - left / _TURN_SECONDS), GROUNDS[following.ground].base
        start, end = -200.0, -200 + (WIDTH + 400) * edge
    elif not first and scene.turn == "wipe" and time < _TURN_SECONDS:
        edge, colour = smooth(time / _TURN_SECONDS), GROUNDS[scene.ground].base
        start, end = -200 + (WIDTH + 400) * edge, WIDTH + 200.0
    else:
        return
    path = skia.Path()
    path.moveTo(start - 100, 0)
    path.lineTo(end + 100, 0)
    path.lineTo(end - 100, CAPTION_TOP)
    path.lineTo(start - 300, CAPTION_TOP)
    path.close()
    canvas.drawPath(path, fill(colour))


@lru_cache(maxsize=8)
def backdrop(ground: str, place: str, width: int) -> skia.Image:
    """Paint a backdrop for a film of a width in pixels: a place in the tones of a ground, with a margin."""
    colours = GROUNDS[ground]
    scale = width / WIDTH
    info = skia.ImageInfo.Make(
        round((WIDTH + 2 * _MARGIN) * scale),
        round((CAPTION_TOP + 2 * _MARGIN) * scale),
        skia.ColorType.kBGRA_8888_ColorType,
        skia.AlphaType.kOpaque_AlphaType,
    )
    surface = skia.Surface.MakeRaster(info)
    canvas = surface.getCanvas()
    canvas.scale(scale, scale)
    canvas.translate(_MARGIN, _MARGIN)
    wall = colours.glow
    tint = palette.mix(wall, colours.base, 0.16)
    deep = palette.mix(wall, colours.base, 0.3)
    canvas.clear(wall)
    PAINTERS[place](canvas, tint, deep)
    return surface.makeImageSnapshot()


def _floor(canvas: skia.Canvas, colour: int, top: float = 486.0) -> None:
    canvas.drawRect(skia.Rect.MakeLTRB(-400, top, WIDTH + 400, HEIGHT + 300), fill(colour))
    canvas.drawLine(-400, top, WIDTH + 400, top, stroke(palette.fade(INK, 0.35), 5))


def _plain(canvas: skia.Canvas, tint: int, deep: int) -> None:
    del deep
    for x, y, radius in ((200, 120, 190), (1090, 400, 260), (760, -20, 120)):
        canvas.drawCircle(x, y, radius, fill(tint))


def _room(canvas: skia.Canvas, tint: int, deep: int) -> None:
    line = stroke(palette.fade(INK, 0.35), 5)
    _floor(canvas, deep)
    window_box = skia.Rect.MakeXYWH(110, 70, 250, 220)
    canvas.drawRoundRect(window_box, 12, 12, fill(0xFFE9F4FA))
    canvas.drawCircle(300, 130, 30, fill(palette.SUN))
    canvas.drawRoundRect(window_box, 12, 12, line)
    canvas.drawLine(235, 70, 235, 290, line)
    canvas.drawLine(110, 180, 360, 180, line)
    for x, y, wide, tall in ((940, 80, 110, 140), (1080, 120, 90, 90)):
        canvas.drawRoundRect(skia.Rect.MakeXYWH(x, y, wide, tall), 8, 8, fill(tint))
        canvas.drawRoundRect(skia.Rect.MakeXYWH(x, y, wide, tall), 8, 8, line)
    pot = skia.Path()
    pot.moveTo(1170, 420)
    pot.lineTo(1260, 420)
    pot.lineTo(1246, 500)
    pot.lineTo(1184, 500)
    pot.close()
    for angle in (-38, 0, 38):
        canvas.save()
        canvas.rotate(angle, 1215, 420)
        canvas.drawOval(skia.Rect.MakeXYWH(1193, 290, 44, 140), fill(palette.mix(palette.LEAF, deep, 0.35)))
        canvas.restore()
    canvas.drawPath(pot, fill(palette.mix(palette.VERMILION, deep, 0.45)))


def _street(canvas: skia.Canvas, tint: int, deep: int) -> None:
    x = -120.0
    for index, (wide, tall) in enumerate(
        (
            (150, 250),
            (110, 340),
            (180, 200),
            (130, 300),
            (160, 390),
            (120, 230),
            (190, 310),
            (140, 260),
            (170, 350),
        )
    ):
        colour = tint if index % 2 else palette.mix(tint, deep, 0.5)
        canvas.drawRect(skia.Rect.MakeXYWH(x, 486 - tall, wide, tall), fill(colour))
        for row in range(int(tall // 56)):
            for column in range(int(wide // 46)):
                if (row * 3 + column * 5 + index) % 4:
                    canvas.drawRect(
                        skia.Rect.MakeXYWH(x + 18 + column * 44, 486 - tall + 22 + row * 54, 18, 26),
                        fill(palette.fade(palette.PAPER, 0.75)),
                    )
        x += wide + 14
    _floor(canvas, deep)


def _office(canvas: skia.Canvas, tint: int, deep: int) -> None:
    line = stroke(palette.fade(INK, 0.3), 5)
    _floor(canvas, deep)
    canvas.drawRoundRect(skia.Rect.MakeXYWH(440, 60, 400, 110), 18, 18, fill(tint))
    canvas.drawRoundRect(skia.Rect.MakeXYWH(440, 60, 400, 110), 18, 18, line)
    for x in (520, 640, 760):
        canvas.drawCircle(x, 115, 22, fill(deep))
    for x in (90, 1010):
        for row in range(4):
            canvas.drawRoundRect(skia.Rect.MakeXYWH(x, 150 + row * 84, 180, 66), 8, 8, fill(tint))
            canvas.drawRoundRect(skia.Rect.MakeXYWH(x, 150 + row * 84, 180, 66), 8, 8, line)
            canvas.drawLine(x + 70, 183 + row * 84, x + 110, 183 + row * 84, line)


def _campus(canvas: skia.Canvas, tint: int, deep: int) -> None:
    line = stroke(palette.fade(INK, 0.3), 5)
    roof = skia.Path()
    roof.moveTo(380, 190)
    roof.lineTo(640, 70)
    roof.lineTo(900, 190)
    roof.close()
    canvas.drawRect(skia.Rect.MakeXYWH(420, 190, 440, 300), fill(tint))
    canvas.drawPath(roof, fill(palette.mix(tint, deep, 0.6)))
    canvas.drawPath(roof, line)
    for x in (470, 560, 680, 770):
        canvas.drawRect(skia.Rect.MakeXYWH(x, 220, 44, 270), fill(palette.fade(palette.PAPER, 0.8)))
    for x, radius in ((160, 110), (300, 80), (1010, 100), (1160, 120)):
        canvas.drawRect(skia.Rect.MakeXYWH(x - 12, 330, 24, 160), fill(palette.mix(deep, INK, 0.3)))
        canvas.drawCircle(x, 300, radius, fill(palette.mix(palette.LEAF, tint, 0.5)))
    _floor(canvas, deep)


PAINTERS: Final[dict[str, Callable[[skia.Canvas, int, int], None]]] = {
    "plain": _plain,
    "room": _room,
    "street": _street,
    "office": _office,
    "campus": _campus,
}
