"""The five poster templates: how copy is laid out on a sheet. One family, told apart at a glance.

Each template is a function from a job to a finished sheet.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import skia

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.lettering import fit_text, set_text
from edu_platform.media.drawing.palette import GROUNDS, INK, PAPER
from edu_platform.media.drawing.poster_parts import (
    INNER,
    POINT,
    RIGHTS,
    WAVE,
    Job,
    foot,
    hazard,
    header,
    indent,
    least_gap,
    least_picture,
    measure_call,
    measure_points,
    number_disc,
    pick_claim,
    place_call,
    place_picture,
    share_room,
    triangle,
)
from edu_platform.media.drawing.sheet import MARGIN, UNIT, WIDTH, Sheet

LOBES: Final = 7
DOT: Final = 4.5


def warning(job: Job) -> Sheet:
    """风险提示: red, a hazard band, the picture on a slanted stage, points on one card."""
    sheet = Sheet(job.height, job.bleed)
    colours = GROUNDS["vermilion"]
    ground = job.surface(colours)
    sheet.rect(sheet.whole(), ground)
    hazard(sheet, 0, 30, palette.AMBER, INK)
    bottom = foot(sheet, job)
    y = header(sheet, job, 30 + UNIT * 1.5, ink=palette.WHITE, ground=ground, mark=(palette.SUN, ground))
    size = job.size(POINT)
    icon = size * 1.15
    side_pad = size * 0.7
    pad = side_pad * job.tight
    points = measure_points(job, INNER - 2 * side_pad - icon - size * 0.4)
    row_gap = size * 0.62 * job.tight
    # Two lines fill their row to the rule, one line does not: they get a little more air.
    rows = [max(point.height + size * 0.2 * (len(point.lines) > 1), icon) for point in points]
    card = sum(rows) + row_gap * (len(points) - 1) + 2 * pad
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
        # opaque, so that a sign's rim does not show through its body
        faint = palette.mix(colours.glow, palette.VERMILION, 0.1)
        side = 84.0
        row = 0
        down = y - slant
        while down < y + picture + slant:
            across = -edge + (side * 0.9 if row % 2 else 0.0)
            while across < WIDTH + edge:
                triangle(canvas, across, down, side * 0.62, (faint, colours.glow))
                across += side * 1.8
            down += side * 1.05
            row += 1
        canvas.restore()

    sheet.add(stage)
    side = picture * (1.0 if job.tight < 1 else 0.92)
    sheet.circle(
        WIDTH / 2,
        y + picture / 2,
        picture * (0.53 if job.tight < 1 else 0.5),
        palette.mix(colours.glow, palette.WHITE, 0.55),
    )
    place_picture(sheet, job, (WIDTH - side) / 2, y + (picture - side) / 2, side)
    y += picture + gap
    sheet.rect(skia.Rect.MakeXYWH(MARGIN, y, INNER, card), PAPER, 32)
    line = y + pad
    group = icon + size * 0.4 + max(point.width for point in points)
    left = MARGIN + side_pad + indent(job, group, INNER - 2 * side_pad)
    for index, (point, height) in enumerate(zip(points, rows, strict=True)):
        top = line + (height - icon) / 2
        if index:
            rule = line - row_gap / 2
            ends = (MARGIN + side_pad, rule), (WIDTH - MARGIN - side_pad, rule)
            sheet.line(*ends, palette.stroke(palette.SAND_DEEP, 3))
        sheet.put(triangle, left, top, icon, (palette.VERMILION, palette.WHITE))
        sheet.text(
            "point",
            point,
            left + icon + size * 0.4,
            line + (height - point.height) / 2,
            ink=INK,
            ground=PAPER,
        )
        line += height + row_gap
    y += card + gap
    place_call(sheet, call, y, body=INK, ink=palette.SUN, disc=INK)
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
    row_gap = size * 0.72 * job.tight
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
        most=400.0 if job.elder else 540.0,  # the right's name stands beside it, as much larger as the rest
        rows=len(points),
        air=size * 0.9,
    )
    picture, gap = shares.picture, shares.gap
    row_gap += shares.air
    block += shares.air * len(points)
    pad += shares.air / 2
    side_pad = size * 0.55
    group = disc + size * 0.5 + max(point.width for point in points)
    inset = MARGIN + side_pad + indent(job, group, INNER - 2 * side_pad)
    y += gap
    sheet.text("claim", claim, MARGIN, y, ink=colours.text, ground=ground, hang=True)
    y += claim.height + gap
    name, gloss = RIGHTS[job.rights[0]]
    left = MARGIN + picture + UNIT * 1.5
    width = WIDTH - MARGIN - left
    label = fit_text(
        name,
        width - size * 1.2,
        picture * 0.4,
        largest=job.size(POINT * (1.45 if not job.tall else 1.35 if job.elder else 1.06)),
        smallest=job.size(POINT * 0.9),
        weight=900,
        most_lines=1,
    )
    note = set_text(gloss, width - size * 0.2, job.size(POINT * 0.78), weight=700, leading=1.35)
    seal = label.height + size * 0.7 if label else 0.0
    # The seal stands clear above the fold and the gloss below it; where that is too high, the seal lies on the fold.
    top, fold = y, y + seal + UNIT * 1.5
    if not job.elder:
        fold = y + picture * 0.58
        top = fold - seal - UNIT * 2.5
    elif note is not None and fold + UNIT * 1.75 + note.height > y + picture + gap * 0.6:
        fold = y + seal * 0.6

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
    if label is not None:
        body = PAPER if light else INK
        ink = palette.mix(ground, INK, 0.1) if light else palette.SUN
        box = skia.Rect.MakeXYWH(left, top, label.width + size * 1.1, seal)
        sheet.rect(box, body, 18)
        sheet.text("right", label, left + size * 0.55, top + size * 0.35, ink=ink, ground=body)
        if note is not None:
            down = max(fold + UNIT * 1.75, box.bottom() + size * 0.4)
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
        number_disc(sheet, index + 1, inset, top, disc, body=strong, ink=on_strong)
    y += pad - row_gap + gap
    place_call(sheet, call, y, body=strong, ink=on_strong, disc=strong)
    return sheet


def campaign(job: Job) -> Sheet:
    """公益宣传: green with rays and bunting, everything on the middle axis, points on tickets."""
    sheet = Sheet(job.height, job.bleed)
    ground = palette.GREEN_DEEP if job.elder else palette.GREEN
    ray = palette.mix(palette.GREEN_DEEP, INK, 0.35) if job.elder else palette.GREEN_DEEP
    sheet.rect(sheet.whole(), ground)
    rays_at = len(sheet.strokes)
    bottom = foot(sheet, job)
    flags = 64 * job.tight
    bunting(sheet, flags)
    y = header(
        sheet, job, flags + UNIT * 2 * job.tight, ink=palette.WHITE, ground=ground, mark=(palette.SUN, ground)
    )
    size = job.size(POINT)
    star = size * 1.05
    pad = size * 0.46 * job.tight
    points = measure_points(job, INNER - 2 * size - star - size * 0.4)
    tickets = [max(point.height, star) + 2 * pad for point in points]
    between = UNIT * 0.75 * job.tight
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
    sheet.text("claim", claim, MARGIN, y, ink=palette.SUN, ground=ground, width=INNER, align=0.5)
    y += claim.height + gap
    middle = y + picture / 2

    def rays(canvas: skia.Canvas) -> None:
        reach = WIDTH + job.height
        for index in range(18):
            angle = math.radians(index * 20)
            path = skia.Path()
            path.moveTo(WIDTH / 2, middle)
            path.lineTo(WIDTH / 2 + reach * math.cos(angle - 0.087), middle + reach * math.sin(angle - 0.087))
            path.lineTo(WIDTH / 2 + reach * math.cos(angle + 0.087), middle + reach * math.sin(angle + 0.087))
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
            sheet.put(spark, x, at, across, palette.AMBER)
    side = picture * 0.7
    place_picture(sheet, job, (WIDTH - side) / 2, middle - side / 2, side)
    y += picture + gap
    left = MARGIN + (INNER - star - size * 0.4 - max(point.width for point in points)) / 2
    for point, height in zip(points, tickets, strict=True):
        ticket(sheet, y, height)
        top = y + height / 2
        sheet.put(spark, left + star / 2, top, star * 0.52, palette.VERMILION)
        sheet.text("point", point, left + star + size * 0.4, top - point.height / 2, ink=INK, ground=PAPER)
        y += height + between
    y += gap - between
    place_call(sheet, call, y, body=palette.AMBER, ink=INK, disc=palette.AMBER)
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


def ticket(sheet: Sheet, y: float, height: float) -> None:
    """Draw a paper ticket, notched at both ends; through the notches the ground is seen, whatever it is there."""
    notch = min(22.0, height * 0.18)
    body, ends = skia.Path(), skia.Path()
    body.addRoundRect(skia.Rect.MakeXYWH(MARGIN, y, INNER, height), 20, 20)
    for x in (MARGIN, WIDTH - MARGIN):
        ends.addCircle(x, y + height / 2, notch)
    shape = skia.Op(body, ends, skia.PathOp.kDifference_PathOp)
    sheet.add(lambda canvas: canvas.drawPath(shape, palette.fill(PAPER)))
    dash = skia.Paint(palette.stroke(palette.SAND_DEEP, 3))
    dash.setPathEffect(skia.DashPathEffect.Make([8.0, 12.0], 0.0))
    for x in (MARGIN + notch * 2.2, WIDTH - MARGIN - notch * 2.2):
        sheet.line((x, y + height * 0.14), (x, y + height * 0.86), dash)


def steps(job: Job) -> Sheet:
    """分步图解: a path of numbered cards; on the phone as long as it needs, on paper one sheet."""
    colours = GROUNDS[job.ground]
    ground = job.surface(colours)
    light = colours.text == palette.WHITE
    strong, on_strong = (ground, colours.text) if light else (INK, palette.SUN)
    size = job.size(POINT)
    disc = size * 1.55
    pad = size * (0.24 if job.elder and not job.tall else 0.5)
    shift = 0.0 if job.elder or not job.tall else UNIT * 2.5
    points = measure_points(job, INNER - shift - disc * 0.62 - size * 0.5 - 2 * pad)
    between = UNIT * (1.5 if job.tall else 0.75)
    cards = [max(point.height, size * (1.2 if job.tall else 1.05)) + 2 * pad for point in points]
    block = sum(cards) + between * (len(cards) - 1)
    call = measure_call(job)
    picture_side = 400.0 if job.tall else 320.0
    beside = not job.tall
    elder_width = INNER - (picture_side * 0.8 + UNIT if beside else 0)
    claim_width = elder_width if job.tall or job.elder else INNER * 0.46
    bold = 1.0 if job.tall else 0.94 if len(points) < 6 else 0.82
    claims = job.claims(claim_width, bold=bold, lines=2 if job.tall else 3, elder_width=elder_width)
    claim = claims[-1 if job.elder else 0]
    trial = Sheet(job.height, job.bleed)
    foot_height = job.height - foot(trial, job)
    head_size = job.label_size * 1.5
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
        job.height = max(job.height, head_bottom + UNIT * 4 + block + gap + call.height + gap + foot_height)
    sheet = Sheet(job.height, job.bleed)
    sheet.rect(sheet.whole(), palette.SAND)
    bottom = foot(sheet, job)
    if not job.tall:
        gap = UNIT * 0.9
        picture_side = max(claim.height, 170.0)
        between = UNIT * 0.5
        fixed = UNIT * 2.25 + head_size + WAVE / 2 + sum(cards) + call.height + picture_side
        spare = bottom - fixed - 5 * gap - (len(cards) - 1) * between
        if spare < 0:
            job.refuse(job.points_path, "步骤文字太多，一张纸放不下，请精简")
            spare = 0.0
        air = min(size * 0.8, spare * 0.5 / max(1, len(cards) - 1))
        between += air
        spare -= air * (len(cards) - 1)
        grown = min(spare * 0.6, max(0.0, (340.0 if job.elder else 430.0) - picture_side))
        picture_side += grown
        gap += (spare - grown) / 5
        head_bottom = UNIT * 2.25 + head_size + gap + picture_side + gap
    edge = job.bleed + 4

    def head(canvas: skia.Canvas) -> None:
        path = skia.Path()
        path.moveTo(-edge, -edge)
        path.lineTo(WIDTH + edge, -edge)
        path.lineTo(WIDTH + edge, head_bottom)
        # An odd number: a lobe, not a cusp, stands below the middle, where the picture is.
        for index in range(LOBES):
            right_end = WIDTH + edge - (WIDTH + 2 * edge) * index / LOBES
            left_end = WIDTH + edge - (WIDTH + 2 * edge) * (index + 1) / LOBES
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
        radius = min(picture_side, INNER - claim_width - UNIT * (1 if job.elder else 2)) / 2
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
        dot = palette.fill(palette.mix(palette.SAND_DEEP, INK, 0.25))
        reach = disc / 2 + DOT * 2.5
        for index in range(1, len(cards)):
            # below the middle of a disc to above the middle of the next, whole dots only
            start, end = lefts[index - 1] - disc * 0.12, lefts[index] - disc * 0.12
            above = tops[index - 1] + cards[index - 1] / 2 + reach
            below = tops[index] + cards[index] / 2 - reach
            if below - above < DOT * 4:  # room for one
                canvas.drawCircle((start + end) / 2, (above + below) / 2, DOT, dot)
                continue
            path = skia.Path()
            path.moveTo(start, above)
            path.cubicTo(start, (above + below) / 2, end, (above + below) / 2, end, below)
            way = skia.PathMeasure(path, False)
            spaces = max(1, round(way.getLength() / (DOT * 5)))
            for space in range(spaces + 1):
                place, _ = way.getPosTan(way.getLength() * space / spaces)
                canvas.drawCircle(place.x(), place.y(), DOT, dot)

    for point, top, left, height in zip(points, tops, lefts, cards, strict=True):
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
    sheet.add(trail)
    for index, (top, left, height) in enumerate(zip(tops, lefts, cards, strict=True)):
        number_disc(
            sheet, index + 1, left - disc * 0.62, top + (height - disc) / 2, disc, body=strong, ink=on_strong
        )
    y += gap
    place_call(sheet, call, y, body=strong, ink=on_strong, disc=strong)
    return sheet


def large_print(job: Job) -> Sheet:
    """大字提示: ink on amber, the claim across the sheet, huge numerals, the call as a speech bubble."""
    sheet = Sheet(job.height, job.bleed)
    colours = GROUNDS["amber"]
    ground = colours.base
    sheet.rect(sheet.whole(), ground)
    bottom = foot(sheet, job)
    sun_at = len(sheet.strokes)
    strip = UNIT * 2 + job.label_size * 1.5 + UNIT * 1.25
    sheet.rect(sheet.band(0, strip), INK)
    header(sheet, job, UNIT * 2, ink=palette.SUN, ground=INK, mark=(palette.SUN, INK))
    y = strip
    size = job.size(POINT)
    disc = size * 1.4
    # Normal print on paper is small against the sheet: its points stand side by side and fill the width.
    beside = not job.tall and not job.elder
    column = INNER / len(job.points)
    points = measure_points(job, column - UNIT * 2.5 if beside else INNER - disc - size * 0.45)
    row = size * (0.9 if beside else 0.42 * job.tight)
    rows = [max(point.height, disc) + 2 * row for point in points]
    if beside:
        rows = [disc + size * 0.6 + max(point.height for point in points) + 2 * row]
    block = sum(rows)
    room = bottom - y
    gaps = 4
    claim = pick_claim(job.claims(INNER, bold=1.1), room, block + gaps * least_gap(job), job.height * 0.2)
    bubble_width = INNER * (0.54 if job.tall else 0.66 if job.elder else 0.38)
    pad = size * 0.6 * job.tight
    call = job.set(job.call_path, job.call, bubble_width - 2 * pad, size, weight=800, leading=1.28)
    bubble = call.height + 2 * pad
    shares = share_room(
        job,
        room,
        block + claim.height,
        gaps,
        least=max(bubble, job.height * 0.12),
        most=max(bubble + 40, job.height * (0.24 if job.tall else 0.36)),
        rows=len(rows),
        air=size * 1.1,
    )
    picture, gap = shares.picture, shares.gap
    row += shares.air / 2
    rows = [height + shares.air for height in rows]
    y += gap
    sheet.text("claim", claim, MARGIN, y, ink=INK, ground=ground, hang=True)
    y += claim.height + gap
    ruled = [y + sum(rows[:index]) for index in range(len(rows) + 1)]
    for height in ruled:
        sheet.line((MARGIN, height), (WIDTH - MARGIN, height), palette.stroke(INK, 6))
    for index, point in enumerate(points):
        left, top = (MARGIN + column * index, y + row) if beside else (MARGIN, ruled[index])
        if beside:
            if index:
                ends = (left, ruled[0] + row), (left, ruled[-1] - row)
                sheet.line(*ends, palette.stroke(INK, 3))
            place = left + (column - disc) / 2, top
            words = left + (column - point.width) / 2, top + disc + size * 0.6
        else:
            place = left, top + (rows[index] - disc) / 2
            words = left + disc + size * 0.45, top + (rows[index] - point.height) / 2
        number_disc(sheet, index + 1, *place, disc, body=INK, ink=palette.SUN)
        sheet.text("point", point, *words, ink=INK, ground=ground, align=0.5 if beside else 0.0)
    y = ruled[-1] + gap
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
