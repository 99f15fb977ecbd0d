"""The cast of the films: figures of simple shapes that breathe, blink, speak, walk and use their hands.

A figure stands on its feet at (0, 0) and is measured in head radii; it faces right until it turns.
Everything about it at a moment is a function of its acts and the time, so a frame can be drawn alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.motion import Change, clamp, follow, smooth, swing, wave, window
from edu_platform.media.drawing.palette import INK, fill, stroke

SKIN: Final = 0xFFF6CFA8
SKIN_SHADE: Final = 0xFFE3AC80
HAIR: Final = 0xFF2C2F38
GREY_HAIR: Final = 0xFFD7DAD3
LINE: Final = 0.115
SHOULDER: Final = (0.78, -3.32)
UPPER_ARM: Final = 1.08

REST: Final = (1.16, -1.38)
HANDS: Final[dict[str, tuple[float, float]]] = {
    "rest": REST,
    "phone": (1.02, -4.62),
    "look": (1.35, -3.0),
    "point": (2.55, -3.5),
    "stop": (2.3, -3.75),
    "wave": (2.0, -5.2),
    "think": (0.55, -3.72),
    "cheer": (1.75, -5.7),
    "sign": (1.75, -2.45),
    "give": (2.3, -2.75),
}
"""Where the leading hand goes, in head radii from the feet."""

OTHER_HAND: Final[dict[str, tuple[float, float]]] = {
    "cheer": (-1.75, -5.7),
    "think": (0.1, -2.55),
    "give": (1.9, -2.35),
    "sign": (1.2, -2.2),
}
BENDS: Final[dict[str, float]] = {"phone": 1.0, "look": 1.0, "wave": 1.0, "cheer": 1.0}
"""In which poses the leading elbow is below the hand, so that the forearm stands (1); in others it is out (-1)."""
MOODS: Final = ("smile", "flat", "worry", "surprised")
GESTURES: Final = ("talk", "nod", "shake")


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one figure from another."""

    coat: int
    trousers: int
    hair: int
    style: str
    glasses: bool = False
    collar: int = palette.PAPER
    tie: int = 0
    strap: int = 0
    height: float = 1.0


CAST: Final[dict[str, Look]] = {
    "grandma": Look(palette.PLUM, INK, GREY_HAIR, "bun", collar=palette.SUN, height=0.92),
    "grandpa": Look(palette.GREEN, INK, GREY_HAIR, "bald", glasses=True, height=0.96),
    "student": Look(palette.SKY, HAIR, HAIR, "short", glasses=True, strap=palette.AMBER),
    "friend": Look(palette.LEAF, palette.SKY_DEEP, HAIR, "short"),
    "newcomer": Look(palette.AMBER, palette.SKY_DEEP, HAIR, "short", strap=palette.PLUM),
    "daughter": Look(palette.VERMILION, INK, HAIR, "long"),
    "advisor": Look(palette.GREEN_DEEP, INK, HAIR, "long", tie=palette.AMBER),
    "clerk": Look(0xFF7A8A92, INK, HAIR, "short", tie=palette.VERMILION),
    "stranger": Look(0xFF3B3F4A, HAIR, HAIR, "hidden", collar=0xFF555A66),
}
"""The recurring characters by name."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something a figure does from a time on: a pose of the hands, a mood, a gesture, a walk, a turn."""

    do: str
    at: float
    seconds: float = 0.6
    to: float = 0.0


@dataclass(frozen=True, slots=True)
class Pose:
    """A figure at one moment."""

    x: float
    facing: float
    stride: float
    walking: float
    hand: tuple[float, float]
    other: tuple[float, float]
    bends: tuple[float, float]
    tilt: float
    nod: float
    breath: float
    lids: float
    mouth: float
    mood: str
    holds_phone: float


def pose_at(time: float, x: float, acts: Sequence[Act], *, facing: int, size: float, seed: int) -> Pose:
    """Work out a figure's pose at a time from its acts; `x` and walks are in stage units."""
    walks = [Change(act.at, act.seconds, act.to) for act in acts if act.do == "walk"]
    here = follow(time, x, walks)
    before = follow(time - 1 / 24, x, walks)
    speed = abs(here - before) * 24 / max(1.0, size)
    walking = clamp(speed * 4)
    turned: float = facing
    for act in acts:
        if act.do == "turn" and time > act.at:
            turned = turned * math.cos(math.pi * smooth((time - act.at) / 0.35))
        elif act.do == "walk" and act.at <= time:
            start = follow(act.at, x, walks)
            turned = math.copysign(1.0, act.to - start) if act.to != start else turned
    hands = [act for act in acts if act.do in HANDS]
    hand_x = follow(time, REST[0], [Change(a.at, 0.6, HANDS[a.do][0]) for a in hands], swing)
    hand_y = follow(time, REST[1], [Change(a.at, 0.6, HANDS[a.do][1]) for a in hands], swing)
    rest = (-REST[0], REST[1])
    other_x = follow(
        time, rest[0], [Change(a.at + 0.05, 0.6, OTHER_HAND.get(a.do, rest)[0]) for a in hands], swing
    )
    other_y = follow(
        time, rest[1], [Change(a.at + 0.05, 0.6, OTHER_HAND.get(a.do, rest)[1]) for a in hands], swing
    )
    # An elbow that changed sides at once would be seen to jump.
    bend = follow(time, -1.0, [Change(a.at, 0.55, BENDS.get(a.do, -1.0)) for a in hands])
    other_bend = follow(
        time, 1.0, [Change(a.at + 0.05, 0.6, -1.0 if a.do == "cheer" else 1.0) for a in hands]
    )
    started = [act for act in hands if act.at <= time]
    current = started[-1] if started else None
    if current is not None:
        # A hand that rises or falls goes round the shoulder, not through it.
        begun = HANDS[started[-2].do][1] if len(started) > 1 else REST[1]
        way = HANDS[current.do][1] - begun
        if abs(way) > 1:
            hand_x += 0.27 * abs(way) * math.sin(math.pi * clamp((hand_y - begun) / way))
    doing = current.do if current else "rest"
    since = time - (current.at if current else 0.0)
    lively = smooth(since / 0.5)
    if doing == "wave":
        hand_x += 0.35 * lively * wave(since, 0.6)
    elif doing == "cheer":
        hand_y += 0.2 * lively * wave(since, 0.5)
        other_y += 0.2 * lively * wave(since, 0.5, 0.1)
    elif doing == "sign":
        hand_x += 0.25 * lively * wave(since, 0.7)
        hand_y += 0.06 * lively * wave(since, 0.35)
    elif doing in {"point", "stop", "give"}:
        hand_x += 0.07 * lively * wave(since, 1.1)
    phone = [act for act in hands if act.do in {"phone", "look"}]
    holds = follow(
        time,
        0.0,
        [Change(a.at, 0.2, 1.0 if a.do in {"phone", "look"} else 0.0) for a in hands],
    )
    if not phone:
        holds = 0.0
    sway = walking * wave(here / max(1.0, size), 0.62)
    if doing == "rest":
        hand_x += 0.55 * sway
        other_x += 0.55 * sway
    tilt = 2.2 * wave(time, 4.3, seed * 0.37)
    nod = 0.0
    talk = 0.0
    for act in acts:
        strength = window(time, act.at, act.seconds)
        if act.do == "nod":
            nod += 0.14 * strength * wave(time - act.at, 0.55)
        elif act.do == "shake":
            tilt += 7 * strength * wave(time - act.at, 0.5)
        elif act.do == "talk":
            talk = max(talk, strength * (0.55 + 0.45 * wave(time, 0.29) * wave(time, 0.83, 0.2)))
            tilt += 2 * strength * wave(time, 1.3)
    mood = next(
        (act.do for act in sorted(acts, key=lambda a: -a.at) if act.do in MOODS and act.at <= time),
        "smile",
    )
    beat = 2.7 + (seed % 5) * 0.31
    blink = (time + seed * 0.53) % beat
    lids = 1 - window(blink, 0.0, 0.18, 0.07)
    return Pose(
        x=here,
        facing=turned,
        stride=here / max(1.0, size),
        walking=walking,
        hand=(hand_x, hand_y),
        other=(other_x, other_y),
        bends=(bend, other_bend),
        tilt=tilt,
        nod=nod,
        breath=0.035 * wave(time, 3.1, seed * 0.21),
        lids=lids,
        mouth=talk,
        mood=mood,
        holds_phone=holds,
    )


def _tube(canvas: skia.Canvas, path: skia.Path, width: float, colour: int) -> None:
    canvas.drawPath(path, stroke(INK, width + 2 * LINE))
    canvas.drawPath(path, stroke(colour, width))


def _outlined(canvas: skia.Canvas, path: skia.Path, colour: int) -> None:
    canvas.drawPath(path, fill(colour))
    canvas.drawPath(path, stroke(INK, LINE))


def _elbow(
    shoulder: tuple[float, float], hand: tuple[float, float], upper: float, lower: float, bend: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Find the elbow of an arm of two lengths, and the hand as far as the arm reaches.

    `bend` says to which side of the line from shoulder to hand the elbow goes, and how far: -1 to 1.
    """
    dx, dy = hand[0] - shoulder[0], hand[1] - shoulder[1]
    distance = math.hypot(dx, dy) or 1e-6
    reach = min(distance, (upper + lower) * 0.999)
    hand = (shoulder[0] + dx / distance * reach, shoulder[1] + dy / distance * reach)
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    off = math.sqrt(max(0.0, upper**2 - along**2)) * bend
    ux, uy = dx / distance, dy / distance
    return (shoulder[0] + ux * along - uy * off, shoulder[1] + uy * along + ux * off), hand


def draw_figure(canvas: skia.Canvas, who: str, y: float, height: float, pose: Pose) -> None:
    """Draw a figure with its feet at (pose.x, y)."""
    look = CAST[who]
    unit = height * look.height / 6.3
    canvas.save()
    canvas.translate(pose.x, y)
    canvas.drawOval(
        skia.Rect.MakeXYWH(-1.5 * unit, -0.16 * unit, 3.0 * unit, 0.42 * unit), fill(palette.fade(INK, 0.16))
    )
    narrow = pose.facing if abs(pose.facing) > 0.12 else math.copysign(0.12, pose.facing or 1.0)
    canvas.scale(unit * narrow, unit)
    step = wave(pose.stride, 0.62) * pose.walking
    lift = abs(wave(pose.stride, 0.62, 0.25)) * pose.walking * 0.12
    canvas.translate(0, -lift)
    _legs(canvas, look, step, lift)
    canvas.translate(0, pose.breath)
    _arm(canvas, look, pose.other, pose.bends[1], side=-1)
    _torso(canvas, look)
    canvas.save()
    canvas.translate(0, -4.75 + pose.nod)
    canvas.rotate(pose.tilt, 0, 1.0)
    _head(canvas, look, pose)
    canvas.restore()
    if pose.holds_phone > 0.05:
        _phone(canvas, pose)
    _arm(canvas, look, pose.hand, pose.bends[0], side=1)
    canvas.restore()


def _legs(canvas: skia.Canvas, look: Look, step: float, lift: float) -> None:
    for side, reach in ((-1, -step), (1, step)):
        foot_x = side * 0.42 + reach * 0.75
        raised = max(0.0, reach) * 0.25
        leg = skia.Path()
        leg.moveTo(side * 0.38, -1.75)
        leg.lineTo(foot_x, -0.42 + lift - raised)
        _tube(canvas, leg, 0.5, look.trousers)
        shoe = skia.Path()
        shoe.addRoundRect(skia.Rect.MakeXYWH(foot_x - 0.32, -0.34 + lift - raised, 0.86, 0.34), 0.17, 0.17)
        _outlined(canvas, shoe, HAIR)


@lru_cache(maxsize=8)
def _torso_path() -> skia.Path:
    path = skia.Path()
    path.moveTo(-0.82, -1.45)
    path.lineTo(-0.98, -3.0)
    path.cubicTo(-1.0, -3.55, -0.7, -3.72, -0.3, -3.76)
    path.lineTo(0.3, -3.76)
    path.cubicTo(0.7, -3.72, 1.0, -3.55, 0.98, -3.0)
    path.lineTo(0.82, -1.45)
    path.close()
    return path


def _torso(canvas: skia.Canvas, look: Look) -> None:
    canvas.drawRect(skia.Rect.MakeXYWH(-0.3, -4.0, 0.6, 0.4), fill(SKIN_SHADE))
    path = _torso_path()
    canvas.drawPath(path, fill(look.coat))
    canvas.save()
    canvas.clipPath(path, True)
    canvas.drawRect(skia.Rect.MakeXYWH(0.42, -4, 1, 3), fill(palette.fade(INK, 0.14)))
    if look.strap:
        for side in (-1, 1):
            canvas.drawLine(side * 0.62, -3.8, side * 0.62, -1.5, stroke(look.strap, 0.2))
    canvas.restore()
    canvas.drawPath(path, stroke(INK, LINE))
    collar = skia.Path()
    collar.moveTo(-0.36, -3.76)
    collar.lineTo(0, -3.3)
    collar.lineTo(0.36, -3.76)
    collar.close()
    _outlined(canvas, collar, look.collar)
    if look.tie:
        tie = skia.Path()
        tie.moveTo(0, -3.42)
        tie.lineTo(0.2, -3.2)
        tie.lineTo(0, -2.7)
        tie.lineTo(-0.2, -3.2)
        tie.close()
        _outlined(canvas, tie, look.tie)


def _arm(canvas: skia.Canvas, look: Look, hand: tuple[float, float], bend: float, *, side: int) -> None:
    shoulder = (side * SHOULDER[0], SHOULDER[1])
    elbow, reached = _elbow(shoulder, hand, UPPER_ARM, UPPER_ARM, bend)
    path = skia.Path()
    path.moveTo(*shoulder)
    path.lineTo(*elbow)
    path.lineTo(*reached)
    _tube(canvas, path, 0.4, look.coat)
    canvas.drawCircle(*reached, 0.27, fill(SKIN))
    canvas.drawCircle(*reached, 0.27, stroke(INK, LINE))


def _phone(canvas: skia.Canvas, pose: Pose) -> None:
    canvas.save()
    canvas.translate(*pose.hand)
    canvas.rotate(12 if pose.hand[1] < -4 else -14)
    canvas.scale(pose.holds_phone, pose.holds_phone)
    body = skia.Path()
    body.addRoundRect(skia.Rect.MakeXYWH(-0.24, -0.72, 0.48, 0.95), 0.1, 0.1)
    _outlined(canvas, body, HAIR)
    canvas.drawRoundRect(skia.Rect.MakeXYWH(-0.15, -0.6, 0.3, 0.6), 0.04, 0.04, fill(0xFFCFE3F1))
    canvas.restore()


def _head_path() -> skia.Path:
    path = skia.Path()
    path.moveTo(-0.95, -0.25)
    path.cubicTo(-0.95, -1.15, 0.95, -1.15, 0.95, -0.25)
    path.lineTo(0.95, 0.3)
    path.cubicTo(0.95, 1.2, -0.95, 1.2, -0.95, 0.3)
    path.close()
    return path


def _head(canvas: skia.Canvas, look: Look, pose: Pose) -> None:
    style = look.style
    if style == "bun":
        canvas.drawCircle(0, -1.14, 0.36, fill(look.hair))
        canvas.drawCircle(0, -1.14, 0.36, stroke(INK, LINE))
    if style == "long":
        back = skia.Path()
        back.moveTo(-1.02, -0.1)
        back.cubicTo(-1.1, -1.4, 1.1, -1.4, 1.02, -0.1)
        back.lineTo(1.1, 1.15)
        back.lineTo(-1.1, 1.15)
        back.close()
        _outlined(canvas, back, look.hair)
    for side in (-1, 1):
        canvas.drawCircle(side * 0.97, 0.12, 0.2, fill(SKIN))
        canvas.drawCircle(side * 0.97, 0.12, 0.2, stroke(INK, LINE))
    _outlined(canvas, _head_path(), SKIN)
    _hair(canvas, look)
    if style == "hidden":
        _hidden_face(canvas)
        return
    ahead = 0.1
    for side in (-1, 1):
        x = side * 0.36 + ahead
        if pose.lids > 0.3:
            canvas.drawOval(
                skia.Rect.MakeXYWH(x - 0.095, 0.08 - 0.11 * pose.lids, 0.19, 0.22 * pose.lids), fill(INK)
            )
        else:
            canvas.drawLine(x - 0.1, 0.1, x + 0.1, 0.1, stroke(INK, 0.08))
        raised = {"surprised": -0.16, "worry": -0.04}.get(pose.mood, 0.0)
        slope = side * -0.09 if pose.mood == "worry" else 0.0
        if not look.glasses:
            canvas.drawLine(
                x - 0.17, -0.26 + raised + slope, x + 0.17, -0.26 + raised - slope, stroke(INK, 0.09)
            )
        else:
            canvas.drawCircle(x, 0.08, 0.28, stroke(INK, 0.085))
    if look.glasses:
        canvas.drawLine(ahead - 0.08, 0.08, ahead + 0.08, 0.08, stroke(INK, 0.085))
    nose = skia.Path()
    nose.moveTo(ahead, 0.24)
    nose.cubicTo(ahead + 0.13, 0.34, ahead + 0.1, 0.43, ahead - 0.03, 0.43)
    canvas.drawPath(nose, stroke(SKIN_SHADE, 0.09))
    for side in (-1, 1):
        canvas.drawCircle(side * 0.6 + ahead * 0.5, 0.44, 0.14, fill(palette.fade(palette.VERMILION, 0.22)))
    _mouth(canvas, pose, ahead)


def _mouth(canvas: skia.Canvas, pose: Pose, x: float) -> None:
    if pose.mouth > 0.12 or pose.mood == "surprised":
        tall = 0.1 + 0.22 * max(pose.mouth, 0.55 if pose.mood == "surprised" else 0.0)
        box = skia.Rect.MakeXYWH(x - 0.17, 0.66 - tall / 2, 0.34, tall)
        canvas.drawOval(box, fill(0xFF8E2A16))
        canvas.drawOval(box, stroke(INK, 0.08))
        return
    curve = {"smile": 0.17, "flat": 0.0, "worry": -0.13}.get(pose.mood, 0.0)
    path = skia.Path()
    path.moveTo(x - 0.24, 0.62 - curve * 0.2)
    path.cubicTo(x - 0.1, 0.62 + curve, x + 0.1, 0.62 + curve, x + 0.24, 0.62 - curve * 0.2)
    canvas.drawPath(path, stroke(INK, 0.095))


def _hidden_face(canvas: skia.Canvas) -> None:
    """Draw dark glasses, a mask and a cap: someone who does not say who they are."""
    mask = skia.Path()
    mask.moveTo(-0.93, 0.36)
    mask.lineTo(0.93, 0.36)
    mask.cubicTo(0.9, 1.12, -0.9, 1.12, -0.93, 0.36)
    mask.close()
    _outlined(canvas, mask, 0xFF8C948F)
    for side in (-1, 1):
        lens = skia.Path()
        lens.addRoundRect(skia.Rect.MakeXYWH(side * 0.42 - 0.3 + 0.08, -0.14, 0.6, 0.36), 0.14, 0.14)
        _outlined(canvas, lens, HAIR)
    canvas.drawLine(-0.1, 0.0, 0.2, 0.0, stroke(INK, 0.1))


def _hair(canvas: skia.Canvas, look: Look) -> None:
    top = skia.Path()
    style = look.style
    if style == "bald":
        for side in (-1, 1):
            tuft = skia.Path()
            tuft.moveTo(side * 0.98, 0.05)
            tuft.cubicTo(side * 1.08, -0.35, side * 0.95, -0.62, side * 0.74, -0.72)
            tuft.cubicTo(side * 0.8, -0.4, side * 0.86, -0.2, side * 0.98, 0.05)
            tuft.close()
            _outlined(canvas, tuft, look.hair)
        return
    if style == "hidden":
        top.moveTo(-1.05, -0.28)
        top.cubicTo(-1.05, -1.4, 1.05, -1.4, 1.05, -0.28)
        top.lineTo(1.55, -0.2)
        top.lineTo(1.5, -0.42)
        top.close()
        _outlined(canvas, top, look.hair)
        return
    top.moveTo(-0.98, -0.02)
    top.cubicTo(-1.12, -1.38, 1.12, -1.38, 0.98, -0.02)
    if style == "short":
        top.cubicTo(0.8, -0.25, 0.72, -0.4, 0.62, -0.55)
        top.cubicTo(0.2, -0.35, -0.3, -0.4, -0.5, -0.62)
        top.cubicTo(-0.62, -0.35, -0.85, -0.2, -0.98, -0.02)
    else:
        top.cubicTo(0.85, -0.5, 0.4, -0.72, 0, -0.74)
        top.cubicTo(-0.4, -0.72, -0.85, -0.5, -0.98, -0.02)
    top.close()
    _outlined(canvas, top, look.hair)
