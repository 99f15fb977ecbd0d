"""Covers for articles and quizzes: a title beside an illustration on one of the grounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.illustrations import NAME, Finder, load_illustration
from edu_platform.media.drawing.lettering import Setting, fit_text, missing_characters, set_text
from edu_platform.media.drawing.palette import GROUNDS
from edu_platform.media.drawing.problems import CannotDrawError, Problem, read_text, shown
from edu_platform.media.drawing.sheet import draw_mark

_WIDTH: Final = 1200.0
_MARGIN: Final = 72.0


def check_cover(cover: Any, title: str = "", find: Finder | None = None) -> list[Problem]:
    """List what is wrong with a cover's description `{illustration, ground}` and the title on it."""
    if not isinstance(cover, Mapping):
        return [Problem("cover", "应写明 illustration（插图）和 ground（底色）")]
    problems: list[Problem] = []
    name = read_text(cover, "illustration", problems, path="cover")
    ground = read_text(cover, "ground", problems, path="cover")
    if ground and ground not in GROUNDS:
        problems.append(Problem("cover.ground", f"没有“{shown(ground)}”这种底色，可用：{'、'.join(GROUNDS)}"))
    if name and not NAME.fullmatch(name):
        problems.append(Problem("cover.illustration", "插图名只能用小写字母、数字和连字符"))
    elif name and find is not None:
        problems.extend(Problem("cover.illustration", found.reason) for found in find(name))
    missing = missing_characters(title)
    if missing:
        problems.append(Problem("title", f"字体里没有这些字：{''.join(missing)}"))
    elif title and _set_title(title, 675.0) is None:
        problems.append(Problem("title", "标题过长，封面上放不下"))
    return problems


def _set_title(title: str, height: float) -> Setting | None:
    return fit_text(
        title,
        _WIDTH * 0.425,
        height - 2 * _MARGIN - 96,
        largest=92,
        smallest=44,
        weight=900,
        leading=1.22,
        most_lines=4,
        step=4,
        by_sense=True,
    )


def draw_cover(
    cover: Mapping[str, str],
    title: str,
    *,
    illustrations: Path,
    size: tuple[int, int] = (1200, 675),
    programme: str = "消保守护",
) -> bytes:
    """Draw a cover as PNG; the same arguments give the same bytes.

    Raises CannotDrawError if the description is wrong, the illustration is missing or the title
    does not fit.
    """
    problems = check_cover(cover, title)
    if problems:
        raise CannotDrawError(problems)
    ground = GROUNDS[cover["ground"]]
    picture = load_illustration(illustrations, cover["illustration"])
    scale = size[0] / _WIDTH
    height = size[1] / scale
    setting = _set_title(title, height)
    if setting is None:
        raise CannotDrawError([Problem("title", "标题过长，封面上放不下")])
    surface = skia.Surface(*size)
    canvas = surface.getCanvas()
    canvas.clear(ground.base)
    canvas.scale(scale, scale)
    across = min(height * 0.84, _WIDTH * 0.43)
    x, y = _WIDTH - _MARGIN * 0.9 - across / 2, height / 2
    canvas.drawCircle(x + across * 0.16, y + across * 0.1, across * 0.74, palette.fill(ground.shade))
    ring = palette.stroke(palette.fade(ground.glow, 0.25), 5)
    canvas.drawCircle(x, y, across * 0.56, ring)
    canvas.drawCircle(x, y, across / 2, palette.fill(ground.glow))
    side = across * 0.74
    picture.draw(canvas, x - side / 2, y - side / 2, side)
    mark = 44.0
    canvas.drawRoundRect(
        skia.Rect.MakeXYWH(_MARGIN, (height - setting.height) / 2 - 66, 84, 12),
        6,
        6,
        palette.fill(ground.accent),
    )
    setting.draw(canvas, _MARGIN, (height - setting.height) / 2 - 24, palette.fill(ground.text), hang=True)
    draw_mark(canvas, _MARGIN, height - _MARGIN - mark + 12, mark, (ground.accent, ground.base))
    name = set_text(programme, _WIDTH * 0.4, 30, weight=700)
    if name is not None:
        name.draw(canvas, _MARGIN + mark + 14, height - _MARGIN - mark / 2 - 3, palette.fill(ground.text))
    return bytes(surface.makeImageSnapshot().encodeToData())
