"""Posters: copy in, a picture out, for the phone and for paper, in normal and elder print."""

from __future__ import annotations

import datetime as dt
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.illustrations import NAME, Finder, Illustration, load_illustration
from edu_platform.media.drawing.lettering import missing_characters
from edu_platform.media.drawing.poster_parts import RIGHTS, Job
from edu_platform.media.drawing.poster_templates import TEMPLATES
from edu_platform.media.drawing.problems import LONGEST_TEXT, CannotDrawError, Problem, read_text, shown
from edu_platform.media.drawing.sheet import WIDTH, Placed, Sheet

LONGEST_CLAIM: Final = 12
MOST_POINTS: Final = 3
LEAST_STEPS: Final = 3
MOST_STEPS: Final = 6
A3_WIDTH_MM: Final = 297
A3_HEIGHT_MM: Final = 420
BLEED_MM: Final = 3
DOTS_PER_INCH: Final = 300
SAFE_MM: Final = 10
"""Nothing vital lies nearer to the trimmed edge."""


PHONE_SCALE: Final = 1.05
A3_SCALE: Final = 0.66
"""Print on paper is smaller against the sheet, being 30 cm wide: a point is 10 mm high."""
LARGE_PRINT: Final = 1.1
"""On a phone; on paper the elder edition of every template is as large as the sheet allows."""
PHONE_HEIGHTS: Final = (1920.0, 2040.0, 2160.0, 2280.0, 2400.0)


class PosterSize(StrEnum):
    """What a poster is drawn for: a phone's screen (1080 wide) or a printer (A3 with bleed)."""

    PHONE = "phone"
    A3 = "a3"


@dataclass(frozen=True, slots=True)
class House:
    """Who speaks: what stands at a poster's foot and at a film's end. `date` is the day of issue."""

    issuer: str
    programme: str
    hotline: str
    review_no: str | None = None
    date: dt.date | None = None


SAMPLE_HOUSE: Final = House(
    issuer="某某人寿保险股份有限公司某某市分公司",
    programme="消保守护",
    hotline="95519",
    review_no="XB-2026-0315-001",
    date=dt.date(2026, 12, 28),
)
"""A house with a long name, against which copy is checked before the real one is known."""


@dataclass(frozen=True, slots=True)
class PosterCopy:
    """The words of a poster and which template and illustration carry them."""

    template: str
    title: str
    claim: str
    points: tuple[str, ...]
    elder_points: tuple[str, ...]
    call: str
    elder_call: str
    illustration: str
    alt: str
    audiences: tuple[str, ...]
    rights: tuple[str, ...]

    @property
    def ground(self) -> str:
        """Give the ground of the one audience it is for, green for several."""
        if len(self.audiences) == 1:
            return palette.AUDIENCE_GROUND[self.audiences[0]]
        return "green"


def parse_poster(
    data: Mapping[str, Any], find: Finder | None = None, *, house: House = SAMPLE_HOUSE
) -> tuple[PosterCopy | None, list[Problem]]:
    """Read a poster's copy; give it, or None with everything that is wrong with it.

    `find` checks illustrations by name (`illustrations.finder(folder)`); without it names go
    unchecked. The copy is laid out in both sizes and both editions: text that does not fit is a
    problem here, never a surprise at drawing.
    """
    problems: list[Problem] = []
    template = read_text(data, "template", problems)
    if template and template not in TEMPLATES:
        problems.append(Problem("template", f"没有“{shown(template)}”这种模板，可用：{'、'.join(TEMPLATES)}"))
    claim = read_text(data, "claim", problems)
    if len(claim) > LONGEST_CLAIM:
        problems.append(Problem("claim", f"主张不超过 {LONGEST_CLAIM} 个字，现在是 {len(claim)} 个"))
    points = _read_points(data, "points", problems)
    least, most = (LEAST_STEPS, MOST_STEPS) if template == "steps" else (1, MOST_POINTS)
    if points and not least <= len(points) <= most:
        problems.append(Problem("points", f"应有 {least} 到 {most} 条，现在是 {len(points)} 条"))
    elder_points = _read_points(data, "elder_points", problems) if data.get("elder_points") else []
    if elder_points and points and len(elder_points) > len(points):
        problems.append(Problem("elder_points", "适老版的要点不应多于普通版"))
    call = read_text(data, "call", problems)
    elder_call = read_text(data, "elder_call", problems) if data.get("elder_call") else ""
    illustration = read_text(data, "illustration", problems)
    if illustration and not NAME.fullmatch(illustration):
        problems.append(Problem("illustration", "插图名只能用小写字母、数字和连字符"))
    elif illustration and find is not None:
        problems.extend(Problem("illustration", found.reason) for found in find(illustration))
    alt = read_text(data, "alt", problems)
    title = read_text(data, "title", problems)
    audiences = _read_names(data, "audiences", set(palette.AUDIENCE_GROUND), problems)
    rights = _read_names(data, "rights", set(RIGHTS), problems)
    texts = {"claim": claim, "call": call, "elder_call": elder_call, "title": title}
    texts |= {f"points[{index}]": text for index, text in enumerate(points)}
    texts |= {f"elder_points[{index}]": text for index, text in enumerate(elder_points)}
    checked = [_check_letters(path, text, problems) for path, text in texts.items()]
    drawable = all(checked)
    copy = PosterCopy(
        template, title, claim, tuple(points), tuple(elder_points), call, elder_call, illustration, alt,
        tuple(audiences), tuple(rights),
    )  # fmt: skip
    if drawable and template in TEMPLATES and claim and points and call and audiences and rights:
        laid: dict[Problem, None] = {}
        for size in PosterSize:
            for elder in (False, True):
                _, found = lay_out(copy, size=size, elder=elder, house=house)
                laid |= dict.fromkeys(found)
        problems.extend(laid)
    return (None if problems else copy), problems


def _read_points(data: Mapping[str, Any], key: str, problems: list[Problem]) -> list[str]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        problems.append(Problem(key, "应为一组短句" if key in data else "缺少这一项"))
        return []
    points: list[str] = []
    for index, item in enumerate(value):
        if isinstance(item, str) and len(item) > LONGEST_TEXT:
            problems.append(Problem(f"{key}[{index}]", f"过长，不超过 {LONGEST_TEXT} 个字"))
        elif isinstance(item, str) and item.strip():
            points.append(item.strip())
        else:
            problems.append(Problem(f"{key}[{index}]", "应为一段文字"))
    return points


def _read_names(data: Mapping[str, Any], key: str, known: set[str], problems: list[Problem]) -> list[str]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        problems.append(Problem(key, "至少要有一项"))
        return []
    names: list[str] = []
    for index, item in enumerate(value):
        if isinstance(item, str) and item in known:
            names.append(item)
        else:
            problems.append(
                Problem(f"{key}[{index}]", f"不认识“{shown(item)}”，可用：{'、'.join(sorted(known))}")
            )
    return names


def _check_letters(path: str, text: str, problems: list[Problem]) -> bool:
    """Note letters the font lacks and unknown placeholders; tell whether the text can be set."""
    missing = missing_characters(text)
    if missing:
        problems.append(Problem(path, f"字体里没有这些字：{''.join(missing)}"))
    unknown = set(re.findall(r"\{([^{}]*)\}", text)) - {"hotline"}
    problems.extend(Problem(path, f"不认识 {{{name}}}，只能用 {{hotline}}") for name in sorted(unknown))
    return not missing


def lay_out(
    copy: PosterCopy,
    *,
    size: PosterSize,
    elder: bool,
    house: House,
    illustration: Illustration | None = None,
    code: bytes | str | None = None,
) -> tuple[Sheet, list[Problem]]:
    """Lay a poster out on a sheet and list what does not fit."""
    tall = size is PosterSize.PHONE
    unit = WIDTH / A3_WIDTH_MM
    points = copy.elder_points if elder and copy.elder_points else copy.points
    scale = PHONE_SCALE if tall else A3_SCALE
    # Large print on a phone may run to the length of today's longer screens rather than be cut.
    heights = PHONE_HEIGHTS if tall and elder else PHONE_HEIGHTS[:1] if tall else (A3_HEIGHT_MM * unit,)
    for height in heights:
        job = Job(
            template=copy.template,
            claim=_fill(copy.claim, house),
            points=[_fill(point, house) for point in points],
            points_path="elder_points" if elder and copy.elder_points else "points",
            call=_fill(copy.elder_call if elder and copy.elder_call else copy.call, house),
            call_path="elder_call" if elder and copy.elder_call else "call",
            rights=list(copy.rights),
            ground=copy.ground,
            issuer=house.issuer,
            programme=house.programme,
            hotline=house.hotline,
            review_no=house.review_no or "待审",
            date=f"{house.date.year}年{house.date.month}月{house.date.day}日" if house.date else "",
            elder=elder,
            tall=tall,
            height=height,
            bleed=0.0 if tall else BLEED_MM * unit,
            scale=scale * (LARGE_PRINT if tall and copy.template == "large_print" else 1.0),
            illustration=illustration,
            code=code,
        )
        sheet = TEMPLATES[copy.template](job)
        if not job.problems:
            break
    return sheet, job.problems


def _fill(text: str, house: House) -> str:
    return text.replace("{hotline}", house.hotline)


def draw_poster(
    copy: PosterCopy,
    *,
    size: PosterSize,
    elder: bool,
    house: House,
    illustrations: Path,
    code: bytes | str | None = None,
) -> bytes:
    """Draw a poster as PNG: 1080 pixels wide for phones, A3 at 300 dpi with 3 mm bleed for print.

    `code` is a picture of a code as WeChat gives it (bytes) or the text of an ordinary QR code;
    without it the code's place stays free. The same arguments give the same bytes. Raises
    CannotDrawError if the illustration is missing or a text does not fit.
    """
    scale = 1.0 if size is PosterSize.PHONE else A3_WIDTH_MM / 25.4 * DOTS_PER_INCH / WIDTH
    surface = _draw(copy, size, scale, elder=elder, house=house, illustrations=illustrations, code=code)
    picture = bytes(surface.makeImageSnapshot().encodeToData())
    return picture if size is PosterSize.PHONE else _with_resolution(picture, DOTS_PER_INCH)


def proof_poster(
    copy: PosterCopy,
    *,
    size: PosterSize,
    elder: bool,
    house: House,
    illustrations: Path,
    width: int = 720,
) -> tuple[bytes, int, int]:
    """Draw a poster for a contact sheet: WebP, `width` pixels wide without bleed; give it with its size.

    Raises CannotDrawError as `draw_poster` does.
    """
    surface = _draw(
        copy, size, width / WIDTH, elder=elder, house=house, illustrations=illustrations, code=None
    )
    picture = surface.makeImageSnapshot()
    data = bytes(picture.encodeToData(skia.EncodedImageFormat.kWEBP, 82))
    return data, picture.width(), picture.height()


def _draw(
    copy: PosterCopy,
    size: PosterSize,
    scale: float,
    *,
    elder: bool,
    house: House,
    illustrations: Path,
    code: bytes | str | None,
) -> skia.Surface:
    sheet, problems = lay_out(
        copy,
        size=size,
        elder=elder,
        house=house,
        illustration=load_illustration(illustrations, copy.illustration),
        code=code,
    )
    if problems:
        raise CannotDrawError(problems)
    width = round((WIDTH + 2 * sheet.bleed) * scale)
    height = round((sheet.height + 2 * sheet.bleed) * scale)
    surface = skia.Surface(width, height)
    canvas = surface.getCanvas()
    canvas.clear(palette.PAPER)
    canvas.scale(scale, scale)
    canvas.translate(sheet.bleed, sheet.bleed)
    sheet.draw(canvas)
    return surface


def code_place(
    copy: PosterCopy, *, size: PosterSize, elder: bool, house: House
) -> tuple[float, float, float]:
    """Give left, top and side of the code's place, as shares of the picture's width."""
    sheet, _ = lay_out(copy, size=size, elder=elder, house=house)
    place = next(placed for placed in sheet.placed if placed.role == "code")
    whole = WIDTH + 2 * sheet.bleed
    return (place.x + sheet.bleed) / whole, (place.y + sheet.bleed) / whole, place.width / whole


def _with_resolution(png: bytes, dots_per_inch: int) -> bytes:
    """Write the resolution into a PNG (a pHYs chunk after IHDR), so that it prints at its size."""
    per_metre = round(dots_per_inch / 0.0254)
    body = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
    head = 8 + 25
    return png[:head] + chunk + png[head:]


def texts_of(sheet: Sheet) -> list[Placed]:
    """List the placed texts of a sheet."""
    return [placed for placed in sheet.placed if placed.size]
