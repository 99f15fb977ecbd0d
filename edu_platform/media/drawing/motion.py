"""How things move: easing, and values that change over time by a list of acts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Ease = Callable[[float], float]


def clamp(share: float) -> float:
    """Bring a share between 0 and 1."""
    return max(0.0, min(1.0, share))


def smooth(share: float) -> float:
    """Ease in and out."""
    share = clamp(share)
    return share * share * share * (share * (share * 6 - 15) + 10)


def settle(share: float) -> float:
    """Arrive quickly, overshoot a little and settle."""
    share = clamp(share)
    pull = 1.25
    return 1 + (pull + 1) * (share - 1) ** 3 + pull * (share - 1) ** 2


def swing(share: float) -> float:
    """Set off gently, overshoot a little and settle: how a hand moves."""
    return settle(clamp(share) ** 1.6)


def arrive(share: float) -> float:
    """Slow down towards the end."""
    return 1 - (1 - clamp(share)) ** 3


def depart(share: float) -> float:
    """Gather speed from the start."""
    return clamp(share) ** 3


def wave(time: float, period: float, phase: float = 0.0) -> float:
    """Give a sine of a period in seconds, -1 to 1."""
    return math.sin(2 * math.pi * (time / period + phase))


def window(time: float, start: float, length: float, edge: float = 0.25) -> float:
    """Give 1 inside a stretch of time and 0 outside, with soft edges."""
    if length <= 0:
        return 0.0
    edge = min(edge, length / 2)
    return smooth((time - start) / edge) * smooth((start + length - time) / edge)


@dataclass(frozen=True, slots=True)
class Change:
    """A value goes to `goal` from a start time within a length of time."""

    start: float
    length: float
    goal: float


def follow(time: float, base: float, changes: Iterable[Change], ease: Ease = smooth) -> float:
    """Give a value at a time: the base, led through its changes in their order.

    A change that begins before the one before it has ended takes over from where that would have
    been, so that nothing jumps.
    """
    value = base
    for change in changes:
        if time <= change.start:
            break
        share = ease((time - change.start) / change.length) if change.length > 0 else 1.0
        value += (change.goal - value) * share
    return value
