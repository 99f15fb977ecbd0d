"""The sound under a film: a soft pad and a small tick at every new scene, made of sine voices.

Loudness is measured as ITU-R BS.1770 has it (K-weighting, 400 ms blocks, both gates), so that the pad
can be set to a level that disturbs nobody: all meaning is in picture and caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 44_100
LOUDNESS: Final = -24.0
"""In LUFS; -20 is the loudest a film may be."""

Samples = NDArray[np.float32]

_CHORDS: Final = ((130.81, 196.0, 329.63, 493.88), (110.0, 164.81, 261.63, 392.0),
                  (87.31, 174.61, 261.63, 440.0), (98.0, 146.83, 246.94, 392.0))  # fmt: skip
_CHORD_SECONDS: Final = 4.0


def make_pad(seconds: float, ticks: Sequence[float]) -> Samples:
    """Make the sound of a film: two channels by samples, between -1 and 1, at the house's loudness."""
    count = round(seconds * RATE)
    sound = np.zeros((2, count), dtype=np.float32)
    length = int(_CHORD_SECONDS * RATE * 1.5)
    time = np.arange(length) / RATE
    envelope = np.minimum(1, time / 1.4) * np.minimum(1, (length / RATE - time) / 2.0)
    tones: dict[int, NDArray[Any]] = {}
    for number in range(int(seconds / _CHORD_SECONDS) + 1):
        start = int(number * _CHORD_SECONDS * RATE)
        end = min(count, start + length)
        if start >= count:
            break
        chord = number % len(_CHORDS)
        if chord not in tones:
            tones[chord] = _chord(_CHORDS[chord], time) * envelope
        sound[:, start:end] += tones[chord][:, : end - start]
    for tick in ticks:
        start = round(tick * RATE)
        ring = np.arange(min(count - start, RATE // 2)) / RATE
        if len(ring):
            pluck = 0.5 * np.sin(2 * np.pi * 880 * ring) * np.exp(-ring * 14) * np.minimum(1, ring / 0.004)
            sound[:, start : start + len(ring)] += pluck
    fade = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.6 * RATE))
    sound *= fade
    level = measure_loudness(sound)
    gain = 10 ** ((LOUDNESS - level) / 20) if np.isfinite(level) else 0.0
    quiet: Samples = np.clip(sound * gain, -1, 1).astype(np.float32)
    return quiet


def _chord(tones: Sequence[float], time: NDArray[Any]) -> NDArray[Any]:
    made = np.zeros((2, len(time)))
    for index, tone in enumerate(tones):
        for side, detune in ((0, 0.9985), (1, 1.0015)):
            swell = 1 + 0.18 * np.sin(2 * np.pi * (0.11 + 0.05 * index) * time + side)
            made[side] += np.sin(2 * np.pi * tone * detune * time) * swell / (1 + index * 0.7)
    return made


def _k_weight(frequencies: NDArray[Any]) -> NDArray[Any]:
    """Give the K-weighting's gain at each frequency, from the standard's two filters at 48 kHz."""
    delay = np.exp(-2j * np.pi * frequencies / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * delay + 1.19839281085285 * delay**2) / (
        1 - 1.69065929318241 * delay + 0.73248077421585 * delay**2
    )
    high_pass = (1 - 2 * delay + delay**2) / (1 - 1.99004745483398 * delay + 0.99007225036621 * delay**2)
    gain: NDArray[Any] = np.abs(shelf * high_pass)
    return gain


def measure_loudness(sound: Samples) -> float:
    """Measure integrated loudness in LUFS of two channels at the house's rate; -inf for silence."""
    count = sound.shape[1]
    # A length of small factors and single precision: several times faster, a thousandth of a decibel off.
    length = -(-count // 16384) * 16384
    spectrum = np.fft.rfft(sound.astype(np.float32), n=length, axis=1)
    spectrum *= _k_weight(np.fft.rfftfreq(length, 1 / RATE)).astype(np.float32)
    weighted = np.fft.irfft(spectrum, n=length, axis=1)[:, :count].astype(np.float64)
    block, hop = min(count, int(0.4 * RATE)), int(0.1 * RATE)
    power = np.concatenate([[0.0], np.cumsum((weighted**2).sum(axis=0))])
    starts = np.arange(0, count - block + 1, hop)
    means = (power[starts + block] - power[starts]) / block
    heard = means[means > 10 ** ((-70 + 0.691) / 10)]
    if not len(heard):
        return float("-inf")
    gate = heard.mean() * 10 ** (-10 / 10)
    return float(-0.691 + 10 * np.log10(heard[heard > gate].mean()))
