"""The five poster templates: how copy is laid out on a sheet. One family, told apart at a glance.

Each template is a function from a job to a finished sheet. What does not fit is noted in the job's
problems under the path of the copy that is too long; nothing is ever cut. The picture takes the room
that is left, between a least and a most share of the sheet, and the gaps take the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import segno
import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.illustrations import Illustration
from edu_platform.media.drawing.lettering import Setting, fit_text, set_text
from edu_platform.media.drawing.palette import GROUNDS, INK, PAPER, Ground
from edu_platform.media.drawing.problems import Problem
from edu_platform.media.drawing.sheet import MARGIN, UNIT, WIDTH, Sheet, draw_mark, draw_receiver

INNER: Final = WIDTH - 2 * MARGIN
CLAIM: Final = 132.0
POINT: Final = 46.0
LABEL: Final = 32.0
FOOT: Final = 26.0
ELDER: Final = 1.5
"""How much larger every text of the elder version is set than the same text of the normal one."""

WAVE: Final = 44.0

LABELS: Final = {
    "warning": "风险提示",
    "right": "权利图解",
    "campaign": "公益宣传",
    "steps": "分步图解",
    "large_print": "大字提示",
}

RIGHTS: Final = {
    "property_safety": ("财产安全权", "您的钱和财产，受法律保护"),
    "right_to_know": ("知情权", "重要的事，有权先知道"),
    "free_choice": ("自主选择权", "买不买、买哪种，自己定"),
    "fair_dealing": ("公平交易权", "条件要公平，不许强加"),
    "lawful_redress": ("依法求偿权", "受了损失，可以依法索赔"),
    "education": ("受教育权", "学懂金融，人人有份"),
    "respect": ("受尊重权", "不论是谁，都该被尊重"),
    "information_security": ("信息安全权", "个人信息，不许乱收乱用"),
}
"""The eight rights by name (国办发〔2015〕81号) with a plain gloss of ours."""


@dataclass(slots=True)
class Job:
    """One poster to lay out. Texts have their placeholders filled; `scale` sets all print."""

    template: str
    claim: str
    points: list[str]
    points_path: str
    call: str
    rights: list[str]
    ground: str
    issuer: str
    programme: str
    hotline: str
    review_no: str
    date: str
    elder: bool
    tall: bool
    height: float
    bleed: float
    scale: float
    illustration: Illustration | None
    code: bytes | str | None
    problems: list[Problem] = field(default_factory=list)

    def size(self, base: float) -> float:
        """Give the size of print for a base size of the normal phone poster."""
        return base * self.scale * (ELDER if self.elder else 1.0)

    def refuse(self, path: str, reason: str) -> None:
        """Note that a text does not fit."""
        edition = "适老版" if self.elder else "普通版"
        paper = "手机版" if self.tall else "A3 版"
        self.problems.append(Problem(path, f"{reason}（{paper}{edition}）"))

    def surface(self, colours: Ground) -> int:
        """Give the ground that this edition's print may stand on: 7 : 1 for elders."""
        if self.elder and palette.contrast(colours.text, colours.base) < palette.ELDER_CONTRAST:
            return colours.shade
        return colours.base

    def set(
        self, path: str, text: str, width: float, size: float, *, weight: int, leading: float = 1.4
    ) -> Setting:
        """Set a text at a size; one that cannot be broken into the width is a problem."""
        setting = set_text(text, width, size, weight=weight, leading=leading)
        if setting is None:
            self.refuse(path, "文字放不进一行，请改短或断开")
            setting = fit_text(
                text, width, 1e9, largest=size, smallest=4, weight=weight, leading=leading, step=1
            )
        return setting or Setting((), size, weight, leading)

    def point(self, index: int, width: float, *, weight: int = 700, most: int = 3) -> Setting:
        """Set one point; more than `most` lines is no longer a short point."""
        path = f"{self.points_path}[{index}]"
        setting = self.set(path, self.points[index], width, self.size(POINT), weight=weight, leading=1.32)
        if len(setting.lines) > most:
            self.refuse(path, f"文字过长，排成了 {len(setting.lines)} 行，最多 {most} 行")
        return setting

    def claims(self, width: float, *, bold: float = 1.0, lines: int = 2) -> list[Setting]:
        """Set the claim from the largest size to the smallest that is allowed.

        The elder version is 1.5 to 1.8 times the largest size of the normal one, in as many lines.
        """
        top = CLAIM * self.scale * bold
        sense = re.sub(r"([，。！？；：])(?=.)", r"\1\n", self.claim)
        normal, text = 0.0, sense
        for text, most in ((sense, lines), (self.claim, lines), (self.claim, lines + 1)):
            # The largest size in so many lines bounds both editions: the elder one needs 1.5 times ours.
            roomy = fit_text(
                text, width, 1e9, largest=top * 1.8, smallest=top * 0.8, weight=900, most_lines=most
            )
            normal = min(top, roomy.size / ELDER) if roomy else 0.0
            if normal >= top * 0.72:
                break
        if not normal:
            self.refuse("claim", "主张放不下，请改短")
            return [self.set("claim", self.claim, width, top * 0.4, weight=900)]
        largest, smallest = (normal * 1.8, normal * ELDER) if self.elder else (normal, normal * 0.85)
        settings: list[Setting] = []
        for notch in range(9):
            size = largest - (largest - smallest) * notch / 8
            whole = set_text(self.claim, width, size, weight=900, leading=1.16)
            parted = set_text(text, width, size, weight=900, leading=1.16)
            if whole is not None and len(whole.lines) == 1:
                settings.append(whole)
            elif parted is not None and len(parted.lines) <= lines + 1:
                settings.append(parted)
        if not settings:
            self.refuse("claim", "主张放不下，请改短")
            return [self.set("claim", self.claim, width, smallest * 0.6, weight=900)]
        # Fewer lines first: a claim in two lines reads faster than a slightly larger one in three.
        fewest = min(len(setting.lines) for setting in settings)
        return [setting for setting in settings if len(setting.lines) == fewest]


@dataclass(frozen=True, slots=True)
class Shares:
    """How the room of a sheet is shared: the picture's height, the gaps, the air added to each row."""

    picture: float
    gap: float
    air: float


def share_room(
    job: Job, room: float, fixed: float, gaps: int, *, least: float, most: float, rows: int, air: float
) -> Shares:
    """Share what texts leave: first to the picture, then to the rows (up to `air` each) and the gaps.

    `rows` is how many places can take air. A picture below its least is a problem of the points.
    """
    gap = least_gap(job)
    picture = room - fixed - gaps * gap
    if picture < least:
        job.refuse(job.points_path, f"文字太多，图画放不下（多出约 {math.ceil(least - picture)} 格），请精简")
        return Shares(max(24.0, picture), gap, 0.0)
    given = 0.0
    if picture > most:
        spare = picture - most
        given = min(air, spare * 0.5 / max(1, rows))
        gap += (spare - given * rows) / gaps
        picture = most
    return Shares(picture, gap, given)


def least_gap(job: Job) -> float:
    """Give the smallest gap between the blocks of a sheet."""
    return UNIT * (1.5 if job.tall else 1.0 if job.elder else 1.25)


def least_picture(job: Job) -> float:
    """Give the smallest a picture may be and still carry the message."""
    return job.height * (0.15 if job.tall else 0.125)


def pick_claim(settings: list[Setting], room: float, fixed: float, wish: float) -> Setting:
    """Choose the largest claim that leaves the picture its wish, else the smallest."""
    for setting in settings:
        if room - fixed - setting.height >= wish:
            return setting
    return min(settings, key=lambda setting: setting.height)


# The parts all templates share: header, call, foot.


def header(sheet: Sheet, job: Job, y: float, *, ink: int, ground: int, mark: tuple[int, int]) -> float:
    """Place the programme's name and the poster's kind; give the lower edge."""
    size = job.size(LABEL)
    name = job.set("programme", job.programme, INNER * 0.6, size, weight=800)
    kind = job.set("template", LABELS[job.template], INNER * 0.5, size * 0.92, weight=700)
    side = size * 1.5
    sheet.add(lambda canvas: draw_mark(canvas, MARGIN, y, side, mark[0], mark[1]))
    sheet.text("programme", name, MARGIN + side + size * 0.3, y + (side - size) / 2, ink=ink, ground=ground)
    pad = size * 0.55
    box = skia.Rect.MakeXYWH(
        WIDTH - MARGIN - kind.width - 2 * pad, y, kind.width + 2 * pad, max(side, kind.height + pad)
    )
    sheet.add(
        lambda canvas: canvas.drawRoundRect(
            box, box.height() / 2, box.height() / 2, palette.stroke(ink, max(2.5, size * 0.08))
        )
    )
    sheet.text(
        "kind", kind, box.left() + pad, y + (box.height() - kind.height) / 2, ink=ink, ground=ground
    )
    return y + side


@dataclass(frozen=True, slots=True)
class CallBar:
    """Whom to call, measured: it is placed once the room for it is known."""

    setting: Setting
    height: float


def measure_call(job: Job) -> CallBar:
    """Set the call for a bar of the full width."""
    size = job.size(POINT)
    pad = size * 0.5
    setting = job.set("call", job.call, INNER - 2 * pad - size * 1.7, size, weight=800, leading=1.25)
    if len(setting.lines) > 3:
        job.refuse("call", "“找谁”一句过长，最多三行")
    return CallBar(setting, setting.height + 2 * pad)


def place_call(sheet: Sheet, job: Job, bar: CallBar, y: float, *, body: int, ink: int, disc: int) -> None:
    """Draw the bar with a receiver at its head."""
    size = bar.setting.size
    box = skia.Rect.MakeXYWH(MARGIN, y, INNER, bar.height)
    sheet.rect(box, body, min(bar.height / 2, size))
    across = size * 1.45
    left = MARGIN + size * 0.45
    middle = y + bar.height / 2
    content = across + size * 0.45 + bar.setting.width
    left = max(left, MARGIN + (INNER - content) / 2)
    sheet.circle(left + across / 2, middle, across / 2, ink)
    sheet.add(
        lambda canvas: draw_receiver(
            canvas, left + across * 0.2, middle - across * 0.3, across * 0.6, disc
        )
    )
    sheet.text(
        "call",
        bar.setting,
        left + across + size * 0.45,
        middle - bar.setting.height / 2,
        ink=ink,
        ground=body,
    )


def code_side(job: Job) -> float:
    """Give the side of the place for the code, its quiet zone included: over 14 % of the width."""
    return 190.0 if job.tall else 160.0


def foot(sheet: Sheet, job: Job) -> float:
    """Place issuer, review number, date, hotline and the code; give the foot's upper edge."""
    size = job.size(FOOT)
    side = code_side(job)
    room = INNER - side - UNIT * 1.5
    details = [f"消保审查编号：{job.review_no}"]
    if job.date:
        details.append(f"发布日期：{job.date}")
    lines = [
        job.set("issuer", job.issuer, room, size * 1.08, weight=700, leading=1.3),
        *[job.set("review_no", text, room, size, weight=500, leading=1.3) for text in details],
        job.set("hotline", f"客服热线：{job.hotline}", room, size, weight=700, leading=1.3),
    ]
    gap = size * 0.36
    text_height = sum(line.height for line in lines) + gap * (len(lines) - 1)
    pad = UNIT * 1.5 if job.tall else UNIT * 1.25
    tail = UNIT if job.tall else UNIT * 0.75
    height = max(side, text_height) + 2 * pad + tail
    top = job.height - height
    sheet.rect(sheet.band(top, job.height), PAPER)
    middle = top + pad + max(side, text_height) / 2
    y = middle - text_height / 2
    for role, line in zip(
        ["issuer", *["detail"] * len(details), "hotline"], lines, strict=True
    ):
        sheet.text(role, line, MARGIN, y, ink=INK if role != "detail" else palette.GREY, ground=PAPER)
        y += line.height + gap
    place_code(sheet, job, WIDTH - MARGIN - side, middle - side / 2, side)
    return top


def place_code(sheet: Sheet, job: Job, x: float, y: float, side: float) -> None:
    """Draw the code, or keep its place free with the mark standing in it."""
    sheet.keep("code", x, y, side, side)
    box = skia.Rect.MakeXYWH(x, y, side, side)
    sheet.rect(box, palette.WHITE, 12)
    if isinstance(job.code, bytes):
        image = skia.Image.MakeFromEncoded(skia.Data.MakeWithCopy(job.code))
        if image is None:
            job.problems.append(Problem("code", "二维码图片无法读取"))
            return
        inset = box.makeInset(side * 0.04, side * 0.04)
        sheet.add(
            lambda canvas: canvas.drawImageRect(
                image, inset, skia.SamplingOptions(skia.CubicResampler.Mitchell())
            )
        )
    elif job.code:
        path = qr_path(job.code, x, y, side)
        sheet.add(lambda canvas: canvas.drawPath(path, skia.Paint(AntiAlias=False, Color=0xFF000000)))
    else:
        outline = palette.stroke(palette.SAND_DEEP, 3)
        sheet.add(lambda canvas: canvas.drawRoundRect(box.makeInset(1.5, 1.5), 12, 12, outline))
        mark = side * 0.46
        sheet.add(
            lambda canvas: draw_mark(
                canvas, x + (side - mark) / 2, y + (side - mark) / 2, mark, palette.SAND_DEEP, palette.WHITE
            )
        )


def qr_path(payload: str, x: float, y: float, side: float) -> skia.Path:
    """Make an ordinary QR code with a quiet zone of four modules, as one path."""
    rows = [list(row) for row in segno.make_qr(payload, error="m").matrix_iter(border=4)]
    module = side / len(rows)
    path = skia.Path()
    for line, row in enumerate(rows):
        for column, dark in enumerate(row):
            if dark:
                path.addRect(
                    skia.Rect.MakeXYWH(x + column * module, y + line * module, module, module)
                )
    return path


def place_picture(sheet: Sheet, job: Job, x: float, y: float, side: float) -> None:
    """Place the illustration in a square."""
    sheet.keep("picture", x, y, side, side)
    picture = job.illustration
    if picture is not None:
        sheet.add(lambda canvas: picture.draw(canvas, x, y, side))


def measure_points(job: Job, width: float, *, most: int = 3) -> list[Setting]:
    """Set all points for one width."""
    return [job.point(index, width, most=most) for index in range(len(job.points))]


# Small signs.


def triangle(canvas: skia.Canvas, x: float, y: float, size: float, body: int, sign: int) -> None:
    """Draw a warning triangle in a square of `size`."""
    path = skia.Path()
    path.moveTo(x + size / 2, y + size * 0.1)
    path.lineTo(x + size * 0.94, y + size * 0.86)
    path.lineTo(x + size * 0.06, y + size * 0.86)
    path.close()
    canvas.drawPath(path, palette.fill(body))
    canvas.drawPath(path, palette.stroke(body, size * 0.14))
    canvas.drawLine(
        x + size / 2, y + size * 0.38, x + size / 2, y + size * 0.58, palette.stroke(sign, size * 0.11)
    )
    canvas.drawCircle(x + size / 2, y + size * 0.76, size * 0.065, palette.fill(sign))


def number_disc(
    sheet: Sheet, number: int, x: float, y: float, across: float, body: int, ink: int, *, role: str = "number"
) -> None:
    """Place a number in a disc of a given diameter, its top left at (x, y)."""
    sheet.circle(x + across / 2, y + across / 2, across / 2, body)
    figure = set_text(str(number), across, across * 0.62, weight=900)
    assert figure is not None
    sheet.text(
        role,
        figure,
        x + (across - figure.width) / 2,
        # Digits are lower than the em box's middle by a little: they have no descender.
        y + (across - figure.height) / 2 - across * 0.015,
        ink=ink,
        ground=body,
    )


def hazard(sheet: Sheet, top: float, height: float, one: int, other: int) -> None:
    """Draw a band of slanted stripes from edge to edge."""
    box = sheet.band(top, top + height)

    def paint(canvas: skia.Canvas) -> None:
        canvas.save()
        canvas.clipRect(box, True)
        canvas.drawRect(box, palette.fill(one))
        step = 54.0
        x = box.left() - box.height() - step
        while x < box.right() + box.height():
            path = skia.Path()
            path.moveTo(x, box.bottom())
            path.lineTo(x + box.height(), box.top())
            path.lineTo(x + box.height() + step / 2, box.top())
            path.lineTo(x + step / 2, box.bottom())
            path.close()
            canvas.drawPath(path, palette.fill(other))
            x += step
        canvas.restore()

    sheet.add(paint)


# The templates.


def warning(job: Job) -> Sheet:
    """风险提示: red, a hazard band, the picture on a slanted stage, points on one card."""
    sheet = Sheet(job.height, job.bleed)
    colours = GROUNDS["vermilion"]
    ground = job.surface(colours)
    sheet.rect(sheet.whole(), ground)
    hazard(sheet, 0, 30, palette.AMBER, INK)
    bottom = foot(sheet, job)
    y = header(
        sheet, job, 30 + UNIT * 1.5, ink=palette.WHITE, ground=ground, mark=(palette.SUN, ground)
    )
    size = job.size(POINT)
    icon = size * 1.15
    pad = side_pad = size * 0.7
    points = measure_points(job, INNER - 2 * pad - icon - size * 0.4)
    row_gap = size * 0.62
    card = sum(max(point.height, icon) for point in points) + row_gap * (len(points) - 1) + 2 * pad
    call = measure_call(job)
    room = bottom - y
    fixed = card + call.height
    gaps = 5
    claim = pick_claim(job.claims(INNER), room, fixed + gaps * least_gap(job), job.height * 0.2)
    shares = share_room(
        job,
        room,
        fixed + claim.height,
        gaps,
        least=least_picture(job),
        most=job.height * 0.37,
        rows=len(points),
        air=size * 0.5,
    )
    picture, gap = shares.picture, shares.gap
    row_gap += shares.air
    card += shares.air * len(points)
    pad += shares.air / 2
    y += gap
    sheet.text("claim", claim, MARGIN, y, ink=palette.WHITE, ground=ground, hang=True)
    y += claim.height + gap
    slant = min(36.0, picture * 0.1)
    edge = job.bleed + 4

    def stage(canvas: skia.Canvas, y: float = y) -> None:
        path = skia.Path()
        path.moveTo(-edge, y + slant)
        path.lineTo(WIDTH + edge, y - slant * 0.3)
        path.lineTo(WIDTH + edge, y + picture - slant)
        path.lineTo(-edge, y + picture + slant * 0.3)
        path.close()
        canvas.drawPath(path, palette.fill(colours.glow))
        canvas.save()
        canvas.clipPath(path, True)
        faint = palette.fade(palette.VERMILION, 0.1)
        side = 84.0
        row = 0
        down = y - slant
        while down < y + picture + slant:
            across = -edge + (side * 0.9 if row % 2 else 0.0)
            while across < WIDTH + edge:
                triangle(canvas, across, down, side * 0.62, faint, colours.glow)
                across += side * 1.8
            down += side * 1.05
            row += 1
        canvas.restore()

    sheet.add(stage)
    side = picture * 0.92
    sheet.circle(
        WIDTH / 2,
        y + picture / 2,
        picture * 0.5, palette.mix(colours.glow, palette.WHITE, 0.55),
    )
    place_picture(sheet, job, (WIDTH - side) / 2, y + (picture - side) / 2, side)
    y += picture + gap
    sheet.rect(skia.Rect.MakeXYWH(MARGIN, y, INNER, card), PAPER, 32)
    line = y + pad
    for index, point in enumerate(points):
        height = max(point.height, icon)
        top, left = line + (height - icon) / 2, MARGIN + side_pad
        if index:
            rule = line - row_gap / 2
            sheet.add(
                lambda canvas, rule=rule: canvas.drawLine(
                    MARGIN + side_pad, rule, WIDTH - MARGIN - side_pad, rule, palette.stroke(palette.SAND_DEEP, 3)
                )
            )
        sheet.add(
            lambda canvas, top=top, left=left: triangle(
                canvas, left, top, icon, palette.VERMILION, palette.WHITE
            )
        )
        sheet.text(
            "point",
            point,
            MARGIN + side_pad + icon + size * 0.4,
            line + (height - point.height) / 2,
            ink=INK,
            ground=PAPER,
        )
        line += height + row_gap
    y += card + gap
    place_call(sheet, job, call, y, body=INK, ink=palette.SUN, disc=INK)
    return sheet


def right(job: Job) -> Sheet:
    """权利图解: a coloured head with a round edge, the right's seal beside the picture, numbered points."""
    sheet = Sheet(job.height, job.bleed)
    colours = GROUNDS[job.ground]
    ground = job.surface(colours)
    sand = palette.SAND
    sheet.rect(sheet.whole(), sand)
    bottom = foot(sheet, job)
    backdrop = len(sheet.strokes)
    light = colours.text == palette.WHITE
    strong, on_strong = (ground, colours.text) if light else (INK, palette.SUN)
    y = header(
        sheet,
        job,
        UNIT * 2.5,
        ink=colours.text,
        ground=ground,
        mark=(colours.accent, ground),
    )
    size = job.size(POINT)
    disc = size * 1.3
    pad = size * 0.55
    points = measure_points(job, INNER - disc - size * 0.5 - 2 * pad)
    call = measure_call(job)
    row_gap = size * 0.72
    block = sum(max(point.height, disc) for point in points) + row_gap * (len(points) - 1) + 2 * pad
    room = bottom - y
    gaps = 5
    fixed = block + call.height
    claim = pick_claim(job.claims(INNER), room, fixed + gaps * least_gap(job), job.height * 0.2)
    shares = share_room(
        job,
        room,
        fixed + claim.height,
        gaps,
        least=least_picture(job),
        most=540.0 if job.tall else 430.0,
        rows=len(points),
        air=size * 0.9,
    )
    picture, gap = shares.picture, shares.gap
    row_gap += shares.air
    block += shares.air * len(points)
    pad += shares.air / 2
    inset = MARGIN + size * 0.55
    y += gap
    sheet.text("claim", claim, MARGIN, y, ink=colours.text, ground=ground, hang=True)
    y += claim.height + gap
    fold = y + picture * 0.42

    def head(canvas: skia.Canvas) -> None:
        path = skia.Path()
        edge = job.bleed + 4
        path.moveTo(-edge, -edge)
        path.lineTo(WIDTH + edge, -edge)
        path.lineTo(WIDTH + edge, fold - 40)
        path.quadTo(WIDTH / 2, fold + 60, -edge, fold - 40)
        path.close()
        canvas.drawPath(path, palette.fill(ground))
        canvas.save()
        canvas.clipPath(path, True)
        ring = palette.stroke(palette.fade(colours.glow, 0.13), 36)
        for radius in (150, 260, 370):
            canvas.drawCircle(WIDTH - 60, fold - 40, radius, ring)
        canvas.restore()

    sheet.strokes.insert(backdrop, head)
    radius = picture / 2
    centre = MARGIN + radius
    sheet.circle(centre, y + radius, radius, palette.PAPER)
    sheet.circle(centre, y + radius, radius - 10, colours.glow)
    side = picture * 0.72
    place_picture(sheet, job, centre - side / 2, y + (picture - side) / 2, side)
    name, gloss = RIGHTS[job.rights[0]]
    left = MARGIN + picture + UNIT * 1.5
    width = WIDTH - MARGIN - left
    label = fit_text(
        name,
        width - size * 1.2,
        picture * 0.4,
        largest=job.size(POINT * 1.35),
        smallest=job.size(POINT * 0.9),
        weight=900,
        most_lines=1,
    )
    if label is not None:
        body = PAPER if light else INK
        ink = palette.mix(ground, INK, 0.1) if light else palette.SUN
        note = set_text(gloss, width - size * 0.2, job.size(POINT * 0.78), weight=700, leading=1.35)
        seal = label.height + size * 0.7
        top = y + max(0.0, min(picture * 0.1, picture * 0.42 - seal - 6))
        box = skia.Rect.MakeXYWH(left, top, label.width + size * 1.1, seal)
        sheet.rect(box, body, 18)
        sheet.text("right", label, left + size * 0.55, top + size * 0.35, ink=ink, ground=body)
        if note is not None:
            down = max(fold + 44, box.bottom() + size * 0.4)
            if down + note.height <= y + picture + gap * 0.6:
                sheet.text("gloss", note, left + 4, down, ink=palette.INK, ground=sand)
    y += picture + gap
    sheet.rect(skia.Rect.MakeXYWH(MARGIN, y, INNER, block), PAPER, 32)
    y += pad
    thread: list[float] = []
    marks: list[tuple[int, float]] = []
    for index, point in enumerate(points):
        height = max(point.height, disc)
        marks.append((index, y + (height - disc) / 2))
        thread.append(y + height / 2)
        sheet.text(
            "point",
            point,
            inset + disc + size * 0.5,
            y + (height - point.height) / 2,
            ink=INK,
            ground=PAPER,
        )
        y += height + row_gap
    sheet.add(
        lambda canvas: canvas.drawLine(
            inset + disc / 2, thread[0], inset + disc / 2, thread[-1], palette.stroke(strong, 8)
        )
    )
    for index, top in marks:
        number_disc(sheet, index + 1, inset, top, disc, strong, on_strong)
    y += pad - row_gap + gap
    place_call(sheet, job, call, y, body=strong, ink=on_strong, disc=strong)
    return sheet


def campaign(job: Job) -> Sheet:
    """公益宣传: green with rays and bunting, everything on the middle axis, points on tickets."""
    sheet = Sheet(job.height, job.bleed)
    ground = palette.GREEN_DEEP if job.elder else palette.GREEN
    ray = palette.mix(palette.GREEN_DEEP, INK, 0.35) if job.elder else palette.GREEN_DEEP
    sheet.rect(sheet.whole(), ground)
    rays_at = len(sheet.strokes)
    bottom = foot(sheet, job)
    bunting(sheet, 64)
    y = header(sheet, job, 64 + UNIT * 2, ink=palette.WHITE, ground=ground, mark=(palette.SUN, ground))
    size = job.size(POINT)
    star = size * 1.05
    pad = size * 0.46
    points = measure_points(job, INNER - 2 * size - star - size * 0.4)
    tickets = [max(point.height, star) + 2 * pad for point in points]
    between = UNIT * 0.75
    block = sum(tickets) + between * (len(tickets) - 1)
    call = measure_call(job)
    room = bottom - y
    gaps = 5
    fixed = block + call.height
    claim = pick_claim(job.claims(INNER), room, fixed + gaps * least_gap(job), job.height * 0.22)
    shares = share_room(
        job,
        room,
        fixed + claim.height,
        gaps,
        least=least_picture(job),
        most=job.height * 0.35,
        rows=len(points),
        air=size * 0.5,
    )
    picture, gap = shares.picture, shares.gap
    tickets = [height + shares.air * 0.7 for height in tickets]
    between += shares.air * 0.3
    y += gap
    sheet.text(
        "claim", claim, MARGIN, y, ink=palette.SUN, ground=ground, width=INNER, align=0.5
    )
    y += claim.height + gap
    middle = y + picture / 2

    def rays(canvas: skia.Canvas) -> None:
        reach = WIDTH + job.height
        for index in range(18):
            angle = math.radians(index * 20)
            path = skia.Path()
            path.moveTo(WIDTH / 2, middle)
            path.lineTo(
                WIDTH / 2 + reach * math.cos(angle - 0.087), middle + reach * math.sin(angle - 0.087)
            )
            path.lineTo(
                WIDTH / 2 + reach * math.cos(angle + 0.087), middle + reach * math.sin(angle + 0.087)
            )
            path.close()
            canvas.drawPath(path, palette.fill(ray))

    sheet.strokes.insert(rays_at, rays)
    radius = picture / 2
    sheet.circle(WIDTH / 2, middle, radius, PAPER)
    sheet.circle(WIDTH / 2, middle, radius - 12, palette.SUN)
    for offset, rise, across in ((-1, -0.45, 34), (-1.25, 0.3, 22), (1, -0.45, 34), (1.25, 0.3, 22)):
        x = WIDTH / 2 + offset * (radius + 96)
        at = middle + rise * radius
        if MARGIN < x < WIDTH - MARGIN:
            sheet.add(lambda canvas, x=x, at=at, across=across: spark(canvas, x, at, across, palette.AMBER))
    side = picture * 0.7
    place_picture(sheet, job, (WIDTH - side) / 2, middle - side / 2, side)
    y += picture + gap
    for point, height in zip(points, tickets, strict=True):
        ticket(sheet, y, height, ground)
        content = star + size * 0.4 + point.width
        left = MARGIN + (INNER - content) / 2
        top = y + height / 2
        sheet.add(
            lambda canvas, left=left, top=top: spark(
                canvas, left + star / 2, top, star * 0.52, palette.VERMILION
            )
        )
        sheet.text(
            "point", point, left + star + size * 0.4, top - point.height / 2, ink=INK, ground=PAPER
        )
        y += height + between
    y += gap - between
    place_call(sheet, job, call, y, body=palette.AMBER, ink=INK, disc=palette.AMBER)
    return sheet


def bunting(sheet: Sheet, depth: float) -> None:
    """Hang a string of flags from the upper edge."""

    def paint(canvas: skia.Canvas) -> None:
        flags = [palette.AMBER, palette.PAPER, palette.VERMILION, palette.LEAF]
        count = 12
        left, right = -sheet.bleed - 4, WIDTH + sheet.bleed + 4
        width = (right - left) / count

        def sag(x: float) -> float:
            return 18 * math.sin(math.pi * (x - left) / (right - left)) - sheet.bleed

        for index in range(count):
            start, end = left + index * width, left + (index + 1) * width
            path = skia.Path()
            path.moveTo(start + 5, sag(start))
            path.lineTo(end - 5, sag(end))
            path.lineTo((start + end) / 2, sag((start + end) / 2) + depth + sheet.bleed)
            path.close()
            canvas.drawPath(path, palette.fill(flags[index % len(flags)]))
        line = skia.Path()
        line.moveTo(left, sag(left))
        for index in range(1, count * 4 + 1):
            x = left + index * width / 4
            line.lineTo(x, sag(x))
        canvas.drawPath(line, palette.stroke(INK, 6))

    sheet.add(paint)


def spark(canvas: skia.Canvas, x: float, y: float, reach: float, colour: int) -> None:
    """Draw a star of four points around (x, y)."""
    path = skia.Path()
    path.moveTo(x, y - reach)
    waist = reach * 0.2
    path.quadTo(x + waist, y - waist, x + reach, y)
    path.quadTo(x + waist, y + waist, x, y + reach)
    path.quadTo(x - waist, y + waist, x - reach, y)
    path.quadTo(x - waist, y - waist, x, y - reach)
    path.close()
    canvas.drawPath(path, palette.fill(colour))


def ticket(sheet: Sheet, y: float, height: float, ground: int) -> None:
    """Draw a paper ticket, notched at both ends."""
    sheet.rect(skia.Rect.MakeXYWH(MARGIN, y, INNER, height), PAPER, 20)
    notch = min(22.0, height * 0.18)
    for x in (MARGIN, WIDTH - MARGIN):
        sheet.circle(x, y + height / 2, notch, ground)
    dash = palette.stroke(palette.SAND_DEEP, 3)
    dash.setPathEffect(skia.DashPathEffect.Make([8.0, 12.0], 0.0))
    for x in (MARGIN + notch * 2.2, WIDTH - MARGIN - notch * 2.2):
        sheet.add(
            lambda canvas, x=x: canvas.drawLine(x, y + height * 0.14, x, y + height * 0.86, dash)
        )


def steps(job: Job) -> Sheet:
    """分步图解: a path of numbered cards; on the phone as long as it needs, on paper one sheet."""
    colours = GROUNDS[job.ground]
    ground = job.surface(colours)
    light = colours.text == palette.WHITE
    strong, on_strong = (ground, colours.text) if light else (INK, palette.SUN)
    size = job.size(POINT)
    disc = size * 1.55
    pad = size * 0.5
    shift = 0.0 if job.elder or not job.tall else UNIT * 2.5
    points = measure_points(job, INNER - shift - disc * 0.62 - size * 0.5 - 2 * pad)
    between = UNIT * (1.5 if job.tall else 0.75)
    cards = [max(point.height, size * 1.2) + 2 * pad for point in points]
    block = sum(cards) + between * (len(cards) - 1)
    call = measure_call(job)
    picture_side = 400.0 if job.tall else 320.0
    beside = not job.tall
    claim_width = INNER - (picture_side * 0.8 + UNIT if beside else 0)
    bold = 1.0 if job.tall else 0.82
    claim = job.claims(claim_width, bold=bold, lines=2 if job.tall else 3)[-1 if job.elder else 0]
    trial = Sheet(job.height, job.bleed)
    foot_height = job.height - foot(trial, job)
    head_size = job.size(LABEL) * 1.5
    gap = UNIT * 2
    if job.tall:
        head_bottom = UNIT * 2.5 + head_size + gap + claim.height + gap + picture_side
        needed = head_bottom + UNIT * 4 + block + gap + call.height + gap + foot_height
        spare = max(0.0, job.height - needed)
        between += spare * 0.5 / len(cards)
        picture_side += spare * 0.2
        gap += spare * 0.3 / 4
        head_bottom = UNIT * 2.5 + head_size + gap + claim.height + gap + picture_side
        block = sum(cards) + between * (len(cards) - 1)
        job.height = max(
            job.height, head_bottom + UNIT * 4 + block + gap + call.height + gap + foot_height
        )
    sheet = Sheet(job.height, job.bleed)
    sheet.rect(sheet.whole(), palette.SAND)
    bottom = foot(sheet, job)
    if not job.tall:
        gap = UNIT * 0.9
        picture_side = max(claim.height, 190.0)
        between = UNIT * 0.5
        fixed = UNIT * 2.25 + head_size + WAVE / 2 + sum(cards) + call.height + picture_side
        spare = bottom - fixed - 5 * gap - (len(cards) - 1) * between
        if spare < 0:
            job.refuse(job.points_path, "步骤文字太多，一张纸放不下，请精简")
            spare = 0.0
        air = min(size * 0.8, spare * 0.5 / max(1, len(cards) - 1))
        between += air
        spare -= air * (len(cards) - 1)
        grown = min(spare * 0.6, max(0.0, 340.0 - picture_side))
        picture_side += grown
        gap += (spare - grown) / 5
        head_bottom = UNIT * 2.25 + head_size + gap + picture_side + gap
    edge = job.bleed + 4

    def head(canvas: skia.Canvas) -> None:
        path = skia.Path()
        path.moveTo(-edge, -edge)
        path.lineTo(WIDTH + edge, -edge)
        path.lineTo(WIDTH + edge, head_bottom)
        for index in range(6):
            right_end = WIDTH + edge - (WIDTH + 2 * edge) * index / 6
            left_end = WIDTH + edge - (WIDTH + 2 * edge) * (index + 1) / 6
            path.quadTo((right_end + left_end) / 2, head_bottom + WAVE, left_end, head_bottom)
        path.close()
        canvas.drawPath(path, palette.fill(ground))

    sheet.add(head)
    y = header(
        sheet,
        job,
        UNIT * 2.5 if job.tall else UNIT * 2.25,
        ink=colours.text,
        ground=ground,
        mark=(colours.accent, ground),
    )
    y += gap
    if beside:
        sheet.text(
            "claim",
            claim,
            MARGIN,
            y + (picture_side - claim.height) / 2,
            ink=colours.text,
            ground=ground,
            hang=True,
        )
        radius = min(picture_side, INNER - claim_width - UNIT) / 2
        x = WIDTH - MARGIN - radius
        sheet.circle(x, y + picture_side / 2, radius, colours.glow)
        side = radius * 1.44
        place_picture(sheet, job, x - side / 2, y + (picture_side - side) / 2, side)
        y = head_bottom + gap + WAVE / 2
    else:
        sheet.text("claim", claim, MARGIN, y, ink=colours.text, ground=ground, hang=True)
        y += claim.height + gap
        radius = picture_side / 2
        sheet.circle(WIDTH / 2, y + radius, radius, colours.glow)
        side = radius * 1.44
        place_picture(sheet, job, WIDTH / 2 - side / 2, y + radius - side / 2, side)
        y = head_bottom + UNIT * 4
    lefts = [MARGIN + disc * 0.62 + (shift if index % 2 else 0.0) for index in range(len(cards))]
    tops: list[float] = []
    for height in cards:
        tops.append(y)
        y += height + between
    y -= between

    def trail(canvas: skia.Canvas) -> None:
        path = skia.Path()
        path.moveTo(lefts[0], tops[0])
        for index in range(1, len(cards)):
            above = tops[index - 1] + cards[index - 1] / 2
            below = tops[index] + cards[index] / 2
            path.moveTo(lefts[index - 1], above)
            path.cubicTo(
                lefts[index - 1], (above + below) / 2, lefts[index], (above + below) / 2, lefts[index], below
            )
        line = palette.stroke(palette.mix(palette.SAND_DEEP, INK, 0.25), 8)
        line.setPathEffect(skia.DashPathEffect.Make([2.0, 20.0], 0.0))
        canvas.drawPath(path, line)

    sheet.add(trail)
    for index, (point, top, left, height) in enumerate(zip(points, tops, lefts, cards, strict=True)):
        width = INNER - disc * 0.62 - shift
        sheet.rect(skia.Rect.MakeXYWH(left + 4, top + 7, width, height), palette.SAND_DEEP, 28)
        sheet.rect(skia.Rect.MakeXYWH(left, top, width, height), PAPER, 28)
        sheet.text(
            "point",
            point,
            left + disc * 0.38 + size * 0.5 + pad * 0.4,
            top + (height - point.height) / 2,
            ink=INK,
            ground=PAPER,
        )
        number_disc(
            sheet, index + 1, left - disc * 0.62, top + (height - disc) / 2, disc, strong, on_strong
        )
    y += gap
    place_call(sheet, job, call, y, body=strong, ink=on_strong, disc=strong)
    return sheet


def large_print(job: Job) -> Sheet:
    """大字提示: ink on amber, the claim across the sheet, huge numerals, the call as a speech bubble."""
    sheet = Sheet(job.height, job.bleed)
    colours = GROUNDS["amber"]
    ground = colours.base
    sheet.rect(sheet.whole(), ground)
    bottom = foot(sheet, job)
    sun_at = len(sheet.strokes)
    strip = UNIT * 2 + job.size(LABEL) * 1.5 + UNIT * 1.25
    sheet.rect(sheet.band(0, strip), INK)
    header(sheet, job, UNIT * 2, ink=palette.SUN, ground=INK, mark=(palette.SUN, INK))
    y = strip
    size = job.size(POINT)
    disc = size * 1.4
    points = measure_points(job, INNER - disc - size * 0.45)
    row = size * 0.42
    block = sum(max(point.height, disc) + 2 * row for point in points)
    room = bottom - y
    gaps = 4
    claim = pick_claim(
        job.claims(INNER, bold=1.1), room, block + gaps * least_gap(job), job.height * 0.2
    )
    bubble_width = INNER * 0.54
    pad = size * 0.6
    call = job.set("call", job.call, bubble_width - 2 * pad, size, weight=800, leading=1.28)
    bubble = call.height + 2 * pad
    shares = share_room(
        job,
        room,
        block + claim.height,
        gaps,
        least=max(bubble, job.height * 0.12),
        most=max(bubble + 40, job.height * 0.24),
        rows=len(points),
        air=size * 1.1,
    )
    picture, gap = shares.picture, shares.gap
    row += shares.air / 2
    y += gap
    sheet.text("claim", claim, MARGIN, y, ink=INK, ground=ground, hang=True)
    y += claim.height + gap
    for index, point in enumerate(points):
        height = max(point.height, disc) + 2 * row
        top = y
        sheet.add(
            lambda canvas, top=top: canvas.drawLine(
                MARGIN, top, WIDTH - MARGIN, top, palette.stroke(INK, 6)
            )
        )
        number_disc(sheet, index + 1, MARGIN, y + (height - disc) / 2, disc, INK, palette.SUN)
        sheet.text(
            "point",
            point,
            MARGIN + disc + size * 0.45,
            y + (height - point.height) / 2,
            ink=INK,
            ground=ground,
        )
        y += height
    end = y
    sheet.add(
        lambda canvas: canvas.drawLine(MARGIN, end, WIDTH - MARGIN, end, palette.stroke(INK, 6))
    )
    y += gap
    x = MARGIN + (INNER - bubble_width - UNIT * 1.5) / 2
    radius = min(picture / 2, (INNER - bubble_width - UNIT * 1.5) / 2)
    middle = y + picture / 2
    spread = WIDTH * 0.62

    def sun(canvas: skia.Canvas) -> None:
        canvas.save()
        canvas.clipRect(sheet.band(0, bottom), True)
        canvas.drawCircle(x, bottom, spread, palette.fill(palette.mix(ground, palette.SUN, 0.55)))
        canvas.restore()

    sheet.strokes.insert(sun_at, sun)
    sheet.circle(x, middle, radius, PAPER)
    sheet.circle(x, middle, radius - 8, colours.glow)
    side = radius * 1.44
    place_picture(sheet, job, x - side / 2, middle - side / 2, side)
    left = WIDTH - MARGIN - bubble_width
    top = middle - bubble / 2
    box = skia.Rect.MakeXYWH(left, top, bubble_width, bubble)

    def speech(canvas: skia.Canvas) -> None:
        tail = skia.Path()
        tail.moveTo(left + 6, middle - 26)
        tail.lineTo(left - 34, middle + 4)
        tail.lineTo(left + 6, middle + 30)
        tail.close()
        canvas.drawPath(tail, palette.fill(INK))
        canvas.drawRoundRect(box, 36, 36, palette.fill(INK))

    sheet.add(speech)
    sheet.text(
        "call",
        call,
        left + pad + (bubble_width - 2 * pad - call.width) / 2,
        middle - call.height / 2,
        ink=palette.SUN,
        ground=INK,
    )
    return sheet


TEMPLATES: Final[dict[str, Callable[[Job], Sheet]]] = {
    "warning": warning,
    "right": right,
    "campaign": campaign,
    "steps": steps,
    "large_print": large_print,
}
