"""A sheet of paper that a poster is laid out on: what is placed where, and how it is drawn.

Everything is in units of which a sheet is 1080 wide, whatever its resolution. Laying out and drawing
are two steps, so that a check can lay out without drawing and a test can look at the boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.lettering import Setting

WIDTH = 1080.0
MARGIN = 72.0
UNIT = 24.0
OVER = 4.0

Stroke = Callable[[skia.Canvas], None]


@dataclass(frozen=True, slots=True)
class Placed:
    """A box on the sheet: what it is, where, and for text its size, colour, the colour beneath and its lines."""

    role: str
    x: float
    y: float
    width: float
    height: float
    size: float = 0.0
    ink: int = 0
    ground: int = 0
    lines: tuple[str, ...] = ()

    @property
    def bottom(self) -> float:
        """Give the lower edge."""
        return self.y + self.height

    def overlaps(self, other: Placed) -> bool:
        """Tell whether two boxes share more than an edge."""
        return (
            self.x < other.x + other.width - 0.5
            and other.x < self.x + self.width - 0.5
            and self.y < other.y + other.height - 0.5
            and other.y < self.y + self.height - 0.5
        )


@dataclass(slots=True)
class Sheet:
    """What has been laid out so far. `bleed` is how far grounds run beyond the trimmed edge."""

    height: float
    bleed: float = 0.0
    placed: list[Placed] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)

    def add(self, stroke: Stroke) -> None:
        """Draw something that carries no meaning of its own: a ground, a card, a rule."""
        self.strokes.append(stroke)

    def put(self, sign: Callable[..., None], *arguments: object) -> None:
        """Draw a small sign with arguments bound now, so that a loop may go on."""
        self.add(lambda canvas: sign(canvas, *arguments))

    def line(self, start: tuple[float, float], end: tuple[float, float], paint: skia.Paint) -> None:
        """Draw a straight line."""
        self.add(lambda canvas: canvas.drawLine(*start, *end, paint))

    def whole(self) -> skia.Rect:
        """Give the sheet with its bleed, and a little over: no row of pixels is half covered."""
        return self.band(0, self.height)

    def band(self, top: float, bottom: float) -> skia.Rect:
        """Give a band from edge to edge, running into the bleed at the sheet's own ends."""
        over = self.bleed + OVER
        return skia.Rect.MakeLTRB(
            -over,
            -over if top <= 0 else top,
            WIDTH + over,
            self.height + over if bottom >= self.height else bottom,
        )

    def rect(self, box: skia.Rect, colour: int, radius: float = 0.0) -> None:
        """Fill a rectangle."""
        self.add(lambda canvas: canvas.drawRoundRect(box, radius, radius, palette.fill(colour)))

    def circle(self, x: float, y: float, radius: float, colour: int) -> None:
        """Fill a circle."""
        self.add(lambda canvas: canvas.drawCircle(x, y, radius, palette.fill(colour)))

    def text(
        self,
        role: str,
        setting: Setting,
        x: float,
        y: float,
        *,
        ink: int,
        ground: int,
        width: float | None = None,
        align: float = 0.0,
        hang: bool = False,
    ) -> None:
        """Place a set text with its top left at (x, y)."""
        room = setting.width if width is None else width
        left = x + (room - setting.width) * align
        lines = tuple(line.text for line in setting.lines)
        self.placed.append(
            Placed(role, left, y, setting.width, setting.height, setting.size, ink, ground, lines)
        )
        self.add(
            lambda canvas: setting.draw(canvas, x, y, palette.fill(ink), align=align, width=room, hang=hang)
        )

    def keep(self, role: str, x: float, y: float, *, width: float, height: float) -> None:
        """Note a box that holds a picture or a code."""
        self.placed.append(Placed(role, x, y, width, height))

    def draw(self, canvas: skia.Canvas) -> None:
        """Draw everything, in the order it was added."""
        for stroke in self.strokes:
            stroke(canvas)


def draw_mark(canvas: skia.Canvas, x: float, y: float, size: float, colours: tuple[int, int]) -> None:
    """Draw the house's mark, a shield with a tick, in a square of `size` at (x, y)."""
    body, sign = colours
    path = skia.Path()
    path.moveTo(x + size / 2, y)
    path.cubicTo(
        x + size * 0.66, y + size * 0.1, x + size * 0.8, y + size * 0.13, x + size * 0.9, y + size * 0.14
    )
    path.lineTo(x + size * 0.9, y + size * 0.5)
    path.cubicTo(x + size * 0.9, y + size * 0.76, x + size * 0.7, y + size * 0.92, x + size / 2, y + size)
    path.cubicTo(
        x + size * 0.3, y + size * 0.92, x + size * 0.1, y + size * 0.76, x + size * 0.1, y + size * 0.5
    )
    path.lineTo(x + size * 0.1, y + size * 0.14)
    path.cubicTo(x + size * 0.2, y + size * 0.13, x + size * 0.34, y + size * 0.1, x + size / 2, y)
    path.close()
    canvas.drawPath(path, palette.fill(body))
    tick = skia.Path()
    tick.moveTo(x + size * 0.29, y + size * 0.5)
    tick.lineTo(x + size * 0.45, y + size * 0.66)
    tick.lineTo(x + size * 0.72, y + size * 0.34)
    canvas.drawPath(tick, palette.stroke(sign, size * 0.11))


def draw_receiver(canvas: skia.Canvas, x: float, y: float, size: float, colour: int) -> None:
    """Draw a telephone receiver in a square of `size` at (x, y)."""
    canvas.save()
    canvas.translate(x + size / 2, y + size / 2)
    canvas.rotate(-45)
    unit = size / 1.3
    canvas.scale(unit, unit)
    path = skia.Path()
    path.moveTo(-0.62, 0.1)
    path.cubicTo(-0.62, -0.38, 0.62, -0.38, 0.62, 0.1)
    path.lineTo(0.62, 0.24)
    path.cubicTo(0.62, 0.32, 0.57, 0.34, 0.5, 0.33)
    path.lineTo(0.3, 0.29)
    path.cubicTo(0.24, 0.28, 0.22, 0.24, 0.22, 0.18)
    path.lineTo(0.22, 0.02)
    path.cubicTo(0.1, -0.04, -0.1, -0.04, -0.22, 0.02)
    path.lineTo(-0.22, 0.18)
    path.cubicTo(-0.22, 0.24, -0.24, 0.28, -0.3, 0.29)
    path.lineTo(-0.5, 0.33)
    path.cubicTo(-0.57, 0.34, -0.62, 0.32, -0.62, 0.24)
    path.close()
    canvas.drawPath(path, palette.fill(colour))
    canvas.restore()
