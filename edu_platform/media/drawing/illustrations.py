"""Illustrations: SVG files of our own, drawn whole or part by part.

An illustration is a square of 600 units. The children of its root that carry an `id` are its parts,
which a film can move. It holds shapes only: no text (set as letters, it would not look alike
everywhere), no pictures, no scripts, and nothing that refers outside the file.
"""

from __future__ import annotations

import copy
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import skia

from edu_platform.media.drawing.problems import CannotDrawError, Problem

SIDE: Final = 600.0
NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SVG: Final = "http://www.w3.org/2000/svg"
_SHAPES: Final = frozenset(
    [
        "svg",
        "g",
        "defs",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "linearGradient",
        "radialGradient",
        "stop",
        "clipPath",
        "use",
        "title",
        "desc",
    ]
)
_LARGEST: Final = 200_000
_GRID: Final = 240
_RIM: Final = 60.0
"""Points a side on which it is measured what is drawn on, and how far beyond the square: a line may end outside it."""
_MOST_GROWTH: Final = 1.15
_REACH: Final = 0.625
"""How far from the middle of a square, in its sides, a centred drawing's corners may come by growing: circles hold it."""

Finder = Callable[[str], list[Problem]]
"""Checks an illustration by name and lists what is wrong with it."""

PartsOf = Callable[[str], list[str]]
"""Names the parts of an illustration that can be moved."""


@dataclass(frozen=True, slots=True)
class Illustration:
    """A drawing as a list of parts, bottom to top; a part without an id has an empty name."""

    name: str
    parts: tuple[tuple[str, skia.Picture], ...]
    inked: skia.Rect
    """What of the square is drawn on."""

    def draw_centred(self, canvas: skia.Canvas, x: float, y: float, side: float) -> None:
        """Draw the whole with its ink in the middle of a square, a little larger where that has room."""
        reach = math.hypot(self.inked.width(), self.inked.height()) / 2 / SIDE
        grown = max(1.0, min(_MOST_GROWTH, _REACH / reach))
        scale = side / SIDE * grown
        left = x + side / 2 - self.inked.centerX() * scale
        self.draw(canvas, left, y + side / 2 - self.inked.centerY() * scale, side * grown)

    def draw(self, canvas: skia.Canvas, x: float, y: float, side: float) -> None:
        """Draw the whole with its top left at (x, y)."""
        canvas.save()
        canvas.translate(x, y)
        canvas.scale(side / SIDE, side / SIDE)
        for _, picture in self.parts:
            canvas.drawPicture(picture)
        canvas.restore()

    def part_names(self) -> list[str]:
        """List the parts that can be moved."""
        return [name for name, _ in self.parts if name]


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def check_svg(source: bytes) -> list[Problem]:
    """List what makes a file unfit to be an illustration: not SVG, not square, not only shapes, not alone."""
    if len(source) > _LARGEST:
        return [Problem("", "插图文件过大，不应超过 200 KB")]
    if b"<!DOCTYPE" in source or b"<!ENTITY" in source:
        return [Problem("", "插图不得含有文档类型或实体声明")]
    try:
        root = ET.fromstring(source)  # noqa: S314 - entities are refused by check_svg
    except ET.ParseError as error:
        line, column = error.position
        return [Problem(f"{line}:{column}", "不是有效的 SVG：XML 无法解析")]
    if root.tag != f"{{{_SVG}}}svg":
        return [Problem("", "不是 SVG 文件")]
    problems: list[Problem] = []
    box = (root.get("viewBox") or "").replace(",", " ").split()
    if box != ["0", "0", "600", "600"]:
        problems.append(Problem("svg", "viewBox 应为 0 0 600 600"))
    for element in root.iter():
        tag = _local(element.tag)
        if tag not in _SHAPES:
            problems.append(Problem(tag, f"插图里不能有 <{tag}>，只用图形"))
        for key, value in element.attrib.items():
            name = _local(key)
            if name.startswith("on"):
                problems.append(Problem(tag, f"插图里不能有脚本属性 {name}"))
            refers = name == "href" and not value.startswith("#")
            if refers or re.search(r"url\(\s*['\"]?(?!#)", value) or "@import" in value:
                problems.append(Problem(tag, "插图不得引用文件以外的内容"))
    if not problems and _parse(source) is None:
        problems.append(Problem("", "插图无法绘制"))
    return problems


def _parse(source: bytes) -> skia.SVGDOM | None:
    return skia.SVGDOM.MakeFromStream(skia.MemoryStream(source))


def _record(source: bytes) -> skia.Picture:
    drawing = _parse(source)
    if drawing is None:
        raise CannotDrawError([Problem("", "插图无法绘制")])
    drawing.setContainerSize(skia.Size(SIDE, SIDE))
    recorder = skia.PictureRecorder()
    drawing.render(recorder.beginRecording(skia.Rect.MakeWH(SIDE, SIDE)))
    return recorder.finishRecordingAsPicture()


def _cut(source: bytes) -> tuple[tuple[str, skia.Picture], ...]:
    """Record each part by itself, with the definitions all may refer to."""
    ET.register_namespace("", _SVG)
    root = ET.fromstring(source)  # noqa: S314 - entities are refused by check_svg
    definitions = [child for child in root if _local(child.tag) == "defs"]
    parts: list[tuple[str, skia.Picture]] = []
    for child in root:
        if _local(child.tag) in {"defs", "title", "desc"}:
            continue
        alone = ET.Element(root.tag, root.attrib)
        alone.extend(copy.deepcopy(definitions))
        alone.append(child)
        parts.append((child.get("id", ""), _record(ET.tostring(alone))))
    return tuple(parts)


def _inked(parts: tuple[tuple[str, skia.Picture], ...]) -> skia.Rect:
    """Measure what of the square, and of a rim around it, is drawn on; the square if nothing is."""
    whole = SIDE + 2 * _RIM
    surface = skia.Surface(_GRID, _GRID)
    canvas = surface.getCanvas()
    canvas.scale(_GRID / whole, _GRID / whole)
    canvas.translate(_RIM, _RIM)
    for _, picture in parts:
        canvas.drawPicture(picture)
    seen = surface.makeImageSnapshot().toarray()[:, :, 3] > 0
    across, down = seen.any(axis=0).nonzero()[0], seen.any(axis=1).nonzero()[0]
    if not len(across):
        return skia.Rect.MakeWH(SIDE, SIDE)
    edges = [
        float(edge) * whole / _GRID - _RIM for edge in (across[0], down[0], across[-1] + 1, down[-1] + 1)
    ]
    return skia.Rect.MakeLTRB(*edges)


@lru_cache(maxsize=256)
def _load(name: str, source: bytes) -> Illustration:
    problems = check_svg(source)
    if problems:
        raise CannotDrawError([Problem(name, problem.reason) for problem in problems])
    parts = _cut(source)
    return Illustration(name, parts, _inked(parts))


def load_illustration(folder: Path, name: str) -> Illustration:
    """Load `<name>.svg` from a folder; raise CannotDrawError if it is missing or unfit."""
    if not NAME.fullmatch(name):
        raise CannotDrawError([Problem(name, "插图名只能用小写字母、数字和连字符")])
    try:
        source = (folder / f"{name}.svg").read_bytes()
    except OSError as error:
        raise CannotDrawError([Problem(name, f"没有名为 {name} 的插图")]) from error
    return _load(name, source)


def finder(folder: Path) -> Finder:
    """Make a check of illustrations by name for the parsers of posters and films."""

    def find(name: str) -> list[Problem]:
        try:
            load_illustration(folder, name)
        except CannotDrawError as error:
            return error.problems
        return []

    return find


def part_finder(folder: Path) -> PartsOf:
    """Make a look-up of an illustration's parts for the parser of films; an unfit one has none."""

    def parts(name: str) -> list[str]:
        try:
            return load_illustration(folder, name).part_names()
        except CannotDrawError:
            return []

    return parts
