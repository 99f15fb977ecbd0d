"""Set Chinese text: one face, breaking by 禁则, lines balanced, size chosen so that nothing is cut.

Measures are in the caller's units. Advances scale with the size (no hinting), so a text is measured
once in ems and set at any size. Line breaking follows the rules of GB/T 15834 for marks that may not
begin or end a line, prefers to break after punctuation and between words, and shuns a last line of
one character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import rjieba
import skia

OPENING: Final = frozenset("（《〈「『【〔［｛“‘([{<")
CLOSING: Final = frozenset("）》〉」』】〕］｝”’。，、；：！？…—·～％%)]}>,.;:!?‰℃°")
"""Marks that may not begin a line. The dash and the ellipsis are among them: they are never parted."""

_HALF_CLOSING: Final = frozenset("）》〉」』】〕］｝”’。，、；：！？")
_STRONG: Final = frozenset("。，、；：！？")
_SIMPLIFIED_CHINESE_FACE: Final = 2
_ASCENT: Final = 0.88
_SCRIPT_GAP: Final = 0.12


def font_path() -> Path:
    """Give the file of the house's font (Noto Sans CJK, variable, SIL OFL 1.1)."""
    return Path(str(resources.files("manimgx_fonts_cjk") / "NotoSansCJK-VF.otf.ttc"))


@cache
def typeface(weight: int) -> skia.Typeface:
    """Give the Simplified Chinese face at a weight of 100 to 900."""
    face = skia.Typeface.MakeFromFile(str(font_path()), _SIMPLIFIED_CHINESE_FACE)
    coordinate = skia.FontArguments.VariationPosition.Coordinate(
        int.from_bytes(b"wght", "big"), float(weight)
    )
    coordinates = skia.FontArguments.VariationPosition.Coordinates([coordinate])
    arguments = skia.FontArguments()
    arguments.setVariationDesignPosition(skia.FontArguments.VariationPosition(coordinates))
    return face.makeClone(arguments)


@cache
def font(weight: int, size: float) -> skia.Font:
    """Give a font for drawing: unhinted, placed by fractions of a pixel."""
    made = skia.Font(typeface(weight), size)
    made.setHinting(skia.FontHinting.kNone)
    made.setSubpixel(True)
    made.setLinearMetrics(True)
    made.setEdging(skia.Font.Edging.kAntiAlias)
    return made


@cache
def _advance(character: str, weight: int) -> float:
    """Give the width of one character in ems."""
    widths = font(weight, 1000.0).getWidths([typeface(weight).unicharToGlyph(ord(character))])
    return float(widths[0]) / 1000


def missing_characters(text: str) -> list[str]:
    """List the characters the face cannot draw, each once, in their order; unprintable ones as U+0000."""
    face = typeface(400)
    seen = dict.fromkeys(
        c for c in text if c not in " \n\u3000" and (not c.isprintable() or face.unicharToGlyph(ord(c)) == 0)
    )
    return [c if c.isprintable() else f"U+{ord(c):04X}" for c in seen]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" or character in "“”‘’…—·"


def atoms(text: str) -> list[str]:
    """Cut a text into pieces between which a line may break; joined, they are the text again.

    A run of Latin letters or digits stays whole, an opening mark stays with what follows, a closing
    mark with what precedes, a space with what precedes.
    """
    pieces: list[str] = []
    for character in text:
        before = pieces[-1] if pieces else ""
        last = before[-1:]
        joined = bool(before) and (
            character in CLOSING
            or character.isspace()
            or last in OPENING
            or (not _is_wide(last) and not _is_wide(character) and not last.isspace())
        )
        # A space that only follows an opening mark still leaves that mark unable to end a line.
        if before and before.strip() and before.strip()[-1] in OPENING:
            joined = True
        if joined:
            pieces[-1] = before + character
        else:
            pieces.append(character)
    return pieces


@dataclass(frozen=True, slots=True)
class Line:
    """One set line in ems: its characters, their left edges, its width, and the hang of a quotation mark."""

    text: str
    lefts: tuple[float, ...]
    width: float
    hang: float


@cache
def shape_line(text: str, weight: int) -> Line:
    """Place the characters of one line.

    Full-width marks give up their empty half beside another mark and at the ends of the line; a
    little air parts Chinese from Latin letters and digits.
    """
    text = text.strip()
    lefts: list[float] = []
    pen = 0.0
    hang = 0.0
    previous = ""
    for index, character in enumerate(text):
        advance = _advance(character, weight)
        wide = _is_wide(character) and advance > 0.8
        if previous:
            if previous in _HALF_CLOSING and character in (OPENING | _HALF_CLOSING) and wide:
                pen -= 0.5 * (_advance(previous, weight) > 0.8)
            elif previous in OPENING and character in OPENING and wide:
                pen -= 0.5
            elif _is_wide(previous) != _is_wide(character) and not (
                previous.isspace() or character.isspace()
            ):
                mark = previous if _is_wide(previous) else character
                if mark.isalnum():
                    pen += _SCRIPT_GAP
        elif character in OPENING and wide:
            pen = -0.5
            hang = 0.5
        lefts.append(pen)
        pen += advance
        previous = character
        if index == len(text) - 1 and character in _HALF_CLOSING and wide:
            pen -= 0.5
    return Line(text, tuple(lefts), max(0.0, pen), hang)


@dataclass(frozen=True, slots=True)
class Setting:
    """A text set in lines: sizes in the caller's units, ready to be drawn at any place."""

    lines: tuple[Line, ...]
    size: float
    weight: int
    leading: float

    @property
    def width(self) -> float:
        """Give the width of the widest line."""
        return max((line.width for line in self.lines), default=0.0) * self.size

    @property
    def height(self) -> float:
        """Give the height from the top of the first em box to the bottom of the last."""
        return (max(0, len(self.lines) - 1) * self.leading + 1) * self.size if self.lines else 0.0

    def draw(
        self,
        canvas: skia.Canvas,
        x: float,
        y: float,
        paint: skia.Paint,
        *,
        align: float = 0.0,
        width: float | None = None,
        hang: bool = False,
    ) -> None:
        """Draw with the top left of the text's box at (x, y).

        `align` 0, 0.5 or 1 places lines in `width` (by default the setting's own). With `hang`, a
        quotation mark that begins a line hangs into the left margin.
        """
        room = self.width if width is None else width
        used = font(self.weight, self.size)
        for index, line in enumerate(self.lines):
            if not line.text:
                continue
            left = x + (room - line.width * self.size) * align
            if hang and line.hang:
                left -= line.hang * self.size * 0.8
            baseline = y + (_ASCENT + index * self.leading) * self.size
            places = [left + place * self.size for place in line.lefts]
            blob = skia.TextBlob.MakeFromPosTextH(line.text, places, baseline, used)
            if blob is not None:
                canvas.drawTextBlob(blob, 0, 0, paint)


@cache
def _words_end(text: str) -> frozenset[int]:
    """Give the places in a text where a word ends."""
    ends: set[int] = set()
    place = 0
    for word in rjieba.cut(text):
        place += len(word)
        ends.add(place)
    return frozenset(ends)


def _inside_marks(text: str, place: int) -> bool:
    """Tell whether a place lies between a quotation mark and its partner."""
    head = text[:place]
    return any(head.count(left) > head.count(right) for left, right in ("“”", "《》", "（）", "「」"))


_CLAUSE_BEGUN: Final = re.compile(r"[。，；：！？][^。，；：！？、]{1,2}$")
_PARTICLES: Final = frozenset("了着过们")
_COUNT_BEGUN: Final = re.compile(r"第[一二三四五六七八九十百]+$")


def _leaves_hanging(line: str, following: str) -> bool:
    """Tell whether a line parts from what follows by ill sense.

    It ends on the first characters of a clause or before a counted word, or what follows begins with a particle.
    """
    return bool(_CLAUSE_BEGUN.search(line) or _COUNT_BEGUN.search(line)) or following[:1] in _PARTICLES


def _paragraphs(text: str) -> Iterator[str]:
    for part in text.split("\n"):
        if part.strip():
            yield part.strip()


def break_lines(text: str, width: float, weight: int = 400) -> list[str] | None:
    """Break a text into the fewest lines of at most `width` ems, balanced; None if it cannot be.

    A line feed breaks always. No line begins with a closing mark or ends with an opening one; joined
    without their outer spaces, the lines are the text.
    """
    lines: list[str] = []
    for paragraph in _paragraphs(text):
        broken = _break_paragraph(paragraph, width, weight)
        if broken is None:
            return None
        lines.extend(broken)
    return lines


@cache
def _break_paragraph(text: str, width: float, weight: int) -> tuple[str, ...] | None:
    pieces = atoms(text)
    ends: list[int] = []
    place = 0
    for piece in pieces:
        place += len(piece)
        ends.append(place)
    count = len(pieces)
    word_ends = _words_end(text)
    total = shape_line(text, weight).width

    def between(start: int, end: int) -> str:
        return text[(ends[start - 1] if start else 0) : ends[end - 1]]

    # reach[i]: the fewest lines for the first i pieces.
    fewest: list[int | None] = [0] + [None] * count
    fits: list[dict[int, float]] = [{} for _ in range(count + 1)]
    for end in range(1, count + 1):
        for start in range(end - 1, -1, -1):
            measured = shape_line(between(start, end), weight).width
            if measured > width + 1e-6:
                if measured > width + 2:
                    break
                continue
            fits[end][start] = measured
            before = fewest[start]
            if before is not None and (fewest[end] is None or before + 1 < (fewest[end] or 0)):
                fewest[end] = before + 1
    lines = fewest[count]
    if lines is None:
        return None
    ideal = total / max(1, lines)

    # Among the breakings into that many lines, the cheapest: even, between words, after marks.
    costs: list[dict[int, tuple[float, int]]] = [{} for _ in range(count + 1)]
    costs[0][0] = (0.0, 0)
    for end in range(1, count + 1):
        for start, measured in sorted(fits[end].items()):
            price = ((measured - ideal) / max(1.0, ideal)) ** 2
            last = between(start, end).rstrip()[-1:]
            if end < count:
                if last in _STRONG:
                    # A short text breaks by its sense; a long one by its measure.
                    price -= 0.4 if lines <= 3 else 0.12
                elif ends[end - 1] not in word_ends:
                    price += 0.35
                if _inside_marks(text, ends[end - 1]):
                    price += 0.3
                if _leaves_hanging(between(start, end).rstrip(), text[ends[end - 1] :]):
                    price += 0.45
            if end - start == 1 and measured < 1.6 and lines > 1:
                price += 1.0
            for used, (cost, _) in costs[start].items():
                if used + 1 > lines:
                    continue
                known = costs[end].get(used + 1)
                if known is None or cost + price < known[0] - 1e-12:
                    costs[end][used + 1] = (cost + price, start)
    broken: list[str] = []
    end, left = count, lines
    while end:
        start = costs[end][left][1]
        broken.append(between(start, end).strip())
        end, left = start, left - 1
    return tuple(reversed(broken))


def parts_words(text: str, lines: list[str]) -> bool:
    """Tell whether the lines of a text part what belongs together: a word, a quotation, a clause's first characters."""
    solid = "".join(text.split())
    ends = _words_end(solid)
    place = 0
    for line in lines[:-1]:
        place += len("".join(line.split()))
        if place not in ends or _inside_marks(solid, place) or _leaves_hanging(line, solid[place:]):
            return True
    return False


def set_text(
    text: str, width: float, size: float, *, weight: int = 400, leading: float = 1.45
) -> Setting | None:
    """Set a text at one size in as many lines as it needs; None if some run is wider than `width`."""
    broken = break_lines(text, width / size, weight)
    if broken is None:
        return None
    return Setting(tuple(shape_line(line, weight) for line in broken), size, weight, leading)


def fit_text(
    text: str,
    width: float,
    height: float,
    *,
    largest: float,
    smallest: float,
    weight: int = 400,
    leading: float = 1.45,
    most_lines: int | None = None,
    step: float = 2.0,
    by_sense: bool = False,
) -> Setting | None:
    """Set a text as large as the box allows, between two sizes; None if even the smallest is cut.

    With `by_sense`, a smaller size that parts no word and no quotation is preferred.
    """
    size = largest
    rough: Setting | None = None
    while size >= smallest - 1e-6:
        setting = set_text(text, width, size, weight=weight, leading=leading)
        if (
            setting is not None
            and setting.height <= height + 1e-6
            and (most_lines is None or len(setting.lines) <= most_lines)
        ):
            if not by_sense or not parts_words(text, [line.text for line in setting.lines]):
                return setting
            rough = rough or setting
        size -= step
    return rough
