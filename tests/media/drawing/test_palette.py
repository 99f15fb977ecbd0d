from __future__ import annotations

import pytest

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.palette import GROUNDS, contrast


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(0xFF000000, 0xFFFFFFFF) == pytest.approx(21)
    assert contrast(palette.INK, palette.INK) == pytest.approx(1)
    assert contrast(palette.INK, palette.PAPER) == pytest.approx(12.7, abs=0.1)
    assert contrast(palette.WHITE, palette.GREEN) == pytest.approx(6.3, abs=0.1)


@pytest.mark.parametrize("name", GROUNDS)
def test_text_reads_on_every_ground_and_for_elders_on_one_side_of_it(name: str) -> None:
    ground = GROUNDS[name]
    assert contrast(ground.text, ground.base) >= palette.TEXT_CONTRAST
    assert contrast(ground.accent, ground.base) >= palette.LARGE_TEXT_CONTRAST
    assert max(contrast(ground.text, side) for side in (ground.base, ground.shade)) >= palette.ELDER_CONTRAST


def test_mixing_and_fading() -> None:
    assert palette.mix(0xFF000000, 0xFFFFFFFF, 0) == 0xFF000000
    assert palette.mix(0xFF000000, 0xFFFFFFFF, 1) == 0xFFFFFFFF
    assert palette.fade(0xFF123456, 0.5) == 0x80123456
