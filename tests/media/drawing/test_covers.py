from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from edu_platform.media.drawing.covers import check_cover, draw_cover
from edu_platform.media.drawing.illustrations import finder
from edu_platform.media.drawing.palette import GROUNDS
from edu_platform.media.drawing.problems import CannotDrawError


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_cover_is_drawn_on_every_ground_and_repeats(ground: str, illustrations: Path) -> None:
    def draw() -> bytes:
        return draw_cover(
            {"illustration": "scales", "ground": ground}, "三十个字以内的标题也要放得下，不能切掉一笔，还要好看又清楚明白",
            illustrations=illustrations, size=(600, 338),
        )  # fmt: skip

    assert draw() == draw()
    assert Image.open(io.BytesIO(draw())).size == (600, 338)


def test_problems_of_a_cover_are_listed_together(illustrations: Path) -> None:
    problems = check_cover({"illustration": "nope", "ground": "neon"}, "好\U0001f600", finder(illustrations))
    assert [problem.path for problem in problems] == ["cover.ground", "cover.illustration", "title"]
    assert check_cover("green")[0].path == "cover"


def test_a_wrong_cover_is_not_drawn(illustrations: Path) -> None:
    with pytest.raises(CannotDrawError):
        draw_cover({"illustration": "scales", "ground": "neon"}, "好", illustrations=illustrations)
    with pytest.raises(CannotDrawError, match="标题"):
        draw_cover({"illustration": "scales", "ground": "green"}, "长" * 80, illustrations=illustrations)
