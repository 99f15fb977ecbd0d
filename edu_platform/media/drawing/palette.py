"""The house's colours and how well they can be told apart (WCAG 2.1 contrast)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import skia

INK: Final = 0xFF15362B
GREY: Final = 0xFF3D5048
GREEN: Final = 0xFF0B6E4F
GREEN_DEEP: Final = 0xFF07523A
LEAF: Final = 0xFF08A045
PAPER: Final = 0xFFFDFBF4
SAND: Final = 0xFFF1E9D8
SAND_DEEP: Final = 0xFFE2D5B8
AMBER: Final = 0xFFFFC857
SUN: Final = 0xFFFFE08A
VERMILION: Final = 0xFFC8401B
VERMILION_DEEP: Final = 0xFF982B0D
SKY: Final = 0xFF1F5F8B
SKY_DEEP: Final = 0xFF174A6E
PLUM: Final = 0xFF6B3A67
PLUM_DEEP: Final = 0xFF532B50
WHITE: Final = 0xFFFFFFFF

LARGE_TEXT_CONTRAST: Final = 3.0
TEXT_CONTRAST: Final = 4.5
ELDER_CONTRAST: Final = 7.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A surface that text and illustrations stand on.

    `base` is the surface, `shade` its darker side, `glow` a lighter patch behind an illustration,
    `text` what is written on `base` (at least 4.5 : 1), `accent` a second colour for large text.
    """

    base: int
    shade: int
    glow: int
    text: int
    accent: int


GROUNDS: Final[dict[str, Ground]] = {
    "green": Ground(GREEN, GREEN_DEEP, 0xFFD9EFDF, WHITE, SUN),
    "amber": Ground(AMBER, 0xFFF0AE2C, 0xFFFFEFC4, INK, INK),
    "sky": Ground(SKY, SKY_DEEP, 0xFFD8E8F3, WHITE, SUN),
    "plum": Ground(PLUM, PLUM_DEEP, 0xFFEDDFEC, WHITE, SUN),
    "vermilion": Ground(VERMILION, VERMILION_DEEP, 0xFFFFE3D3, WHITE, SUN),
    "sand": Ground(SAND, SAND_DEEP, 0xFFFFFDF7, INK, GREEN),
}
"""The grounds a cover, poster or scene may name."""

AUDIENCE_GROUND: Final[dict[str, str]] = {"elderly": "amber", "youth": "sky", "new_customer": "plum"}
"""Which ground stands for which audience, everywhere."""


def _linear(channel: int) -> float:
    share = channel / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def luminance(colour: int) -> float:
    """Give the relative luminance (0 to 1) of an ARGB colour, its alpha left out."""
    red, green, blue = (colour >> 16) & 0xFF, (colour >> 8) & 0xFF, colour & 0xFF
    return 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)


def contrast(one: int, other: int) -> float:
    """Give the WCAG contrast ratio of two opaque colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(one: int, other: int, share: float) -> int:
    """Blend two colours channel by channel; `share` 0 gives the first, 1 the second."""
    blended = 0
    for shift in (24, 16, 8, 0):
        start, end = (one >> shift) & 0xFF, (other >> shift) & 0xFF
        blended |= round(start + (end - start) * share) << shift
    return blended


def fade(colour: int, opacity: float) -> int:
    """Give the colour with its alpha scaled by `opacity` (0 to 1)."""
    alpha = round(((colour >> 24) & 0xFF) * max(0.0, min(1.0, opacity)))
    return (alpha << 24) | (colour & 0xFFFFFF)


@lru_cache(maxsize=1024)
def fill(colour: int) -> skia.Paint:
    """Make an anti-aliased paint that fills. It is shared: copy it before changing it."""
    return skia.Paint(AntiAlias=True, Color=colour)


@lru_cache(maxsize=1024)
def stroke(colour: int, width: float) -> skia.Paint:
    """Make an anti-aliased paint that draws a round-ended line. It is shared: copy it before changing it."""
    return skia.Paint(
        AntiAlias=True,
        Color=colour,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )
