from __future__ import annotations

import numpy as np
import pytest

from edu_platform.media.drawing.sound import LOUDNESS, RATE, make_pad, measure_loudness


def test_loudness_is_that_of_the_standard() -> None:
    # BS.1770: a 997 Hz sine at full scale in one channel measures -3.01 LUFS.
    time = np.arange(3 * RATE) / RATE
    sine = np.zeros((2, len(time)), dtype=np.float32)
    sine[0] = np.sin(2 * np.pi * 997 * time)
    assert measure_loudness(sine) == pytest.approx(-3.01, abs=0.05)
    assert measure_loudness(sine * 0.1) == pytest.approx(-23.01, abs=0.05)
    assert measure_loudness(np.zeros((2, RATE), dtype=np.float32)) == float("-inf")


def test_the_pad_is_quiet_never_clips_and_repeats() -> None:
    pad = make_pad(6.0, [0.0, 3.0])
    assert pad.shape == (2, 6 * RATE)
    assert measure_loudness(pad) == pytest.approx(LOUDNESS, abs=0.3)
    assert measure_loudness(pad) <= -20
    assert np.abs(pad).max() < 0.9
    assert np.array_equal(pad, make_pad(6.0, [0.0, 3.0]))
    assert np.abs(pad[:, :50]).max() < 0.01
