from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skia
import yaml
from PIL import Image

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.illustrations import finder
from edu_platform.media.drawing.lettering import CLOSING, OPENING
from edu_platform.media.drawing.poster_templates import TEMPLATES
from edu_platform.media.drawing.posters import (
    A3_WIDTH_MM,
    SAFE_MM,
    House,
    PosterCopy,
    PosterSize,
    code_place,
    draw_poster,
    lay_out,
    parse_poster,
    proof_poster,
    texts_of,
)
from edu_platform.media.drawing.problems import CannotDrawError
from edu_platform.media.drawing.sheet import MARGIN, WIDTH

POSTERS = sorted((Path(__file__).parents[3] / "content" / "posters").glob("*.yaml"))

GOOD: dict[str, Any] = {
    "title": "先挂断，再核实",
    "audiences": ["elderly"],
    "rights": ["property_safety"],
    "template": "warning",
    "claim": "先挂断，再核实",
    "points": ["陌生来电先别信", "不给验证码"],
    "call": "拨打 {hotline} 核实",
    "illustration": "phone-hang-up",
    "alt": "一只手挂断电话",
}


def copy_of(**changes: Any) -> PosterCopy:
    copy, problems = parse_poster(GOOD | changes)
    assert copy is not None, problems
    return copy


def load(path: Path) -> PosterCopy:
    copy, problems = parse_poster(yaml.safe_load(path.read_text("utf-8")))
    assert copy is not None, problems
    return copy


def test_every_problem_is_listed_at_once(illustrations: Path) -> None:
    copy, problems = parse_poster(
        {
            "title": "好",
            "audiences": ["everyone"],
            "rights": [],
            "template": "neon",
            "claim": "这一句主张实在是太长太长太长了",
            "points": ["好", 3, "\U0001f600", "再打 {phone}"],
            "call": "",
            "illustration": "no-such-picture",
        },
        finder(illustrations),
    )
    assert copy is None
    found = {problem.path: problem.reason for problem in problems}
    assert set(found) >= {
        "template",
        "claim",
        "points[1]",
        "call",
        "illustration",
        "alt",
        "audiences[0]",
        "rights",
    }
    assert "12" in found["claim"]
    assert "no-such-picture" in found["illustration"]
    assert all(problem.reason for problem in problems)


@pytest.mark.parametrize("template", TEMPLATES)
def test_points_too_long_are_a_problem_not_a_cut(template: str) -> None:
    copy, problems = parse_poster(GOOD | {"template": template, "points": ["一句说不完的话" * 12] * 3})
    assert copy is None
    assert any(problem.path.startswith("points") for problem in problems)


def test_a_word_wider_than_the_sheet_is_a_problem() -> None:
    _, problems = parse_poster(GOOD | {"points": ["A" * 80]})
    assert any(problem.path == "points[0]" for problem in problems)


def test_number_of_points_depends_on_the_template() -> None:
    _, few = parse_poster(GOOD | {"template": "steps", "points": ["一", "二"]})
    _, many = parse_poster(GOOD | {"points": ["一", "二", "三", "四"]})
    assert [problem.path for problem in few] == ["points"]
    assert "points" in [problem.path for problem in many]


def test_the_shipped_posters_are_right(illustrations: Path) -> None:
    find = finder(illustrations)
    templates, audiences, rights = set(), set(), set()
    for path in POSTERS:
        copy, problems = parse_poster(yaml.safe_load(path.read_text("utf-8")), find)
        assert copy is not None, (path.name, problems)
        templates.add(copy.template)
        audiences.update(copy.audiences)
        rights.update(copy.rights)
    assert len(POSTERS) >= 8
    assert templates == set(TEMPLATES)
    assert audiences == {"elderly", "youth", "new_customer"}
    assert len(rights) >= 5


@pytest.mark.parametrize("path", POSTERS, ids=lambda path: path.stem)
def test_nothing_collides_or_leaves_the_sheet_and_all_can_be_read(path: Path, house: House) -> None:
    copy = load(path)
    for size in PosterSize:
        for elder in (False, True):
            sheet, problems = lay_out(copy, size=size, elder=elder, house=house)
            assert not problems
            edge = SAFE_MM * WIDTH / A3_WIDTH_MM if size is PosterSize.A3 else 24
            for box in sheet.placed:
                assert box.x >= edge - 0.01, box
                assert box.x + box.width <= WIDTH - edge + 0.01, box
                assert box.y >= edge - 0.01, box
                assert box.bottom <= sheet.height - edge * 0.99, box
            for one, other in combinations(sheet.placed, 2):
                assert not one.overlaps(other), (one, other)
            for text in texts_of(sheet):
                least = palette.ELDER_CONTRAST if elder else palette.TEXT_CONTRAST
                assert palette.contrast(text.ink, text.ground) >= least, text


EVERY_SHEET = [(size, elder) for size in PosterSize for elder in (False, True)]


@pytest.mark.parametrize("path", POSTERS, ids=lambda path: path.stem)
def test_elder_print_says_the_same_twice_as_large_on_paper(path: Path, house: House) -> None:
    copy = load(path)
    for size, least in ((PosterSize.PHONE, 1.5), (PosterSize.A3, 2.0)):
        normal, elder = (
            texts_of(lay_out(copy, size=size, elder=elder, house=house)[0]) for elder in (False, True)
        )
        roles = {text.role for text in normal}
        assert roles == {text.role for text in elder}, "nothing is left out"
        assert roles >= {"claim", "point", "call", "issuer", "detail", "hotline", "programme", "kind"}
        for role in roles:
            small = max(text.size for text in normal if text.role == role)
            large = min(text.size for text in elder if text.role == role)
            assert least - 1e-6 <= large / small <= least * 1.5, (size, role, large, small)


@pytest.mark.parametrize("path", POSTERS, ids=lambda path: path.stem)
def test_no_line_begins_or_ends_with_the_wrong_mark(path: Path, house: House) -> None:
    copy = load(path)
    for size, elder in EVERY_SHEET:
        sheet, _ = lay_out(copy, size=size, elder=elder, house=house)
        said = {placed.role: "" for placed in texts_of(sheet)}
        for placed in texts_of(sheet):
            for line in placed.lines:
                assert line
                assert line[0] not in CLOSING, (size, elder, line)
                assert line[-1] not in OPENING, (size, elder, line)
                said[placed.role] += line
        points = copy.elder_points if elder and copy.elder_points else copy.points
        call = copy.elder_call if elder and copy.elder_call else copy.call
        for role, text in {"claim": copy.claim, "point": "".join(points), "call": call}.items():
            whole = text.replace("{hotline}", house.hotline)
            assert said[role].replace(" ", "") == whole.replace(" ", ""), "no text is cut"


@pytest.mark.parametrize("path", POSTERS, ids=lambda path: path.stem)
def test_the_place_of_the_code_is_kept_free_on_every_sheet(path: Path, house: House) -> None:
    copy = load(path)
    for size, elder in EVERY_SHEET:
        sheet, _ = lay_out(copy, size=size, elder=elder, house=house)
        place = next(placed for placed in sheet.placed if placed.role == "code")
        assert place.width == place.height >= 0.12 * WIDTH
        for other in sheet.placed:
            assert other is place or not other.overlaps(place), other
        assert place.bottom <= sheet.height
        share = code_place(copy, size=size, elder=elder, house=house)
        assert 0 < share[0] < share[0] + share[2] < 1


@pytest.mark.parametrize("path", POSTERS, ids=lambda path: path.stem)
def test_a_list_on_paper_stands_in_the_middle(path: Path, house: House) -> None:
    copy = load(path)
    for elder in (False, True):
        sheet, _ = lay_out(copy, size=PosterSize.A3, elder=elder, house=house)
        points = [text for text in texts_of(sheet) if text.role == "point"]
        numbers = [text for text in texts_of(sheet) if text.role == "number"]
        if copy.template == "large_print" and not elder:  # side by side, each under its number
            assert len({number.y for number in numbers}) == 1
            for index, (number, point) in enumerate(zip(numbers, points, strict=True)):
                assert number.bottom < point.y
                middle = MARGIN + (WIDTH - 2 * MARGIN) * (index + 0.5) / len(points)
                assert number.x + number.width / 2 == pytest.approx(middle, abs=1)
                assert point.x + point.width / 2 == pytest.approx(middle, abs=1)
            continue
        assert len({point.x for point in points}) == 1, "one left edge"
        if copy.template in {"warning", "right"}:
            icon = 1.55 if copy.template == "warning" else 1.8
            left = points[0].x - icon * points[0].size - MARGIN
            right = WIDTH - MARGIN - max(point.x + point.width for point in points)
            assert right == pytest.approx(left, abs=2), (elder, left, right)


@pytest.mark.parametrize("path", POSTERS, ids=lambda path: path.stem)
def test_every_sheet_can_be_drawn(path: Path, illustrations: Path, house: House) -> None:
    copy = load(path)
    for size, elder in EVERY_SHEET:
        data, width, height = proof_poster(
            copy, size=size, elder=elder, house=house, illustrations=illustrations, width=120
        )
        assert Image.open(io.BytesIO(data)).size == (width, height)


def test_a_poster_repeats_byte_for_byte(illustrations: Path, house: House) -> None:
    def draw() -> bytes:
        return draw_poster(
            copy_of(), size=PosterSize.PHONE, elder=False, house=house, illustrations=illustrations
        )

    assert draw() == draw()
    picture = Image.open(io.BytesIO(draw()))
    assert picture.size == (1080, 1920)


def test_paper_has_its_resolution_and_bleed(illustrations: Path, house: House) -> None:
    drawn = draw_poster(copy_of(), size=PosterSize.A3, elder=False, house=house, illustrations=illustrations)
    picture = Image.open(io.BytesIO(drawn))
    assert picture.size == (round(303 / 25.4 * 300), round(426 / 25.4 * 300))
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    # The sheet ends within a column of pixels; its ground covers that column whole.
    assert 303 / 25.4 * 300 % 1 > 0.5
    ground = [picture.convert("RGB").getpixel((x, picture.height // 10)) for x in (2, picture.width - 1)]
    assert (
        ground == [(palette.VERMILION >> 16 & 255, palette.VERMILION >> 8 & 255, palette.VERMILION & 255)] * 2
    )


def test_steps_grow_with_the_number_of_steps(house: House) -> None:
    heights = [
        lay_out(
            copy_of(template="steps", points=["一件要做的事"] * count),
            size=PosterSize.PHONE,
            elder=False,
            house=house,
        )[0].height
        for count in (3, 6)
    ]
    assert 1920 <= heights[0] < heights[1]


def test_the_hotline_is_filled_in(illustrations: Path, house: House) -> None:
    other = House(house.issuer, house.programme, "4008-000", house.review_no, house.date)
    one, two = (
        draw_poster(copy_of(), size=PosterSize.PHONE, elder=False, house=who, illustrations=illustrations)
        for who in (house, other)
    )
    assert one != two


def _code_area(picture: bytes, copy: PosterCopy, house: House) -> np.ndarray:
    x, y, side = code_place(copy, size=PosterSize.PHONE, elder=False, house=house)
    image = Image.open(io.BytesIO(picture)).convert("L")
    width = image.width
    return np.asarray(
        image.crop((round(x * width), round(y * width), round((x + side) * width), round((y + side) * width)))
    )


def test_the_code_stands_in_its_place_with_a_quiet_zone(illustrations: Path, house: House) -> None:
    def draw(code: bytes | str | None) -> np.ndarray:
        picture = draw_poster(
            copy_of(), size=PosterSize.PHONE, elder=False, house=house, illustrations=illustrations, code=code
        )
        return _code_area(picture, copy_of(), house)

    free, ordinary = draw(None), draw("https://example.org/p/hang-up-first")
    assert free.shape[0] >= 0.12 * WIDTH
    assert (free < 60).mean() == 0
    assert 0.15 < (ordinary < 60).mean() < 0.5
    quiet = ordinary.shape[0] * 4 // 50
    assert ordinary[3:quiet, 12:-12].min() > 200
    surface = skia.Surface(64, 64)
    surface.getCanvas().clear(0xFF0000FF)
    given = draw(bytes(surface.makeImageSnapshot().encodeToData()))
    assert (given < 60).mean() > 0.7


def test_a_missing_illustration_stops_the_drawing(tmp_path: Path, house: House) -> None:
    with pytest.raises(CannotDrawError, match="phone-hang-up"):
        draw_poster(copy_of(), size=PosterSize.PHONE, elder=False, house=house, illustrations=tmp_path)


def test_templates_differ_at_a_glance(illustrations: Path, house: House) -> None:
    def glance(template: str) -> np.ndarray:
        changes = {"template": template, "points": ["陌生来电先别信", "不给验证码", "先问家人"]}
        picture = draw_poster(
            copy_of(**changes), size=PosterSize.PHONE, elder=False, house=house, illustrations=illustrations
        )
        image = Image.open(io.BytesIO(picture)).convert("RGB").resize((9, 16))
        return np.asarray(image).astype(float)

    looks = {template: glance(template) for template in TEMPLATES}
    for one, other in combinations(looks, 2):
        assert np.abs(looks[one] - looks[other]).mean() > 12, (one, other)


@pytest.mark.parametrize(
    "nasty", ["\ud800", "\u202e好", "\x00", "长" * 5000, [["好"]], {"a": 1}, 3, None, float("nan")]
)
@pytest.mark.parametrize("key", ["template", "claim", "call", "illustration", "title", "points", "rights"])
def test_hostile_copy_is_refused_by_name(key: str, nasty: Any) -> None:
    for value in (nasty, [nasty, nasty]):
        copy, problems = parse_poster(GOOD | {key: value})
        assert copy is None
        assert any(problem.path.startswith(key) for problem in problems)
        assert all(problem.reason.encode() for problem in problems)
