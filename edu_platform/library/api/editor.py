"""What staff do with pieces: draft, check, submit, publish, withdraw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import marshmallow as ma
from sqlalchemy.orm import Session

from edu_platform.core.db import reading, writing
from edu_platform.core.errors import BadRequest, FieldError, Invalid, NotFound, UnsupportedMedia
from edu_platform.core.paging import Page, decode_cursor, encode_cursor
from edu_platform.core.schemas import LARGEST_ID, hostile_character
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import Parser, blueprint, repeatable
from edu_platform.library import operations, queries
from edu_platform.library.articles import parse_markdown
from edu_platform.library.models import Piece, Revision
from edu_platform.library.schemas import (
    CheckResult,
    Draft,
    DraftChange,
    Publication,
    ReviewText,
    RevisionView,
    StaffFilter,
    StaffPieceList,
    StaffPieceView,
    Withdrawal,
)
from edu_platform.people import guards
from edu_platform.review import queries as review_queries
from edu_platform.review.models import ReviewCase
from edu_platform.review.schemas import CaseView

MARKDOWN = "text/markdown"


class MarkdownParser(Parser):
    """Takes an article as it is written, `text/markdown`, beside JSON."""

    def load_json(self, req: Any, schema: ma.Schema) -> Any:
        """Return the body; Markdown becomes the field `markdown`."""
        if req.mimetype != MARKDOWN:
            return super().load_json(req, schema)
        if req.mimetype_params.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMedia("请求体须为 UTF-8 编码。")
        try:
            return {"markdown": req.get_data(cache=True).decode("utf-8-sig")}
        except UnicodeDecodeError as bad:
            raise BadRequest(
                f"请求体不是 UTF-8 文字（第 {bad.start + 1} 字节）。", code="bad_encoding"
            ) from bad


staff = blueprint("staff-pieces", prefix="/staff/pieces", description="编辑：起草、送审、发布、下架")
staff.ARGUMENTS_PARSER = MarkdownParser()


@dataclass(frozen=True)
class Seen:
    """A piece with what staff want to know of it."""

    piece: Piece
    latest: Revision
    live: list[Revision]
    revisions: list[Revision] = field(default_factory=list)
    cases: list[ReviewCase] = field(default_factory=list)


@staff.post("")
@guards.staff(Role.EDITOR)
@repeatable
@staff.arguments(Draft)
@staff.response(201, RevisionView)
def create_piece(draft: dict[str, Any]) -> Revision:
    """Start a piece with a first draft; an article may come as Markdown with front matter."""
    kind, slug, meta, body = _content(draft)
    with writing() as session:
        return operations.draft_piece(
            session,
            kind=kind,
            slug=slug,
            meta=meta,
            body=body,
            author=guards.current_staff().id,
            must_be_new=True,
        )


@staff.get("")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.arguments(StaffFilter, location="query")
@staff.response(200, StaffPieceList)
def list_all_pieces(wanted: dict[str, Any]) -> Page[Seen]:
    """List all pieces, whatever their state, newest first."""
    before = decode_cursor(wanted["cursor"], int)[0] if wanted["cursor"] else None
    limit = wanted["limit"]
    session = reading()
    chosen = queries.pieces(kind=wanted["kind"], state=wanted["state"], before=before)
    found = session.scalars(chosen.limit(limit + 1)).all()
    cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    return Page(_seen(session, list(found[:limit])), cursor)


@staff.get("/<slug>")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.response(200, StaffPieceView)
def get_any_piece(slug: str) -> Seen:
    """Return a piece with its revisions and what the review said of them."""
    return _whole(reading(), slug)


@staff.put("/<slug>")
@guards.staff(Role.EDITOR)
@staff.arguments(DraftChange)
@staff.response(200, RevisionView)
def change_piece(draft: dict[str, Any], slug: str) -> Revision:
    """Save a new revision; what differs in nothing from the newest one changes nothing."""
    with writing() as session:
        piece = operations.piece_of(session, slug)
        _, _, meta, body = _content({"kind": piece.kind, "slug": slug, **draft})
        return operations.draft_piece(
            session,
            kind=piece.kind if "markdown" not in draft else "article",
            slug=slug,
            meta=meta,
            body=body,
            author=guards.current_staff().id,
            based_on=draft["based_on"],
        )


@staff.get("/<slug>/revisions/<int:revision_id>")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.response(200, RevisionView)
def get_revision(slug: str, revision_id: int) -> Revision:
    """Return a revision with what it says."""
    return _revision(reading(), slug, revision_id)


@staff.get("/<slug>/revisions/<int:revision_id>/review-text")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.response(200, ReviewText)
def get_review_text(slug: str, revision_id: int) -> dict[str, str]:
    """Return everything that a reviewer must read, answers included."""
    session = reading()
    revision = _revision(session, slug, revision_id)
    return {"digest": revision.digest, "text": operations.review_text(session, revision)}


@staff.post("/<slug>/revisions/<int:revision_id>/check")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.response(200, CheckResult)
def check_revision(slug: str, revision_id: int) -> dict[str, list[FieldError]]:
    """Check a stored revision against the house as it is now."""
    session = reading()
    return {"errors": operations.revision_errors(session, _revision(session, slug, revision_id))}


@staff.post("/<slug>/revisions/<int:revision_id>/submit")
@guards.staff(Role.EDITOR)
@staff.response(200, CaseView)
def submit_revision(slug: str, revision_id: int) -> ReviewCase:
    """Send a revision to the review."""
    with writing() as session:
        revision = _revision(session, slug, revision_id)
        return operations.submit(session, revision, guards.current_staff().id)


@staff.post("/<slug>/revisions/<int:revision_id>/publish")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.arguments(Publication)
@staff.response(200, RevisionView)
def publish_revision(wanted: dict[str, Any], slug: str, revision_id: int) -> Revision:
    """Publish an approved revision, now or at an hour to come."""
    with writing() as session:
        revision = _revision(session, slug, revision_id)
        return operations.publish(session, revision, by=guards.current_staff().id, at=wanted["at"])


@staff.post("/<slug>/withdraw")
@guards.staff(Role.EDITOR, Role.REVIEWER)
@staff.arguments(Withdrawal)
@staff.response(200, StaffPieceView)
def withdraw_piece(wanted: dict[str, Any], slug: str) -> Seen:
    """Take a piece down, with what was scheduled of it."""
    with writing() as session:
        piece = operations.piece_of(session, slug)
        operations.withdraw(session, piece, by=guards.current_staff().id, reason=wanted["reason"])
        return _whole(session, slug)


def _content(draft: dict[str, Any]) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Return kind, slug, meta and body of a draft in either form; refuse Markdown that has mistakes."""
    if "markdown" not in draft:
        return draft["kind"], draft["slug"], draft["meta"], draft["body"]
    hostile = hostile_character(draft["markdown"].removeprefix("\ufeff"), lines=True)
    if hostile:
        raise Invalid([FieldError("markdown", f"含有不允许的字符 {hostile}。", "hostile_character")])
    slug, meta, body, problems = parse_markdown(draft["markdown"])
    given = draft.get("slug")
    if given is None and slug is None:
        problems = [*problems, FieldError("slug", "必填：写在 front matter 或请求里。", "required")]
    if given is not None and slug is not None and given != slug:
        problems = [*problems, FieldError("slug", f"front matter 写的是 {slug}，与 {given} 不一致。")]
    if problems:
        raise Invalid(problems)
    return "article", given or slug or "", meta, body


def _revision(session: Session, slug: str, revision_id: int) -> Revision:
    if revision_id > LARGEST_ID:
        raise NotFound("没有这个版本。")
    return operations.revision_of(session, operations.piece_of(session, slug), revision_id)


def _seen(session: Session, pieces: list[Piece]) -> list[Seen]:
    """Add to pieces, with two selects for all of them, their newest revisions and their live ones."""
    ids = [piece.id for piece in pieces]
    latest = {revision.piece_id: revision for revision in session.scalars(queries.latest_revisions(ids))}
    live: dict[int, list[Revision]] = {piece_id: [] for piece_id in ids}
    for revision in session.scalars(queries.live(ids)):
        live[revision.piece_id].append(revision)
    return [Seen(piece, latest[piece.id], live[piece.id]) for piece in pieces]


def _whole(session: Session, slug: str) -> Seen:
    piece = operations.piece_of(session, slug)
    short = _seen(session, [piece])[0]
    return Seen(
        piece,
        short.latest,
        short.live,
        list(session.scalars(queries.revisions(piece.id))),
        list(session.scalars(review_queries.about(piece.subject))),
    )
