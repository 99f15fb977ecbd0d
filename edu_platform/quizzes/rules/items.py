"""Item statistics: how hard a question is, and how well it tells those who know from those who do not."""

from __future__ import annotations

from math import sqrt


def difficulty(answered: int, right: int) -> float | None:
    """Return the share (0 to 1) of wholly right answers among all who had the question; None for nobody."""
    return right / answered if answered else None


def discrimination(answered: int, right: int, rest: int, rest_squared: int, rest_right: int) -> float | None:
    """Return the point-biserial correlation (-1 to 1) between a right answer and the rest of the score.

    The rest score leaves the question itself out, which would otherwise agree with itself. `rest` and
    `rest_squared` sum it (and its square) over everybody, `rest_right` over those who were right. None
    where it is not defined: everybody or nobody right, or all the same rest score.
    """
    wrong = answered - right
    variance = answered * rest_squared - rest * rest  # answered² times the population's variance
    if right == 0 or wrong == 0 or variance <= 0:
        return None
    # (mean of the right - mean of all) / deviation * sqrt(right / wrong), brought to whole numbers
    return (answered * rest_right - right * rest) / sqrt(variance * right * wrong)
