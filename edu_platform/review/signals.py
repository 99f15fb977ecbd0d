"""What the rooms above hear of the review."""

from __future__ import annotations

from dataclasses import dataclass

from edu_platform.core.signals import Signal
from edu_platform.review.models import CaseState


@dataclass(frozen=True)
class Decided:
    """A case was approved or returned: about `subject`, with exactly the content `digest`, by `by`."""

    case_id: int
    subject: str
    digest: str
    state: CaseState
    by: int
    comment: str


case_decided: Signal[Decided] = Signal("a review case was approved or returned")
