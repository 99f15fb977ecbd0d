"""What other rooms hear of the library. Handlers run in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from edu_platform.core.signals import Signal


@dataclass(frozen=True)
class PieceNews:
    """A piece, and the revision that appeared or went."""

    piece_id: int
    revision_id: int
    slug: str
    kind: str


@dataclass(frozen=True)
class FileNews:
    """The digests (hex) of media files that pages of `piece_id` began, or ceased, to name."""

    piece_id: int
    digests: frozenset[str]


piece_published: Signal[PieceNews] = Signal("a revision was published or scheduled")
piece_withdrawn: Signal[PieceNews] = Signal("a published or scheduled revision was withdrawn or has expired")
files_shown: Signal[FileNews] = Signal("published pages name these files: link them for the public")
files_hidden: Signal[FileNews] = Signal("a published page no longer names these files: unlink them")
