"""Rendering a revision once, to the bytes that learners will get."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.clock import ZONE
from edu_platform.library.kinds import Kind, Shown
from edu_platform.library.models import Piece, Placement, Revision

_FILE = re.compile(rb"/media/([0-9a-f]{64})\b")


class Answer:
    """Bytes to send, plain and zipped, each with its own strong entity tag; zipped when first asked for."""

    __slots__ = ("_gzip", "body", "etag", "etag_gzip")

    def __init__(self, body: bytes, etag: str, gzip: bytes | None, etag_gzip: str) -> None:
        self.body, self.etag, self._gzip, self.etag_gzip = body, etag, gzip, etag_gzip

    @classmethod
    def of(cls, body: bytes) -> Answer:
        """Tag a body; the same body always gives the same answer."""
        name = hashlib.sha256(body).hexdigest()[:32]
        return cls(body, f'"{name}"', None, f'"{name}-gzip"')

    @property
    def gzip(self) -> bytes:
        """Return the zipped form."""
        if self._gzip is None:
            # no time of zipping in it: the tag promises the same bytes
            self._gzip = gzip.compress(self.body, compresslevel=6, mtime=0)
        return self._gzip

    @property
    def size(self) -> int:
        """Return how much memory it takes at most, roughly; zipping does not change it."""
        return 2 * len(self.body) + 2_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """A revision as bytes: its card in lists, its page, and the digests of the media that they name."""

    card: bytes
    page: Answer
    files: frozenset[str]


def shown_of(piece: Piece, revision: Revision) -> Shown:
    """Return the revision as its kind sees it."""
    return Shown(
        piece_id=piece.id,
        revision_id=revision.id,
        slug=piece.slug,
        meta=revision.meta,
        body=revision.body,
        frozen=revision.frozen,
    )


def stamp(moment: datetime) -> str:
    """Return a moment as `core.schemas.When` puts it on the wire."""
    return moment.astimezone(ZONE).isoformat(timespec="milliseconds")


def _campaigns(session: Session, piece_id: int) -> list[dict[str, str]]:
    """Return which campaigns carry the piece, and when; outside the approved digest."""
    rows = session.scalars(
        select(Placement)
        .where(Placement.piece_id == piece_id)
        .order_by(Placement.starts_at, Placement.campaign_code)
    )
    return [
        {"code": row.campaign_code, "starts_at": stamp(row.starts_at), "ends_at": stamp(row.ends_at)}
        for row in rows
    ]


def render(
    session: Session,
    kind: Kind,
    shown: Shown,
    *,
    published_at: datetime,
    updated_at: datetime,
    expires_at: datetime | None,
) -> Rendered:
    """Render card and page. What all kinds share cannot be overridden by a kind, except `cover`."""
    meta = shown.meta
    common: dict[str, Any] = {
        "id": str(shown.piece_id),
        "slug": shown.slug,
        "kind": kind.name,
        "title": meta["title"],
        "summary": meta["summary"],
        "audiences": meta["audiences"],
        "rights": meta["rights"],
        "column": meta["column"],
        "campaigns": _campaigns(session, shown.piece_id),
        "cover": None,
        "published_at": stamp(published_at),
        "updated_at": stamp(updated_at),
        "expires_at": stamp(expires_at) if expires_at else None,
    }
    own = kind.card(session, shown)
    card = {**own, **common, "cover": own.get("cover")}
    body = kind.page(session, shown)
    page = {**own, **body, **common, "cover": body.get("cover", own.get("cover"))}
    order = [*common, *(key for key in page if key not in common)]
    card_bytes = orjson.dumps({key: card[key] for key in order if key in card})
    page_bytes = orjson.dumps({key: page[key] for key in order})
    files = frozenset(found.decode() for found in _FILE.findall(card_bytes + page_bytes))
    return Rendered(card_bytes, Answer.of(page_bytes), files)
