"""What a kind of piece must be able to do; rooms register theirs, `library` knows none but its own.

Articles, posters and videos are the library's own; `quizzes` brings `quiz`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from edu_platform.core.errors import FieldError


@dataclass(frozen=True)
class Shown:
    """A revision as a kind sees it: `meta` is common to all kinds, `body` its own, `frozen` what publishing pinned."""

    piece_id: int
    revision_id: int
    slug: str
    meta: Mapping[str, Any]
    body: Mapping[str, Any]
    frozen: Mapping[str, Any]


class Kind(Protocol):
    """One kind of piece."""

    @property
    def name(self) -> str:
        """Return the word of the kind: `quiz`."""
        ...

    @property
    def label(self) -> str:
        """Return what people call it."""
        ...

    def check(self, session: Session, body: Mapping[str, Any]) -> list[FieldError]:
        """Return everything that is wrong with a body; fields are paths inside the body."""
        ...

    def depends(self, session: Session, body: Mapping[str, Any]) -> Any:
        """Return, as JSON, the digests of what the body refers to elsewhere (question versions, media files).

        It goes into the revision's digest, so that an approval covers it; `publish` refuses when it has changed.
        """
        ...

    def public_text(self, body: Mapping[str, Any]) -> str:
        """Return the text that anyone may find by searching (never an answer)."""
        ...

    def review_text(self, session: Session, body: Mapping[str, Any]) -> str:
        """Return everything that a reviewer must read, answers included."""
        ...

    def freeze(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Pin what the piece depends on, as JSON to keep with the published revision."""
        ...

    def is_ready(self, session: Session, shown: Shown) -> bool:
        """Say whether every derived file is there; a piece that is not ready is not listed."""
        ...

    def prepare(self, session: Session, shown: Shown) -> None:
        """Want the missing derived files made (enqueue jobs); does nothing when all are there."""
        ...

    def card(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return this kind's own fields of a card in a list."""
        ...

    def page(self, session: Session, shown: Shown) -> dict[str, Any]:
        """Return this kind's own fields of the detail page."""
        ...


registry: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a kind; called once by `factory` for each."""
    registry[kind.name] = kind


def kind_of(name: str) -> Kind:
    """Return the kind called `name`; KeyError when the house has none."""
    return registry[name]
