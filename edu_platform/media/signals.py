"""What `media` announces."""

from __future__ import annotations

from dataclasses import dataclass

from edu_platform.core.signals import Signal


@dataclass(frozen=True)
class FileFinished:
    """An upload has become a finished file, or was refused."""

    file_id: int
    digest: str


file_finished: Signal[FileFinished] = Signal("The worker has finished with an uploaded film.")
