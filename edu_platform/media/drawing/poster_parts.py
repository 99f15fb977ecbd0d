"""What all posters share: the job, how its texts are set and its room is shared, header, call and foot.

What does not fit is noted in the job's problems under the path of the copy that is too long; nothing
is ever cut. The picture takes the room that is left, between a least and a most, and the gaps and
rows take the rest.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Final

import segno
import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.illustrations import Illustration
from edu_platform.media.drawing.lettering import Setting, fit_text, set_text
from edu_platform.media.drawing.palette import INK, PAPER, Ground
from edu_platform.media.drawing.problems import Problem
from edu_platform.media.drawing.sheet import MARGIN, UNIT, WIDTH, Sheet, draw_mark, draw_receiver

INNER: Final = WIDTH - 2 * MARGIN
CLAIM: Final = 132.0
POINT: Final = 46.0
LABEL: Final = 32.0
FOOT: Final = 26.0
PAPER_LABEL: Final = 30.0
PAPER_FOOT: Final = 23.0
"""What is read from near is smaller on paper: 4 mm high, 8 mm for elders."""
ELDER: Final = 1.5
ELDER_PAPER: Final = 2.0
"""How much larger every text of the elder version is set than the same text of the normal one, on a phone and in print."""

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
    "free_choice": ("自主选择权", "要不要买，由您自己定"),
    "fair_dealing": ("公平交易权", "条件要公平，不许强加"),
    "lawful_redress": ("依法求偿权", "受了损害，可以依法索赔"),
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
    call_path: str
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
        return base * self.scale * (self.larger if self.elder else 1.0)

    @property
    def larger(self) -> float:
        """Give how much larger elder print is on this sheet."""
        return ELDER if self.tall else ELDER_PAPER

    @property
    def tight(self) -> float:
        """Give by how much the air around texts shrinks: large print on paper has little to spare."""
        return 0.72 if self.elder and not self.tall else 1.0

    @property
    def label_size(self) -> float:
        """Give the size of the names in the header."""
        return self.size(LABEL if self.tall else PAPER_LABEL)

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

    def claims(
        self, width: float, *, bold: float = 1.0, lines: int = 2, elder_width: float = 0.0
    ) -> list[Setting]:
        """Set the claim from the largest size to the smallest that is allowed.

        The elder version is at least as much larger than the largest size of the normal one as it must be, and up
        to a fifth more. `elder_width` is what the elder version has, where that is another width.
        """
        top = CLAIM * self.scale * bold
        sense = re.sub(r"([，。！？；：])(?=.)", r"\1\n", self.claim)
        normal, text = 0.0, sense
        for text, most in ((sense, lines), (self.claim, lines), (self.claim, lines + 1)):
            # The largest size in so many lines bounds both editions: the elder one needs a multiple of ours.
            roomy = fit_text(
                text,
                elder_width or width,
                1e9,
                largest=top * self.larger * 1.2,
                smallest=top * 0.8,
                weight=900,
                most_lines=most,
            )
            normal = min(top, roomy.size / self.larger) if roomy else 0.0
            if normal >= top * 0.72:
                break
        if not normal:
            self.refuse("claim", "主张放不下，请改短")
            return [self.set("claim", self.claim, width, top * 0.4, weight=900)]
        largest, smallest = normal, normal * 0.85
        if self.elder:
            largest, smallest = normal * self.larger * 1.2, normal * self.larger
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
    return UNIT * (2.0 if job.tall else 0.9 if job.elder else 1.25)


def least_picture(job: Job) -> float:
    """Give the smallest a picture may be and still carry the message."""
    return job.height * (0.15 if job.tall else 0.12)


def pick_claim(settings: list[Setting], room: float, fixed: float, wish: float) -> Setting:
    """Choose the largest claim that leaves the picture its wish, else the smallest."""
    for setting in settings:
        if room - fixed - setting.height >= wish:
            return setting
    return min(settings, key=lambda setting: setting.height)


# The parts all templates share: header, call, foot.


def header(sheet: Sheet, job: Job, y: float, *, ink: int, ground: int, mark: tuple[int, int]) -> float:
    """Place the programme's name and the poster's kind; give the lower edge."""
    size = job.label_size
    name = job.set("programme", job.programme, INNER * 0.6, size, weight=800)
    kind = job.set("template", LABELS[job.template], INNER * 0.5, size * 0.92, weight=700)
    side = size * 1.5
    sheet.add(lambda canvas: draw_mark(canvas, MARGIN, y, side, mark))
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
    sheet.text("kind", kind, box.left() + pad, y + (box.height() - kind.height) / 2, ink=ink, ground=ground)
    return y + side


@dataclass(frozen=True, slots=True)
class CallBar:
    """Whom to call, measured: it is placed once the room for it is known."""

    setting: Setting
    height: float


def measure_call(job: Job) -> CallBar:
    """Set the call for a bar of the full width."""
    size = job.size(POINT)
    pad = size * (0.5 if job.tall or job.elder else 0.66) * job.tight
    setting = job.set(job.call_path, job.call, INNER - 2 * pad - size * 1.7, size, weight=800, leading=1.25)
    if len(setting.lines) > 3:
        job.refuse(job.call_path, "“找谁”一句过长，最多三行")
    return CallBar(setting, setting.height + 2 * pad)


def place_call(sheet: Sheet, bar: CallBar, y: float, *, body: int, ink: int, disc: int) -> None:
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
        lambda canvas: draw_receiver(canvas, left + across * 0.2, middle - across * 0.3, across * 0.6, disc)
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
    size = job.size(FOOT if job.tall else PAPER_FOOT)
    side = code_side(job)
    room = INNER - side - UNIT * 1.5
    details = [f"消保审查编号：{job.review_no}"]
    if job.date:
        details.append(f"发布日期：{job.date}")
    issuer = job.set("issuer", job.issuer, room, size * 1.08, weight=700, leading=1.3)
    if len(issuer.lines) > 1:  # a name in two lines breaks between the company and its branch
        parted = job.issuer.replace("公司", "公司\n", 1)
        again = set_text(parted, room, size * 1.08, weight=700, leading=1.3)
        issuer = again if again is not None and len(again.lines) == len(issuer.lines) else issuer
    lines = [
        issuer,
        *[job.set("review_no", text, room, size, weight=500, leading=1.3) for text in details],
        job.set("hotline", f"客服热线：{job.hotline}", room, size, weight=700, leading=1.3),
    ]
    gap = size * 0.36
    text_height = sum(line.height for line in lines) + gap * (len(lines) - 1)
    pad = UNIT * 1.5 if job.tall else UNIT
    tail = UNIT if job.tall else UNIT * 0.75
    height = max(side, text_height) + 2 * pad + tail
    top = job.height - height
    sheet.rect(sheet.band(top, job.height), PAPER)
    middle = top + pad + max(side, text_height) / 2
    y = middle - text_height / 2
    for role, line in zip(["issuer", *["detail"] * len(details), "hotline"], lines, strict=True):
        sheet.text(role, line, MARGIN, y, ink=INK if role != "detail" else palette.GREY, ground=PAPER)
        y += line.height + gap
    place_code(sheet, job, WIDTH - MARGIN - side, middle - side / 2, side)
    return top


def place_code(sheet: Sheet, job: Job, x: float, y: float, side: float) -> None:
    """Draw the code, or keep its place free with the mark standing in it."""
    sheet.keep("code", x, y, width=side, height=side)
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
                canvas, x + (side - mark) / 2, y + (side - mark) / 2, mark, (palette.SAND_DEEP, palette.WHITE)
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
                path.addRect(skia.Rect.MakeXYWH(x + column * module, y + line * module, module, module))
    return path


def place_picture(sheet: Sheet, job: Job, x: float, y: float, side: float) -> None:
    """Place the illustration in the middle of a square."""
    sheet.keep("picture", x, y, width=side, height=side)
    picture = job.illustration
    if picture is not None:
        sheet.add(lambda canvas: picture.draw_centred(canvas, x, y, side))


def measure_points(job: Job, width: float, *, most: int = 3) -> list[Setting]:
    """Set all points for one width."""
    return [job.point(index, width, most=most) for index in range(len(job.points))]


def indent(job: Job, group: float, room: float) -> float:
    """Give how far a list is moved in on its card: on paper, where it would leave a side empty, it stands in the middle."""
    return 0.0 if job.tall else (room - group) / 2


# Small signs.


def triangle(canvas: skia.Canvas, x: float, y: float, size: float, colours: tuple[int, int]) -> None:
    """Draw a warning triangle in a square of `size`, its body and its sign in two colours."""
    body, sign = colours
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


def number_disc(sheet: Sheet, number: int, x: float, y: float, across: float, *, body: int, ink: int) -> None:
    """Place a number in a disc of a given diameter, its top left at (x, y)."""
    sheet.circle(x + across / 2, y + across / 2, across / 2, body)
    figure = set_text(str(number), across, across * 0.62, weight=900)
    assert figure is not None
    sheet.text(
        "number",
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
